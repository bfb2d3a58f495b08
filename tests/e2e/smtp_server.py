"""A real SMTP server that keeps what it is sent: aiosmtpd.

    smtp_server.py MODE DIRECTORY [CERTIFICATE KEY]

MODE is `required` (STARTTLS before anything), `implicit` or `none`. With TLS a client must be
`ann` with the password `let me in`. Prints its port; ends when its input does.
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

MODE, DIRECTORY = sys.argv[1], pathlib.Path(sys.argv[2])


class Keep:
    """Each message in a file of its own."""

    count = 0

    async def handle_DATA(self, server, session, envelope):
        path = DIRECTORY / f"{self.count}.part"
        path.write_bytes(envelope.content)
        path.rename(DIRECTORY / f"{self.count}.eml")
        self.count += 1
        return "250 kept"


def authenticated(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"ann", b"let me in")
    return AuthResult(success=right, handled=False)


def protocol(tls):
    keep = Keep()
    if MODE == "none":
        return lambda: SMTP(keep)
    options = {"auth_required": True, "authenticator": authenticated}
    if MODE == "required":
        options |= {"tls_context": tls, "require_starttls": True}
    else:
        options |= {"auth_require_tls": False}
    return lambda: SMTP(keep, **options)


async def main():
    tls = None
    if MODE != "none":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(sys.argv[3], sys.argv[4])
    loop = asyncio.get_running_loop()
    wrapped = tls if MODE == "implicit" else None
    server = await loop.create_server(protocol(tls), "127.0.0.1", 0, ssl=wrapped)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
