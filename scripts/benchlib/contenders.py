"""Who is measured: each before the same backend, on one thread, checking what it checks.

A new one is a function that starts it, and a line in `start_all`.
"""

import dataclasses
import pathlib

from demolib.guard import Guard
from demolib.places import any_free_port

from . import caddy, envoy, nginx
from .load import Scenario
from .portcullis import Gateway, Postgres
from .processes import Process, until

BASE = "bare Pingora"


@dataclasses.dataclass
class Contender:
    """One proxy, ready."""

    name: str
    process: Process
    port: int
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    # Of HTTP/2, where that has a port of its own.
    http2_port: int | None = None
    # What works for it: an authorization service. (PostgreSQL, which takes sessions of its own for
    # its processes, is not timed.)
    helper: Process | None = None

    def url(self, scenario: Scenario) -> str:
        own = self.http2_port if scenario.protocol == "HTTP/2" else None
        return f"http://127.0.0.1:{own or self.port}"


@dataclasses.dataclass(frozen=True)
class Programs:
    """What was built and installed."""

    portcullis: pathlib.Path
    pingora: pathlib.Path
    envoy: pathlib.Path
    caddy: pathlib.Path


class Field:
    """All contenders, and what they need."""

    def __init__(self, programs: Programs, directory: pathlib.Path, guard: Guard) -> None:
        self._programs, self._directory, self._guard = programs, directory, guard
        self.backend = nginx.backend(directory / "backend", guard)
        self.postgres = Postgres(programs.portcullis, directory / "postgres", guard)
        self.gateway = self.another_gateway("gateway")
        self.contenders = self._start_all()

    def another_gateway(self, name: str) -> Gateway:
        """A gateway on the same database."""
        binary, directory = self._programs.portcullis, self._directory / name
        return Gateway(binary, directory, self._guard, self.postgres, self.backend.address)

    def _start_all(self) -> list[Contender]:
        return [
            self._pingora(BASE),
            *self._portcullis(),
            self._pingora("bare Pingora, work stealing", "work-stealing"),
            *self._nginx(),
            *self._envoy(),
            self._caddy(),
        ]

    def _portcullis(self) -> list[Contender]:
        ways = {
            "Portcullis, API key": {"authorization": f"Bearer {self.postgres.key()}"},
            "Portcullis, session": {"cookie": self.gateway.sign_in()},
        }
        gateway = self.gateway
        return [
            Contender(name, gateway.process, gateway.port, headers)
            for name, headers in ways.items()
        ]

    def _pingora(self, name: str, *more: str) -> Contender:
        port = any_free_port()
        command = [self._programs.pingora, f"127.0.0.1:{port}", self.backend.address, "1", *more]
        log = self._directory / f"pingora{'-stealing' if more else ''}.log"
        process = Process(name, command, log, self._guard)
        until(process, f"http://127.0.0.1:{port}/api/v1/models/small")
        return Contender(name, process, port)

    def _nginx(self) -> list[Contender]:
        guard, at = self._guard, self.backend.address
        self._permits = nginx.permits(self._directory / "permits", guard)
        plain = nginx.proxy(self._directory / "nginx", guard, at)
        service = self._permits.address
        asking = nginx.auth_request(self._directory / "auth_request", guard, at, service)
        helper = self._permits.process
        return [
            Contender("nginx", plain.process, plain.port, http2_port=plain.http2),
            Contender(
                "nginx, auth_request",
                asking.process,
                asking.port,
                http2_port=asking.http2,
                helper=helper,
            ),
        ]

    def _envoy(self) -> list[Contender]:
        binary, at = self._programs.envoy, self.backend.address
        plain = envoy.proxy(binary, self._directory / "envoy", self._guard, at)
        checks = envoy.checking(binary, self._directory / "envoy-checks", self._guard, at)
        return [
            Contender("Envoy", plain.process, plain.port),
            Contender("Envoy, jwt_authn + rbac", checks.process, checks.port, checks.headers),
        ]

    def _caddy(self) -> Contender:
        service = self._permits.address
        directory, at = self._directory / "caddy", self.backend.address
        one = caddy.Caddy(self._programs.caddy, directory, self._guard, at, service)
        name = "Caddy, forward_auth"
        return Contender(name, one.process, one.port, helper=self._permits.process)

    def processes(self) -> list[Process]:
        """All of them, in the order in which they may be stopped."""
        proxies = {id(it.process): it.process for it in self.contenders}
        helpers = [self._permits.process, self.postgres.process, self.backend.process]
        return [*proxies.values(), *helpers]
