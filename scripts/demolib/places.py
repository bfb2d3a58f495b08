"""Where the demo keeps its state, and which ports it takes."""

import dataclasses
import fcntl
import os
import pathlib
import socket
import time

from .console import DemoError

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATE = ROOT / ".demo"
LOGS = STATE / "logs"
DATA = STATE / "data"
MLFLOW = STATE / "mlflow"
CONFIG = STATE / "portcullis.yaml"
ENV = STATE / "env"
CACHE = pathlib.Path(os.environ.get("PORTCULLIS_CACHE") or ROOT / ".cache").resolve()
VENV = CACHE / "mlflow-venv"

# Added to PORT for the private listener: 8080 gives 9090, the gateway's own default.
PRIVATE_PORT_OFFSET = 1010
LAST_PORT = 65535
# How long a start waits for a demo that was killed and is being cleaned up.
LOCK_PATIENCE_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Ports:
    """All on 127.0.0.1."""

    gateway: int
    private: int
    mlflow: int


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without it a port in TIME_WAIT would count as taken; a listener still does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_from(variable: str, default: int | None) -> int | None:
    text = os.environ.get(variable)
    if not text:
        return default
    if not text.isdecimal() or not 0 < int(text) <= LAST_PORT:
        raise DemoError(f"{variable}={text} is not a port: use 1 to {LAST_PORT}")
    return int(text)


def demanded(port: int, variable: str) -> int:
    if not is_free(port):
        raise DemoError(
            f"port {port} on 127.0.0.1 is in use (or may not be taken); "
            f"choose another one: make demo {variable}={any_free_port()}"
        )
    return port


def private_port(gateway: int) -> int:
    chosen = port_from("PRIVATE_PORT", None)
    if chosen is not None:
        return demanded(chosen, "PRIVATE_PORT")
    usual = gateway + PRIVATE_PORT_OFFSET
    return usual if usual <= LAST_PORT and is_free(usual) else any_free_port()


def mlflow_port() -> int:
    """The port of the last start if it is still free, so that bookmarks stay good."""
    kept = STATE / "mlflow.port"
    if kept.exists() and is_free(int(kept.read_text())):
        return int(kept.read_text())
    port = any_free_port()
    kept.write_text(f"{port}\n")
    return port


def choose_ports() -> Ports:
    gateway = demanded(port_from("PORT", 8080), "PORT")
    return Ports(gateway, private_port(gateway), mlflow_port())


def prepare() -> None:
    for directory in (STATE, LOGS, DATA, MLFLOW):
        directory.mkdir(exist_ok=True)


def forget_logs() -> None:
    """Each start has logs of its own, so that their ends tell of this start."""
    for log in LOGS.iterdir():
        log.unlink()


def lock() -> int:
    """Takes .demo/lock until all that this demo started is gone; returns its descriptor."""
    descriptor = os.open(STATE / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip()
            if (
                not holder
                or pathlib.Path(f"/proc/{holder}").exists()
                or time.monotonic() > deadline
            ):
                raise DemoError(
                    f"a demo is already running here (process {holder}); stop it with: kill {holder}"
                ) from None
            time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
