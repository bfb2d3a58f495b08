"""What was aimed at, beside what was measured."""

from .figures import KEY

FIRST = "1 KiB, HTTP/1.1, kept"


def of(report: dict) -> list[dict]:
    """Each target with its figure, met or not; those that this run did not measure are left out."""
    rows = [*ratios(report.get("cpu", {}).get(FIRST, [])), *others(report)]
    return [
        {"target": name, "limit": limit, "measured": round(value, 3), "met": value <= limit}
        for name, limit, value in rows
    ]


def ratios(table: list[dict]) -> list[tuple]:
    cpu = {row["contender"]: row["cpu_us"]["median"] for row in table}
    limits = (("bare Pingora", 1.25), ("nginx, auth_request", 0.5), ("Envoy, jwt_authn + rbac", 0.35))
    return [
        (f"CPU time with an API key / {name}", limit, cpu[KEY] / cpu[name])
        for name, limit in limits
        if KEY in cpu and name in cpu
    ]


def others(report: dict) -> list[tuple]:
    rows = []
    if latency := report.get("latency"):
        added = latency["added"]
        rows += [
            ("added latency at half load, p50, µs", 100, added["p50_over_no_proxy_us"]),
            ("added latency at half load, p99, µs", 600, added["p99_over_no_proxy_us"]),
        ]
    if start := report.get("start"):
        rows += [
            ("start to ready on a warm database, the slowest, s", 1.0, start["ready_after_s"]["max"]),
            ("idle memory, MiB", 64, start["idle_memory_mib"]),
        ]
    return rows
