"""The processes that the demo runs: started, watched, restarted, stopped."""

import asyncio
import collections.abc
import dataclasses
import os
import pathlib
import signal
import subprocess
import time

from .console import DemoError, say, tail
from .guard import Guard, members, signal_all

# A child that lived this long had started well: its earlier deaths no longer count.
QUICK_DEATH_SECONDS = 30
MAX_QUICK_DEATHS = 5
KILL_PATIENCE_SECONDS = 5


@dataclasses.dataclass
class Child:
    """One process and its descendants, in a session of their own.

    Ctrl-C in the terminal therefore does not reach them: the demo stops them, in order.
    """

    name: str
    command: list[str]
    # None: the terminal.
    log: pathlib.Path | None
    directory: pathlib.Path
    environment: dict[str, str]
    # How long it may take to stop by itself, in seconds.
    grace: float
    # Whether SIGTERM goes to its descendants too, or to it alone as it ends them itself
    # (or, when it was killed, adopts them at its next start).
    signal_group: bool = False
    process: subprocess.Popen | None = None

    def start(self) -> None:
        # Not asyncio's own spawn: that one can be cancelled half-way and leave an orphan.
        output = self.log.open("ab") if self.log else None
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=self.directory,
            env=self.environment,
            start_new_session=True,
        )
        if output:
            output.close()

    async def wait(self) -> int:
        handle = os.pidfd_open(self.process.pid)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        return self.process.wait()

    async def stop(self) -> None:
        self._terminate()
        if await self._empty_within(self.grace):
            return
        say(f"{self.name} did not stop within {self.grace:g} s: killing it")
        for number in (signal.SIGINT, signal.SIGKILL):
            signal_all(members(self.process.pid), number)
            if await self._empty_within(KILL_PATIENCE_SECONDS):
                return

    def _terminate(self) -> None:
        try:
            if self.signal_group:
                os.killpg(self.process.pid, signal.SIGTERM)
            elif self.process.poll() is None:
                self.process.terminate()
            else:
                # A Postgres that outlived its supervisor; SIGINT is its fast shutdown.
                signal_all(members(self.process.pid), signal.SIGINT)
        except ProcessLookupError:
            pass

    async def _empty_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.process.poll() is None or members(self.process.pid):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True


class Supervisor:
    """Keeps children running, and stops them in a given order."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._children: dict[str, tuple[Child, asyncio.Task]] = {}
        self._failed: asyncio.Future = asyncio.get_running_loop().create_future()

    def run(self, child: Child) -> None:
        """Starts a child that is there to stay: one that dies is started again."""
        self._start(child)
        watch = asyncio.create_task(self._watch(child))
        watch.add_done_callback(self._report)
        self._children[child.name] = (child, watch)

    async def finish(self, child: Child) -> int:
        """Runs a child to its end and returns its exit code."""
        self._start(child)
        try:
            return await child.wait()
        finally:
            await child.stop()
            self._guard.gone(child.process.pid)

    async def failure(self) -> None:
        """Raises when a child cannot be kept running."""
        await asyncio.shield(self._failed)

    async def stop(self, order: collections.abc.Iterable[str]) -> None:
        for name in order:
            if name in self._children:
                child, watch = self._children.pop(name)
                say(f"stopping {name}")
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)
                await child.stop()
                self._guard.gone(child.process.pid)

    def _start(self, child: Child) -> None:
        child.start()
        self._guard.started(child.process.pid)

    async def _watch(self, child: Child) -> None:
        quick_deaths = 0
        while True:
            started = time.monotonic()
            status = await child.wait()
            quick = time.monotonic() - started < QUICK_DEATH_SECONDS
            quick_deaths = quick_deaths + 1 if quick else 0
            if quick_deaths >= MAX_QUICK_DEATHS:
                raise DemoError(
                    f"{child.name} died {quick_deaths} times in a row; {tail(child.log)}"
                )
            say(f"{child.name} died ({died_how(status)}), starting it again; its log: {child.log}")
            if child.signal_group:
                await child.stop()
            if not members(child.process.pid):
                self._guard.gone(child.process.pid)
            self._start(child)

    def _report(self, watch: asyncio.Task) -> None:
        if not watch.cancelled() and not self._failed.done():
            self._failed.set_exception(watch.exception())


def died_how(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
