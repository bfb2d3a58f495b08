"""Load by h2load: how much was asked, how soon it was answered."""

import dataclasses
import os
import pathlib
import re
import subprocess

from .processes import PASSED, BenchError

CONNECTIONS = 32
# New connections a second: slow enough that none waits for another.
NEW_A_SECOND = 500
PATIENCE_SECONDS = 300
DONE = re.compile(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded")
STATUS = re.compile(r"status codes: (\d+) 2xx")
RATE = re.compile(r"finished in [^,]*, ([\d.]+) req/s")


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What is asked for, and how."""

    body: str
    protocol: str
    connections: str
    requests: int
    path: str

    @property
    def name(self) -> str:
        return f"{self.body}, {self.protocol}, {self.connections}"


# Route 150 of 300; the backend takes the last step for the name of a file.
PATHS = {"1 KiB": "/api/v150/models/small", "64 KiB": "/api/v150/models/large"}

SCENARIOS = [
    Scenario(body, protocol, connections, requests, path)
    for connections, counts in (("kept", (20_000, 8_000)), ("new", (2_000, 2_000)))
    for protocol in ("HTTP/1.1", "HTTP/2")
    for (body, path), requests in zip(PATHS.items(), counts)
]


def run(scenario: Scenario, url: str, headers: dict[str, str], requests: int) -> float:
    """Asks this often; answers a second. Anything but 2xx ends the run."""
    shape = ["-c", str(CONNECTIONS)]
    if scenario.connections == "new":
        shape = ["-c", str(requests), "-r", str(NEW_A_SECOND)]
    return asked(scenario, url, headers, requests, shape)


def paced(scenario: Scenario, url: str, headers: dict, rate: float, log: pathlib.Path) -> list:
    """Asks at this rate for ten seconds; how long each answer took, in µs, sorted."""
    log.unlink(missing_ok=True)
    each = max(1, round(rate / CONNECTIONS))
    shape = ["-c", str(CONNECTIONS), f"--rps={each}", f"--log-file={log}"]
    # One after the other: connections that begin together ask together ever after.
    shape += ["-r", "1", "--rate-period=1ms"]
    asked(scenario, url, headers, each * CONNECTIONS * 10, shape)
    return sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())


def asked(scenario: Scenario, url: str, headers: dict, requests: int, shape: list[str]) -> float:
    command = ["h2load", "-t", "1", "-n", str(requests), *shape]
    if scenario.protocol == "HTTP/1.1":
        command.append("--h1")
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    environment = {k: v for k, v in os.environ.items() if k in PASSED}
    done = subprocess.run(
        [*command, url + scenario.path],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    told = done.stdout
    good = [int(found[1]) for found in (DONE.search(told), STATUS.search(told)) if found]
    if good != [requests, requests]:
        raise BenchError(f"{scenario.name} at {url}: not all succeeded\n{told}{done.stderr}")
    return float(RATE.search(told)[1])
