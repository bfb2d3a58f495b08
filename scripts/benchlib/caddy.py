"""Caddy with `forward_auth`."""

import pathlib

from demolib.guard import Guard
from demolib.places import any_free_port

from .processes import Process, until

CADDYFILE = """\
{{
    admin off
    auto_https off
    persist_config off
    servers {{
        protocols h1 h2c
    }}
}}
http://127.0.0.1:{port} {{
    bind 127.0.0.1
    forward_auth {service} {{
        uri /auth
    }}
    reverse_proxy {backend}
}}
"""


class Caddy:
    """One Caddy, on one thread."""

    def __init__(
        self, binary: pathlib.Path, directory: pathlib.Path, guard: Guard,
        backend: str, service: str,
    ) -> None:  # fmt: skip
        self.port = any_free_port()
        directory.mkdir()
        config = directory / "Caddyfile"
        config.write_text(CADDYFILE.format(port=self.port, backend=backend, service=service))
        command = [binary, "run", "--config", config, "--adapter", "caddyfile"]
        environment = {"GOMAXPROCS": "1", "HOME": str(directory)}
        self.process = Process(
            "Caddy", command, directory / "log", guard, environment=environment
        )
        until(self.process, f"http://127.0.0.1:{self.port}/api/v1/models/small")
