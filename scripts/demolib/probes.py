"""Whether the parts answer yet."""

import asyncio
import pathlib
import time
import urllib.request

from .console import DemoError, say, tail
from .seed import Admin

UNREACHABLE = 4  # portcullis' exit code for "no database"
START_SECONDS = 120
HEARTBEAT_SECONDS = 10


def answers(url: str, headers: dict[str, str] | None = None) -> bool:
    """Whether a GET is answered with 200; a proxy of the user's is not asked."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with direct.open(request, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


async def until(what: str, log: pathlib.Path, probe, *arguments) -> None:
    """Polls until the probe says yes; says that it still waits, and gives up in the end."""
    started = time.monotonic()
    said = 0
    while not await asyncio.to_thread(probe, *arguments):
        waited = time.monotonic() - started
        if waited > START_SECONDS:
            raise DemoError(f"{what} does not answer after {START_SECONDS} s; {tail(log)}")
        if waited // HEARTBEAT_SECONDS > said:
            said = waited // HEARTBEAT_SECONDS
            say(f"waiting for {what} ({waited:.0f} s)")
        await asyncio.sleep(0.1)


def migrated(admin: Admin) -> bool:
    """Brings the schema up to date, unless the database does not answer yet."""
    done = admin.call("migrate")
    if done.returncode not in (0, UNREACHABLE):
        raise DemoError(f"portcullis migrate: exit code {done.returncode}\n{done.stderr.rstrip()}")
    return done.returncode == 0
