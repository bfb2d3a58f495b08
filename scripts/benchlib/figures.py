"""What is measured of Portcullis beside processor time: latency, start, size, memory."""

import pathlib
import statistics
import time

from demolib.console import say

from . import load
from .contenders import BASE, Contender, Field
from .load import SCENARIOS

STARTS = 5
IDLE_SECONDS = 5
KEY = "Portcullis, API key"
DIRECT = "no proxy"
MIB = 1 << 20


def latency(field: Field, directory: pathlib.Path, count: int) -> dict:
    """Asks at half of what Portcullis can take: what it adds to the backend's own answer."""
    scenario = SCENARIOS[0]
    nobody = Contender(DIRECT, field.backend.process, field.backend.port)
    asked = [nobody, *(it for it in field.contenders if it.name in (BASE, KEY))]
    gateway = asked[-1]
    most = load.run(scenario, gateway.url(scenario), gateway.headers, scenario.requests)
    taken: dict[str, list] = {one.name: [] for one in asked}
    for number in range(count):
        say(f"latency at half load ({most / 2:.0f} requests/s): round {number + 1} of {count}")
        for one in asked:
            times = load.paced(
                scenario, one.url(scenario), one.headers, most / 2, directory / "times"
            )
            taken[one.name].append((quantile(times, 0.5), quantile(times, 0.99)))
    told = {
        name: {"p50_us": median(pairs, 0), "p99_us": median(pairs, 1)}
        for name, pairs in taken.items()
    }
    added = {
        f"{what}_over_{name}_us": told[KEY][f"{what}_us"] - told[of][f"{what}_us"]
        for what in ("p50", "p99")
        for name, of in (("no_proxy", DIRECT), ("bare_pingora", BASE))
    }
    return {"requests_per_s": round(most / 2), "of": told, "added": added}


def quantile(times: list[int], share: float) -> int:
    return times[min(len(times) - 1, int(len(times) * share))]


def median(pairs: list[tuple], at: int) -> float:
    return statistics.median(pair[at] for pair in pairs)


def start(field: Field, binary: pathlib.Path) -> dict:
    """From `serve` to ready on a warm database, memory then, the binary's size."""
    ready, memory = [], []
    for number in range(STARTS):
        say(f"start {number + 1} of {STARTS}")
        gateway = field.another_gateway(f"start-{number}")
        ready.append(gateway.ready_after)
        if number == STARTS - 1:
            time.sleep(IDLE_SECONDS)
        memory.append(gateway.memory())
        gateway.process.stop()
    return {
        "ready_after_s": {"median": statistics.median(ready), "max": max(ready)},
        "idle_memory_mib": memory[-1],
        "memory_after_load_mib": field.gateway.memory(),
        "binary_mib": binary.stat().st_size / MIB,
    }
