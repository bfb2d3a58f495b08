"""The tenants, users and keys of the demo; made once, kept over restarts."""

import json
import os
import pathlib
import re
import secrets
import shlex
import subprocess

from .console import DemoError, say
from .places import ENV

CONFLICT = 6  # portcullis' exit code for "already exists"

USERS = (
    "admin@example.com",
    "owner@acme.example",
    "editor@acme.example",
    "viewer@acme.example",
    "owner@globex.example",
    "editor@globex.example",
)

STEPS = (
    *(["users", "create", email] for email in USERS),
    ["tenants", "create", "acme", "--name", "Acme"],
    ["tenants", "create", "globex", "--name", "Globex"],
    ["projects", "create", "acme/fraud", "--owner", "owner@acme.example"],
    ["projects", "create", "globex/churn", "--owner", "owner@globex.example"],
    *(
        ["members", "add", "--scope", scope, "--principal", email, "--role", role]
        for scope, email, role in (
            ("platform", "admin@example.com", "superadmin"),
            ("acme/fraud", "editor@acme.example", "editor"),
            ("acme/fraud", "viewer@acme.example", "viewer"),
            ("globex/churn", "editor@globex.example", "editor"),
        )
    ),
)

KEYS = {
    "ADMIN_KEY": "admin@example.com",
    "ACME_OWNER_KEY": "owner@acme.example",
    "ACME_EDITOR_KEY": "editor@acme.example",
    "ACME_VIEWER_KEY": "viewer@acme.example",
    "GLOBEX_EDITOR_KEY": "editor@globex.example",
}

PEOPLE = {
    "ADMIN_PASSWORD": "admin@example.com",
    "ACME_OWNER_PASSWORD": "owner@acme.example",
    "ACME_EDITOR_PASSWORD": "editor@acme.example",
    "ACME_VIEWER_PASSWORD": "viewer@acme.example",
    "GLOBEX_EDITOR_PASSWORD": "editor@globex.example",
}

KEY_ID = re.compile(r"^pcl_live_([0-9A-Za-z]+)_")


class Admin:
    """The gateway's own command line, with the demo's configuration."""

    def __init__(
        self, binary: pathlib.Path, config: pathlib.Path, environment: dict[str, str]
    ) -> None:
        self._base = [str(binary), "--config", str(config)]
        self._environment = environment

    def command(self, *arguments: str) -> list[str]:
        return [*self._base, *arguments]

    def call(self, *arguments: str, told: str = "") -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*arguments),
            env=self._environment,
            input=told,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def must(self, *arguments: str, told: str = "", tolerate: tuple[int, ...] = ()) -> str:
        done = self.call(*arguments, told=told)
        if done.returncode not in (0, *tolerate):
            raise DemoError(
                f"portcullis {shlex.join(arguments)}: exit code {done.returncode}\n{done.stderr.rstrip()}"
            )
        return done.stdout.strip()


def seed(admin: Admin) -> None:
    for step in STEPS:
        admin.must(*step, tolerate=(CONFLICT,))


def living_key_ids(admin: Admin) -> set[str]:
    return {
        key["id"]
        for key in json.loads(admin.must("--json", "keys", "list"))
        if not key["revoked_at"]
    }


def keys(admin: Admin, kept: dict[str, str]) -> dict[str, str]:
    """The keys of the last start as far as they still live, new ones for the rest."""
    living = living_key_ids(admin)
    result = {}
    for name, email in KEYS.items():
        found = KEY_ID.match(kept.get(name, ""))
        if found and found.group(1) in living:
            result[name] = kept[name]
        else:
            say(f"making a key for {email}")
            result[name] = admin.must(
                "keys", "create", "--principal", email, "--description", "make demo"
            )
    return result


def passwords(admin: Admin, kept: dict[str, str]) -> dict[str, str]:
    """The passwords of the last start; random ones at the first."""
    result = {}
    for name, email in PEOPLE.items():
        result[name] = kept.get(name) or secrets.token_urlsafe(12)
        if name not in kept:
            admin.must("users", "set-password", email, told=result[name])
    return result


def read_env(path: pathlib.Path = ENV) -> dict[str, str]:
    if not path.exists():
        return {}
    words = shlex.split(path.read_text(), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def write_env(values: dict[str, str], path: pathlib.Path = ENV) -> None:
    """Readable by its owner only from the first byte: it holds keys."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("# Written by scripts/demo.py. Use: . .demo/env\n")
        file.writelines(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    part.replace(path)
