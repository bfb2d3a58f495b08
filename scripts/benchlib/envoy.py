"""Envoy: as a proxy alone, and with a token verified and 300 policies."""

import base64
import json
import pathlib
import subprocess
import time

from demolib.guard import Guard
from demolib.places import any_free_port

from .processes import Process, until

POLICIES = 300
JWT_FILTER = "envoy.filters.http.jwt_authn"
HTTP = "type.googleapis.com/envoy.extensions.filters.http"


class Envoy:
    """One Envoy with one worker thread."""

    def __init__(
        self, name: str, binary: pathlib.Path, directory: pathlib.Path, guard: Guard,
        backend: str, checks: list[dict], headers: dict[str, str],
    ) -> None:  # fmt: skip
        self.port, self.headers = any_free_port(), headers
        directory.mkdir()
        config = directory / "envoy.json"
        config.write_text(json.dumps(bootstrap(self.port, backend, checks)))
        command = [binary, "-c", config, "--concurrency", "1", "--disable-hot-restart"]
        command += ["--log-level", "warning"]
        self.process = Process(name, command, directory / "log", guard)
        until(self.process, f"http://127.0.0.1:{self.port}/api/v1/models/small", headers)


def socket_address(address: str) -> dict:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def bootstrap(port: int, backend: str, checks: list[dict]) -> dict:
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network"
        ".http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "AUTO",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend"}}],
                }
            ]
        },
        "http_filters": [
            *checks,
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{HTTP}.router.v3.Router"},
            },
        ],
    }
    manager_filter = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": manager,
    }
    endpoint = {"endpoint": {"address": socket_address(backend)}}
    return {
        "static_resources": {
            "listeners": [
                {
                    "name": "listener",
                    "address": socket_address(f"127.0.0.1:{port}"),
                    "filter_chains": [{"filters": [manager_filter]}],
                }
            ],
            "clusters": [
                {
                    "name": "backend",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "backend",
                        "endpoints": [{"lb_endpoints": [endpoint]}],
                    },
                }
            ],
        }
    }


def proxy(binary: pathlib.Path, directory: pathlib.Path, guard: Guard, backend: str) -> Envoy:
    return Envoy("Envoy", binary, directory, guard, backend, [], {})


def checking(binary: pathlib.Path, directory: pathlib.Path, guard: Guard, backend: str) -> Envoy:
    """A token (RS256) is verified, and one of 300 policies permits what it says."""
    jwks, token = signed(directory.with_suffix(".key"))
    checks = [jwt_authn(jwks), rbac()]
    headers = {"authorization": f"Bearer {token}"}
    name = "Envoy with jwt_authn and rbac"
    return Envoy(name, binary, directory, guard, backend, checks, headers)


def jwt_authn(jwks: str) -> dict:
    provider = {
        "issuer": "bench",
        "audiences": ["bench"],
        "local_jwks": {"inline_string": jwks},
        "payload_in_metadata": "payload",
    }
    rule = {"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}
    config = {
        "@type": f"{HTTP}.jwt_authn.v3.JwtAuthentication",
        "providers": {"bench": provider},
        "rules": [rule],
    }
    return {"name": JWT_FILTER, "typed_config": config}


def rbac() -> dict:
    """A policy for each route, as Portcullis has them: a method, a path, a role."""
    path = [{"key": "payload"}, {"key": "role"}]
    viewer = {"value": {"string_match": {"exact": "viewer"}}, "path": path, "filter": JWT_FILTER}
    get = {"header": {"name": ":method", "string_match": {"exact": "GET"}}}
    policies = {}
    for number in range(POLICIES):
        under = {"url_path": {"path": {"prefix": f"/api/v{number}/models/"}}}
        policies[f"policy-{number}"] = {
            "permissions": [{"and_rules": {"rules": [get, under]}}],
            "principals": [{"metadata": viewer}],
        }
    config = {"@type": f"{HTTP}.rbac.v3.RBAC", "rules": {"action": "ALLOW", "policies": policies}}
    return {"name": "envoy.filters.http.rbac", "typed_config": config}


def signed(key: pathlib.Path) -> tuple[str, str]:
    """A key set, and a token that its key signed."""
    openssl("genrsa", "-out", str(key), "2048")
    modulus = openssl("rsa", "-in", str(key), "-noout", "-modulus").decode().split("=")[1]
    jwk = {
        "kty": "RSA", "alg": "RS256", "kid": "bench",
        "n": base64url(bytes.fromhex(modulus.strip())), "e": "AQAB",
    }  # fmt: skip
    claims = {"iss": "bench", "aud": "bench", "sub": "viewer", "role": "viewer"}
    claims["exp"] = int(time.time()) + 86_400
    parts = ({"alg": "RS256", "typ": "JWT", "kid": "bench"}, claims)
    message = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    signature = openssl("dgst", "-sha256", "-sign", str(key), told=message.encode())
    return json.dumps({"keys": [jwk]}), f"{message}.{base64url(signature)}"


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*arguments: str, told: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=told, capture_output=True, check=True)
    return done.stdout
