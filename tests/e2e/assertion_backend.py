"""A backend that believes a signed assertion and nothing else.

Argument: its port. POST /settings says by which keys, in which header, of which issuer, for which
audience and with how much leeway; every other path answers with the claims, or 401 and why not.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

settings = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        settings.update(told, keys=jwt.PyJWKClient(told["jwks"]))
        self.answer(200, {})

    def do_GET(self):
        if self.path == "/health":
            self.answer(200, {})
            return
        tokens = self.headers.get_all(settings["header"]) or []
        try:
            (token,) = tokens
            claims = jwt.decode(
                token,
                settings["keys"].get_signing_key_from_jwt(token),
                algorithms=["ES256"],
                audience=settings["audience"],
                issuer=settings["issuer"],
                leeway=settings["leeway"],
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (ValueError, jwt.PyJWTError) as error:
            self.answer(401, {"error": repr(error)})
            return
        self.answer(200, {"claims": claims, "token": token})


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
