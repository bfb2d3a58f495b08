#!/usr/bin/env python3
"""Runs Portcullis in front of an unmodified MLflow: make demo.

All state is in .demo/. PORT= chooses the gateway's port (8080), PRIVATE_PORT= that of
the private listener (PORT + 1010, or any free one if that is taken). Ctrl-C or SIGTERM
stops everything; the next start keeps the data.
"""

import asyncio
import ctypes
import os
import signal
import sys

from demolib import places
from demolib.console import DemoError, say
from demolib.demo import Demo
from demolib.guard import Guard

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1
SIGNAL_LAG_SECONDS = 0.2


def follow_make() -> None:
    """Stop when the make that runs this is killed: nobody is left to stop it then."""
    if "MAKELEVEL" in os.environ:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def until_stopped(demo: Demo) -> None:
    """Runs the demo until a signal, or until it fails."""
    stop = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    running = asyncio.create_task(demo.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        # A signal to the whole group may end the set-up a moment before it is noticed here.
        await asyncio.wait({stopping}, timeout=SIGNAL_LAG_SECONDS)
        if not stop.is_set():
            running.result()
    finally:
        for task in (running, stopping):
            task.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
        await demo.stop()


async def start(guard: Guard) -> None:
    await until_stopped(Demo(guard, places.choose_ports()))


def main() -> int:
    os.chdir(places.ROOT)
    places.prepare()
    try:
        places.lock()
        places.forget_logs()
        follow_make()
        guard = Guard()
        try:
            asyncio.run(start(guard))
        finally:
            guard.dismiss()
    except KeyboardInterrupt:
        return 0
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    say(f"stopped; the data is kept in {places.STATE.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
