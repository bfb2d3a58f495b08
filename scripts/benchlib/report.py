"""The report as Markdown."""

HEAD = "| | CPU µs a request | spread | of helpers | ÷ bare Pingora | requests/s |\n"
RULE = "|---|---:|---:|---:|---:|---:|\n"


def markdown(report: dict) -> str:
    """All tables of a report."""
    machine = report["machine"]
    parts = [
        "# Portcullis beside others\n",
        f"{machine['at']}, {machine['cores']} cores, {machine['cpu']}, load before "
        f"{machine['load']}; profile `{machine['profile']}`; {report['rounds']} rounds; "
        + ", ".join(machine["versions"])
        + ".\n",
        targets(report["targets"]),
    ]
    parts += [table(name, rows) for name, rows in report.get("cpu", {}).items()]
    if "latency" in report:
        parts.append(latency(report["latency"]))
    if "start" in report:
        parts.append(start(report["start"]))
    return "\n".join(parts)


def targets(rows: list[dict]) -> str:
    lines = [
        f"| {row['target']} | {row['limit']} | {row['measured']:.3g} | {'yes' if row['met'] else 'no'} |"
        for row in rows
    ]
    return "\n".join(["## Targets\n", "| | at most | measured | met |", "|---|---:|---:|---|", *lines, ""])


def table(name: str, rows: list[dict]) -> str:
    return f"## {name}\n\n{HEAD}{RULE}" + "".join(line(row) for row in rows)


def line(row: dict) -> str:
    cpu, ratio = row["cpu_us"], row["ratio"]
    helper = row["helper_cpu_us"]["median"]
    return (
        f"| {row['contender']} | {cpu['median']:.1f} | {cpu['min']:.1f}–{cpu['max']:.1f} "
        f"| {f'{helper:.1f}' if helper else ''} "
        f"| {ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f}) "
        f"| {row['requests_per_s']['median']:.0f} |\n"
    )


def latency(told: dict) -> str:
    lines = [
        f"| {name} | {times['p50_us']:.0f} | {times['p99_us']:.0f} |"
        for name, times in told["of"].items()
    ]
    title = f"## Latency at {told['requests_per_s']} requests/s, half of what one thread can take\n"
    return "\n".join([title, "| | p50 µs | p99 µs |", "|---|---:|---:|", *lines, ""])


def start(told: dict) -> str:
    ready = told["ready_after_s"]
    return (
        "## Start, memory, size\n\n"
        f"- `serve` to ready on a warm database: {ready['median']:.2f} s, at most {ready['max']:.2f} s\n"
        f"- memory, idle: {told['idle_memory_mib']:.0f} MiB; "
        f"after the load above: {told['memory_after_load_mib']:.0f} MiB\n"
        f"- the binary: {told['binary_mib']:.1f} MiB\n"
    )
