"""Processor time a request, in rounds in which each contender has its turn."""

import dataclasses
import statistics

from demolib.console import say

from . import load
from .contenders import BASE, Contender
from .load import Scenario

WARM_UP = 500


@dataclasses.dataclass(frozen=True)
class Sample:
    """One turn, a request: µs of the proxy's processes, of its helpers, answers a second."""

    cpu: float
    helper: float
    rate: float


def turn(contender: Contender, scenario: Scenario) -> Sample:
    before = spent(contender)
    rate = load.run(scenario, contender.url(scenario), contender.headers, scenario.requests)
    after = spent(contender)
    cpu, helper = ((b - a) * 1e6 / scenario.requests for a, b in zip(before, after))
    return Sample(cpu, helper, rate)


def spent(contender: Contender) -> tuple[float, float]:
    helper = contender.helper
    return contender.process.seconds(), helper.seconds() if helper else 0.0


def rounds(contenders: list[Contender], scenario: Scenario, count: int) -> dict[str, list[Sample]]:
    """Each round begins with another contender, so that none always follows the same one."""
    taken: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        load.run(scenario, contender.url(scenario), contender.headers, WARM_UP)
    for number in range(count):
        say(f"{scenario.name}: round {number + 1} of {count}")
        first = number % len(contenders)
        for contender in contenders[first:] + contenders[:first]:
            taken[contender.name].append(turn(contender, scenario))
    return taken


def spread(values: list[float]) -> dict[str, float]:
    """The median with the lowest and the highest."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(taken: dict[str, list[Sample]]) -> list[dict]:
    """Per contender: figures with spread, and ratios to bare Pingora of the same round."""
    base = taken[BASE]
    return [
        {
            "contender": name,
            "cpu_us": spread([sample.cpu for sample in samples]),
            "helper_cpu_us": spread([sample.helper for sample in samples]),
            "requests_per_s": spread([sample.rate for sample in samples]),
            "ratio": spread([one.cpu / bare.cpu for one, bare in zip(samples, base)]),
        }
        for name, samples in taken.items()
    ]
