"""Portcullis: its PostgreSQL, what is in it, and a gateway with 300 routes."""

import pathlib
import re
import time
import urllib.parse
import urllib.request

from demolib.console import tail
from demolib.demo import database_url
from demolib.guard import Guard
from demolib.places import any_free_port
from demolib.probes import migrated
from demolib.seed import Admin

from .processes import START_SECONDS, BenchError, Process, memory_of, until

ROUTES = 300
PASSWORD = "a long one for the bench"

STATE = """\
version: 1
data_dir: {data}
"""

GATEWAY = """\
version: 1
listen: 127.0.0.1:{port}
private_listen: 127.0.0.1:{private}
data_dir: {data}
database: {{ url: "{url}" }}
workers: 1
sign_in: {{}}
upstreams:
  app: {{ url: "http://{backend}" }}
"""

MODELS = """\
resources:
  - { type: model, upstream: app, owner: backend }
routes:
"""

ROUTE = """\
  - route: GET /api/v{number}/models/{{id}}
    upstream: app
    permission: models:read
    resource: {{ type: model, id: path.id }}
    event: model.read
"""

STEPS = (
    ("users", "create", "owner@bench.example"),
    ("users", "create", "viewer@bench.example"),
    ("tenants", "create", "bench", "--name", "Bench"),
    ("projects", "create", "bench/one", "--owner", "owner@bench.example"),
    ("members", "add", "--scope", "bench/one", "--principal", "viewer@bench.example")
    + ("--role", "viewer"),
)


class Postgres:
    """The PostgreSQL that events go to, as `portcullis postgres` runs it."""

    def __init__(self, binary: pathlib.Path, directory: pathlib.Path, guard: Guard) -> None:
        directory.mkdir()
        directory.chmod(0o755)
        config = directory / "state.yaml"
        config.write_text(STATE.format(data=directory / "state"))
        self.admin = Admin(binary, config, {})
        command = self.admin.command("postgres")
        self.process = Process("PostgreSQL", command, directory / "log", guard)
        deadline = time.monotonic() + START_SECONDS
        while not migrated(self.admin):
            self.process.check()
            if time.monotonic() > deadline:
                raise BenchError(f"PostgreSQL does not answer; {tail(self.process.log)}")
            time.sleep(0.1)
        for step in STEPS:
            self.admin.must(*step)
        self.admin.must("users", "set-password", "viewer@bench.example", told=PASSWORD)
        self.url = database_url(directory / "state")

    def key(self) -> str:
        made = ("keys", "create", "--principal", "viewer@bench.example", "--description", "bench")
        return self.admin.must(*made)


class Gateway:
    """One gateway with one worker, before the backend."""

    def __init__(
        self, binary: pathlib.Path, directory: pathlib.Path, guard: Guard,
        postgres: Postgres, backend: str, routes: str | None = None,
    ) -> None:  # fmt: skip
        self.port, self._private = any_free_port(), any_free_port()
        directory.mkdir()
        places = {
            "port": self.port, "private": self._private, "data": directory / "data",
            "url": postgres.url, "backend": backend,
        }  # fmt: skip
        if routes is None:
            routes = MODELS + "".join(ROUTE.format(number=number) for number in range(ROUTES))
        config = directory / "portcullis.yaml"
        config.write_text(GATEWAY.format(**places) + routes)
        command = [binary, "--config", config, "serve"]
        began = time.monotonic()
        self.process = Process("Portcullis", command, directory / "log", guard)
        until(self.process, f"http://127.0.0.1:{self._private}/readyz")
        self.ready_after = time.monotonic() - began

    def sign_in(self) -> str:
        """Signs the viewer in, as the form does; the cookie."""
        form = {"email": "viewer@bench.example", "password": PASSWORD, "return": "/"}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/.portcullis/sign-in",
            urllib.parse.urlencode(form).encode(),
            {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"},
        )
        answer = Direct().open(request, timeout=30)
        cookie = re.match(r"portcullis-dev=[^;]+", answer.headers.get("Set-Cookie", ""))
        if not cookie:
            raise BenchError(f"signing in gave no cookie, but {answer.status}")
        return cookie[0]

    def events_sent(self) -> int:
        """Audit events that are in PostgreSQL, once none is left in the spool."""
        while (told := self._metrics())["portcullis_audit_spool_events"]:
            self.process.check()
            time.sleep(0.1)
        return int(told["portcullis_audit_sent_events"])

    def memory(self) -> float:
        """Resident, in MiB."""
        return memory_of(self.process.pid)

    def _metrics(self) -> dict[str, float]:
        with Direct().open(f"http://127.0.0.1:{self._private}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


class Direct:
    """Asks without a proxy of the user's, and follows nothing."""

    class _Stay(urllib.request.HTTPErrorProcessor):
        def http_response(self, request, response):
            return response

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), self._Stay)

    def open(self, request, timeout: float):
        return self._opener.open(request, timeout=timeout)
