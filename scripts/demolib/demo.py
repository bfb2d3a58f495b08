"""Brings the parts up, side by side where they do not need each other."""

import asyncio
import json
import os
import pathlib
import time
import urllib.parse

from . import places, seed
from .children import Child, Supervisor
from .console import DemoError, say, tail
from .guard import Guard
from .places import CONFIG, DATA, LOGS, ROOT, VENV, Ports
from .probes import HEARTBEAT_SECONDS, answers, migrated, until
from .texts import CONFIG_TEXT, READY_TEXT

# The gateway first: it still needs the others for what it has accepted.
STOP_ORDER = ("the gateway", "MLflow", "Postgres")


def clean_environment() -> dict[str, str]:
    """The user's environment less what would point our parts somewhere else."""
    foreign = ("MLFLOW_", "PORTCULLIS_", "DATABASE_URL", "PG", "PORT", "PRIVATE_PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


class Demo:
    """Everything that `make demo` starts."""

    def __init__(self, guard: Guard, ports: Ports) -> None:
        self._supervisor = Supervisor(guard)
        self._ports = ports
        self._environment = clean_environment()
        self._url = f"http://127.0.0.1:{ports.gateway}"

    async def run(self) -> None:
        await self._setup("--packages", "demo")
        bring_up = asyncio.create_task(self._bring_up())
        failure = asyncio.create_task(self._supervisor.failure())
        try:
            await asyncio.wait({bring_up, failure}, return_when=asyncio.FIRST_COMPLETED)
            if bring_up.done():
                bring_up.result()
            await failure
        finally:
            bring_up.cancel()
            failure.cancel()
            await asyncio.gather(bring_up, failure, return_exceptions=True)

    async def stop(self) -> None:
        await self._supervisor.stop(STOP_ORDER)

    async def _bring_up(self) -> None:
        tasks = [asyncio.create_task(part) for part in (self._mlflow(), self._gateway_parts())]
        try:
            _, (admin, made) = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._gateway(admin, made)
        python = VENV / "bin/python"
        if python.is_relative_to(ROOT):
            python = python.relative_to(ROOT)
        people = [f"    {email:<24}{made[name]}" for name, email in seed.PEOPLE.items()]
        ready = READY_TEXT.format(
            url=self._url, root=ROOT, python=python, people="\n".join(people)
        )
        print(ready, flush=True)

    async def _setup(self, *arguments: str) -> None:
        # sudo may ask for a password, so this one stays in the terminal's session.
        process = await asyncio.create_subprocess_exec(str(ROOT / "scripts/setup"), *arguments)
        try:
            if await process.wait() != 0:
                raise DemoError("the set-up failed; what it said stands above")
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()

    def _child(self, name: str, command: list[str], grace: float, **more) -> Child:
        log = LOGS / f"{name.split()[-1].lower()}.log"
        settings = {"log": log, "directory": ROOT, "environment": self._environment} | more
        return Child(name, command, grace=grace, **settings)

    # --- MLflow ------------------------------------------------------------------

    async def _mlflow(self) -> None:
        await self._install_mlflow()
        child = self._child(
            "MLflow",
            self._mlflow_command(),
            grace=10,
            directory=places.MLFLOW,
            environment=self._environment
            | {
                "MLFLOW_DISABLE_TELEMETRY": "true",
                # Its jobs take processes of their own, and no part of the demo uses them.
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            signal_group=True,
        )
        say(f"starting MLflow on 127.0.0.1:{self._ports.mlflow}")
        self._supervisor.run(child)
        await until("MLflow", child.log, answers, f"http://127.0.0.1:{self._ports.mlflow}/health")
        say("MLflow answers")

    async def _install_mlflow(self) -> None:
        log = LOGS / "setup.log"
        install = asyncio.create_task(
            self._supervisor.finish(
                self._child(
                    "installer",
                    [str(ROOT / "scripts/setup"), "mlflow"],
                    grace=2,
                    log=log,
                    environment=dict(os.environ),
                    signal_group=True,
                )
            )
        )
        started = time.monotonic()
        try:
            while not (await asyncio.wait({install}, timeout=HEARTBEAT_SECONDS))[0]:
                say(
                    f"installing MLflow into {VENV} ({time.monotonic() - started:.0f} s; log: {log})"
                )
            if install.result() != 0:
                raise DemoError(f"MLflow could not be installed; {tail(log)}")
        finally:
            install.cancel()
            await asyncio.gather(install, return_exceptions=True)

    def _mlflow_command(self) -> list[str]:
        home = places.MLFLOW
        return [
            *(str(VENV / "bin/mlflow"), "server", "--enable-workspaces"),
            *("--host", "127.0.0.1", "--port", str(self._ports.mlflow), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"),
            *("--artifacts-destination", str(home / "artifacts")),
        ]

    # --- Portcullis and its Postgres ---------------------------------------------

    async def _gateway_parts(self) -> tuple[seed.Admin, dict[str, str]]:
        binary = await self._build()
        CONFIG.write_text(CONFIG_TEXT.format(ports=self._ports, data=json.dumps(str(DATA))))
        admin = seed.Admin(binary, CONFIG, self._environment)
        say("starting Postgres")
        postgres = self._child("Postgres", admin.command("postgres"), grace=30)
        self._supervisor.run(postgres)
        await until("Postgres", postgres.log, migrated, admin)
        say("the schema is up to date; seeding")
        made = await asyncio.to_thread(self._seed, admin)
        return admin, made

    async def _build(self) -> pathlib.Path:
        say("building the release binary (minutes the first time)")
        report = LOGS / "build.json"
        report.unlink(missing_ok=True)
        command = ["cargo", "build", "--release", "--locked", "--bin", "portcullis"]
        # The report on stdout names the binary, wherever the user's cargo puts it;
        # progress goes to the terminal by stderr.
        build = self._child(
            "build",
            [
                "sh",
                "-c",
                'exec "$@" >"$0"',
                str(report),
                *command,
                "--message-format=json-render-diagnostics",
            ],
            grace=5,
            log=None,
            environment=dict(os.environ),
            signal_group=True,
        )
        if await self._supervisor.finish(build) != 0:
            raise DemoError("the build failed; what the compiler said stands above")
        return executable(report)

    def _seed(self, admin: seed.Admin) -> dict[str, str]:
        seed.seed(admin)
        kept = seed.read_env()
        made = seed.keys(admin, kept) | seed.passwords(admin, kept)
        seed.write_env(
            {
                "PORTCULLIS_URL": self._url,
                "UPSTREAM_URL": f"http://127.0.0.1:{self._ports.mlflow}",
                "DATABASE_URL": database_url(),
            }
            | made
        )
        return made

    async def _gateway(self, admin: seed.Admin, keys: dict[str, str]) -> None:
        say(f"starting the gateway on 127.0.0.1:{self._ports.gateway}")
        gateway = self._child("the gateway", admin.command("serve"), grace=20)
        self._supervisor.run(gateway)
        await until(
            "the gateway", gateway.log, answers, f"http://127.0.0.1:{self._ports.private}/readyz"
        )
        search = f"{self._url}/api/2.0/mlflow/experiments/search?max_results=1"
        # Both projects: each has a workspace of its own, which the gateway makes in MLflow.
        for name in ("ACME_EDITOR_KEY", "GLOBEX_EDITOR_KEY"):
            key = {"Authorization": f"Bearer {keys[name]}"}
            await until("MLflow through the gateway", gateway.log, answers, search, key)


def database_url(data: pathlib.Path = DATA) -> str:
    """The running Postgres, as the gateway's own role; the socket's place is in its pid file."""
    lines = (data / "postgres/data/postmaster.pid").read_text().splitlines()
    port, socket_directory = lines[3:5]
    return f"postgresql:///portcullis?host={urllib.parse.quote(socket_directory)}&port={port}&user=portcullis"


def executable(report: pathlib.Path) -> pathlib.Path:
    """The binary that cargo says it built."""
    for line in report.read_text().splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "portcullis":
            return pathlib.Path(message["executable"])
    raise DemoError(f"cargo named no binary in {report}")
