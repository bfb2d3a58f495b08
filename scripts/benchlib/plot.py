"""Bars with their spread, as SVG that reads on light and dark pages alike."""

import html
import pathlib
import re

WIDTH, LEFT, RIGHT, BAR, GAP = 760, 210, 90, 18, 8
OURS, OTHERS, INK = "#2f7d5b", "#8a94a0", "#7a828c"


def write(directory: pathlib.Path, tables: dict[str, list[dict]]) -> None:
    """One picture for each table."""
    directory.mkdir(exist_ok=True)
    for name, rows in tables.items():
        file = re.sub(r"[^a-z0-9]+", "-", name.lower()) + ".svg"
        (directory / file).write_text(picture(name, rows))


def picture(name: str, rows: list[dict]) -> str:
    rows = sorted(rows, key=lambda row: row["cpu_us"]["median"])
    scale = (WIDTH - LEFT - RIGHT) / max(row["cpu_us"]["max"] for row in rows)
    height = 40 + len(rows) * (BAR + GAP)
    bars = "".join(bar(row, 36 + at * (BAR + GAP), scale) for at, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="13" fill="{INK}">\n'
        f'<text x="0" y="18" font-size="15">CPU µs a request: {html.escape(name)}</text>\n'
        f"{bars}</svg>\n"
    )


def bar(row: dict, top: int, scale: float) -> str:
    cpu, name = row["cpu_us"], row["contender"]
    middle, text = top + BAR / 2, top + BAR - 4
    color = OURS if name.startswith("Portcullis") else OTHERS
    low, high = LEFT + cpu["min"] * scale, LEFT + cpu["max"] * scale
    return (
        f'<text x="{LEFT - 8}" y="{text}" text-anchor="end">{html.escape(name)}</text>'
        f'<rect x="{LEFT}" y="{top}" width="{cpu["median"] * scale:.1f}" height="{BAR}" fill="{color}"/>'
        f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="{INK}" stroke-width="2"/>'
        f'<text x="{high + 6:.1f}" y="{text}">{cpu["median"]:.1f}</text>\n'
    )
