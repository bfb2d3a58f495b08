"""Processes of a run: started, timed, ended."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

from demolib.console import tail
from demolib.guard import Guard, members, signal_all

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 120
STOP_SECONDS = 30
# Nobody's proxy, certificates or library switches come along.
PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "USER")


class BenchError(Exception):
    """The run cannot go on; the text says why."""


class Process:
    """A program and its descendants, in a session of their own."""

    def __init__(self, name: str, command: list, log: pathlib.Path, guard: Guard, **more) -> None:
        self.name = name
        self.log = log
        environment = {k: v for k, v in os.environ.items() if k in PASSED}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment | more.get("environment", {}),
                cwd=more.get("directory"),
                start_new_session=True,
            )
        self._guard = guard
        guard.started(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def members(self) -> list[int]:
        return members(self.pid)

    def seconds(self) -> float:
        """Processor time so far, user and system, of all its processes."""
        return sum(seconds_of(pid) for pid in self.members())

    def check(self) -> None:
        if self._process.poll() is not None:
            raise BenchError(f"{self.name} has ended; {tail(self.log)}")

    def stop(self) -> None:
        """Asks the first process, which ends the others; then all of them, less politely."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            if self._process.poll() is None and number == signal.SIGTERM:
                self._process.terminate()
            else:
                signal_all(self.members(), number)
            if self._gone(STOP_SECONDS):
                break
        self._guard.gone(self.pid)

    def _gone(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while self._process.poll() is None or self.members():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def seconds_of(pid: int) -> float:
    """User and system time of one process; threads that ended are in it."""
    with contextlib.suppress(OSError):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    return 0.0


def memory_of(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def status_of(url: str, headers: dict | None = None) -> int:
    """The status of a GET; 0 if nobody answers. A proxy of the user's is not asked."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url, headers=headers or {}), timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def until(process: Process, url: str, headers: dict | None = None) -> None:
    """Polls until the URL is answered with 200."""
    deadline = time.monotonic() + START_SECONDS
    while (status := status_of(url, headers)) != 200:
        process.check()
        if time.monotonic() > deadline:
            raise BenchError(f"{process.name} answers {url} with {status}; {tail(process.log)}")
        time.sleep(0.02)
