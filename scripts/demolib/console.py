"""What the demo tells its user, and how it gives up."""

import collections
import pathlib
import sys

TAIL_LINES = 20


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


def tail(log: pathlib.Path) -> str:
    """The last lines of a log, indented, for an error message."""
    if not log.exists():
        return f"({log} does not exist)"
    with log.open(errors="replace") as lines:
        last = collections.deque(lines, maxlen=TAIL_LINES)
    return f"last lines of {log}:\n" + "".join(f"    {line}" for line in last)
