"""The machine a figure was measured on: without it, a figure says nothing."""

import os
import platform
from pathlib import Path

import psutil


def describe() -> str:
    """One line: processor, cores, memory, system, Python."""
    model = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    gibibytes = psutil.virtual_memory().total / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {gibibytes:.0f} GiB, {platform.system()}"
        f" {platform.release()}, Python {platform.python_version()}"
    )


def table(headings: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def percentile(sorted_values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sorted values lie; NaN of none."""
    if not sorted_values:
        return float("nan")
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]
