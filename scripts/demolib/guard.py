"""Cleans up when the demo itself is killed without a chance to do so.

A small process, forked before anything else, holds one end of a pipe and the list of
the process groups that the demo started. When the pipe closes, it ends what is left,
the last started first. It also keeps the demo's lock until then.
"""

import os
import signal
import time

GRACE_SECONDS = 10


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def end_group(group: int, grace: float = GRACE_SECONDS) -> None:
    """SIGTERM to all of the group, SIGKILL to what is left of it after the grace."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 2)):
        deadline = time.monotonic() + patience
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            return
        while group_exists(group) and time.monotonic() < deadline:
            time.sleep(0.05)


class Guard:
    """Tells the guarding process which groups live."""

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._writer)
            self._watch(reader)
        os.close(reader)

    def started(self, group: int) -> None:
        os.write(self._writer, f"+{group}\n".encode())

    def gone(self, group: int) -> None:
        os.write(self._writer, f"-{group}\n".encode())

    def dismiss(self) -> None:
        os.close(self._writer)
        os.waitpid(self._process, 0)

    @staticmethod
    def _watch(reader: int) -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        groups: dict[int, None] = {}
        with os.fdopen(reader) as news:
            for line in news:
                if line.startswith("+"):
                    groups[int(line)] = None
                else:
                    groups.pop(-int(line), None)
        for group in reversed(groups):
            end_group(group)
        os._exit(0)
