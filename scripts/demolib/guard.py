"""Cleans up when the demo itself is killed without a chance to do so.

A small process, forked before anything else, holds one end of a pipe and the list of
the sessions that the demo started. When the pipe closes, it ends what is left, the
last started first. It also keeps the demo's lock until then.
"""

import contextlib
import os
import pathlib
import signal
import time

# From the end of a request to stop to the next, harder one.
GRACE_SECONDS = 30
KILL_SECONDS = 5


def members(session: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything: state, parent, group, session.
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found.append(int(stat.parent.name))
    return found


def signal_all(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def end_session(session: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, signal.SIGTERM)
    # SIGINT second: it is what makes a Postgres that lost its supervisor stop at once.
    for number, patience in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        if wait_until_empty(session, patience):
            return
        signal_all(members(session), number)
    wait_until_empty(session, KILL_SECONDS)


def wait_until_empty(session: int, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while members(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Guard:
    """Tells the guarding process which sessions live."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._writer)
            self._watch(reader)
        os.close(reader)

    def started(self, session: int) -> None:
        os.write(self._writer, f"+{session}\n".encode())

    def gone(self, session: int) -> None:
        os.write(self._writer, f"-{session}\n".encode())

    def dismiss(self) -> None:
        os.close(self._writer)
        os.waitpid(self._process, 0)

    @staticmethod
    def _watch(reader: int) -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        sessions: dict[int, None] = {}
        with os.fdopen(reader) as news:
            for line in news:
                if line.startswith("+"):
                    sessions[int(line)] = None
                else:
                    sessions.pop(-int(line), None)
        for session in reversed(sessions):
            end_session(session)
        os._exit(0)
