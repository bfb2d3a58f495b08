// MLflow's web UI behind Portcullis, in a real browser that answers the Basic challenge.
//
// Needs in the environment: PORTCULLIS_URL, ACME_EDITOR_KEY (makes the data),
// ACME_VIEWER_KEY (looks at it) and GLOBEX_EDITOR_KEY (must not find it).
// Optional: SCREENSHOT, where to put a picture of the run page; CHROMIUM, the browser.
// Install what it needs once: npm ci --prefix tests/e2e

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const url = process.env.PORTCULLIS_URL.replace(/\/$/, "");
const tag = randomBytes(4).toString("hex");
const work = { experiment: `fraud-${tag}`, run: `baseline-${tag}`, span: `judge-${tag}` };
const foreign = `churn-${tag}`;
let browser;

// The UI asks for these and shrugs when it gets none: MLflow itself has no users without
// its own sign-on, and the assistant is denied on purpose.
const dispensable = [/\/mlflow\/users\/current$/, /\/mlflow\/assistant\//];

async function mlflow(path, body, { method = "POST", key = process.env.ACME_EDITOR_KEY } = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  assert.equal(response.status, 200, `${path}: ${text}`);
  return text && JSON.parse(text);
}

async function logRun() {
  const api = "/api/2.0/mlflow";
  const experiment = await mlflow(`${api}/experiments/create`, { name: work.experiment });
  work.experimentId = experiment.experiment_id;
  const created = await mlflow(`${api}/runs/create`, {
    experiment_id: work.experimentId,
    run_name: work.run,
    start_time: Date.now(),
  });
  work.runId = created.run.info.run_id;
  await mlflow(`${api}/runs/log-batch`, {
    run_id: work.runId,
    params: [{ key: "depth", value: "3" }],
    metrics: [{ key: "auc", value: 0.875, timestamp: Date.now(), step: 0 }],
  });
  await mlflow(`${api}/runs/update`, { run_id: work.runId, status: "FINISHED" });
}

// As MLflow's own client does where no OTLP is taken: the trace, then its spans as a file.
async function logTrace() {
  const id = randomBytes(16);
  work.trace = `tr-${id.toString("hex")}`;
  const made = await mlflow("/api/3.0/mlflow/traces", { trace: { trace_info: traceInfo() } });
  const location = made.trace.trace_info.tags["mlflow.artifactLocation"];
  const span = {
    trace_id: id.toString("base64"),
    span_id: randomBytes(8).toString("base64"),
    parent_span_id: null,
    name: work.span,
    start_time_unix_nano: 1_700_000_000_000_000_000,
    end_time_unix_nano: 1_700_000_000_005_000_000,
    events: [],
    status: { code: "STATUS_CODE_OK", message: "" },
    attributes: { "mlflow.traceRequestId": JSON.stringify(work.trace) },
  };
  const folder = location.replace("mlflow-artifacts:", "/api/2.0/mlflow-artifacts/artifacts");
  await mlflow(`${folder}/traces.json`, { spans: [span] }, { method: "PUT" });
}

function traceInfo() {
  return {
    trace_id: work.trace,
    trace_location: {
      type: "MLFLOW_EXPERIMENT",
      mlflow_experiment: { experiment_id: work.experimentId },
    },
    request_time: new Date().toISOString(),
    execution_duration: "0.005s",
    state: "OK",
  };
}

async function open(key) {
  const context = await browser.newContext({
    httpCredentials: { username: "key", password: key },
    viewport: { width: 1400, height: 1300 },
  });
  const page = await context.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    const matters = !dispensable.some((pattern) => pattern.test(pathname));
    if (response.status() >= 400 && matters) complaints.push(`${response.status()} ${pathname}`);
  });
  return { page, complaints };
}

before(async () => {
  await logRun();
  await logTrace();
  const create = "/api/2.0/mlflow/experiments/create";
  await mlflow(create, { name: foreign }, { key: process.env.GLOBEX_EDITOR_KEY });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});

after(() => browser?.close());

test("a viewer goes from the list of experiments to a run and its metrics", async () => {
  const { page, complaints } = await open(process.env.ACME_VIEWER_KEY);
  await page.goto(`${url}/#/experiments`);
  await page.getByRole("link", { name: work.experiment }).click();
  await page.waitForURL(new RegExp(`/experiments/${work.experimentId}/`));
  await page.goto(`${url}/#/experiments/${work.experimentId}/runs`);
  await page.getByRole("link", { name: work.run }).click();
  await page.waitForURL(new RegExp(`/runs/${work.runId}`));
  await page.getByText("Metrics (1)").waitFor();
  await page.getByText("0.875").first().waitFor();
  await page.getByText("depth").first().waitFor();
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT });
  assert.deepEqual(complaints, []);
});

test("a viewer opens a trace and sees its span", async () => {
  const { page, complaints } = await open(process.env.ACME_VIEWER_KEY);
  const traces = `${url}/#/experiments/${work.experimentId}/traces`;
  await page.goto(`${traces}?selectedEvaluationId=${work.trace}`);
  await page.getByText(work.span).first().waitFor();
  assert.deepEqual(complaints, []);
});

test("another tenant's browser neither lists the experiment nor learns of workspaces", async () => {
  const { page } = await open(process.env.GLOBEX_EDITOR_KEY);
  await page.goto(`${url}/#/experiments`);
  await page.getByRole("link", { name: foreign }).waitFor();
  const text = await page.innerText("body");
  assert.ok(!text.includes(work.experiment) && !text.includes("acme"), text);
  await page.goto(`${url}/#/experiments/${work.experimentId}/runs/${work.runId}`);
  // MLflow's own words with workspaces; without them the gateway refuses the UI's question.
  await page.getByText(/not found|does not exist|went wrong|error/i).first().waitFor();
  assert.ok(!(await page.innerText("body")).includes(work.run));
});

test("a browser without a key is asked for one", async () => {
  const response = await fetch(`${url}/`);
  assert.equal(response.status, 401);
  assert.match(response.headers.get("www-authenticate"), /Basic realm=/);
});
