"""The emulators of GitHub and of Google (oauth-mocks), with what they leave out.

Arguments: the port of either. Google's names itself as it does in earnest, wherever it runs, and has
no accounts of a Workspace; it says that it takes a client's secret in a header, and does not.
GitHub's has no teams. An address of `acme.example` is of the organization and the Workspace of Acme.
"""

import importlib
import sys
import threading

import jwt
import uvicorn

github = importlib.import_module("oauth_mocks.github.app")
google = importlib.import_module("oauth_mocks.google.app")
auth = importlib.import_module("oauth_mocks.google.auth")

github_port, google_port = map(int, sys.argv[1:])
auth.ISSUER = google.ISSUER = f"http://127.0.0.1:{google_port}"


def is_of_acme(email):
    return email.endswith("@acme.example")


def encode(payload, *rest, **named):
    if is_of_acme(payload["email"]):
        payload = {**payload, "hd": "acme.example"}
    return jwt.encode(payload, *rest, **named)


class Jwt:
    encode = staticmethod(encode)


auth.jwt = Jwt


def taken_over(app, path):
    """Forgets what the emulator answers there."""
    app.router.routes[:] = [it for it in app.router.routes if getattr(it, "path", "") != path]
    return app.get(path)


document = google.openid_configuration


@taken_over(google.app, "/.well-known/openid-configuration")
def openid_configuration(request: google.Request):
    told = document(request)
    return {**told, "token_endpoint_auth_methods_supported": ["client_secret_post"]}


def of(authorization):
    return github.extract_email_from_auth(authorization)


@taken_over(github.app, "/api/v3/user/orgs")
def orgs(authorization: github.Annotated[str | None, github.Header()] = None):
    return [{"login": "acme"}] if is_of_acme(of(authorization)) else []


@github.app.get("/api/v3/user/teams")
def teams(authorization: github.Annotated[str | None, github.Header()] = None):
    organization = {"login": "acme"}
    return [{"slug": "ml", "organization": organization}] if is_of_acme(of(authorization)) else []


def serve(app, port):
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


threading.Thread(target=serve, args=(google.app, google_port), daemon=True).start()
serve(github.app, github_port)
