"""The table: what was measured, against whom, and whether it is enough."""

import datetime
import os
import pathlib
import platform
import statistics
import subprocess
from dataclasses import dataclass


@dataclass
class Row:
    """One line of the table. Without a target it is there to be known."""

    work: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "×"

    def target(self):
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}"
        if self.at_most is not None:
            return f"≤ {self.at_most:g} {self.unit}"
        return ""

    def reached(self):
        if self.ratio is None or not self.target():
            return None
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return self.ratio <= self.at_most

    def cells(self):
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} {self.unit}"
        verdict = {None: "", True: "yes", False: "**no**"}[self.reached()]
        return [self.work, self.ours, self.peer, ratio, self.target(), verdict]


HEAD = ["work", "BoxVault", "peer", "measured", "target", "reached"]


def table(rows):
    """A Markdown table that is also readable as it stands."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    drawn = ["| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(drawn)


def median(values):
    return statistics.median(values)


def spread(values):
    """The median, and how far the runs lie apart."""
    return f"{median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def machine():
    """What the figures were taken on."""
    model = "unknown processor"
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return (
        f"{os.cpu_count()} × {model}, {memory_gib:.0f} GiB, {platform.system()} "
        f"{platform.release()}"
    )


def first_line(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    return (done.stdout + done.stderr).strip().partition("\n")[0]


def write(rows, notes, folder):
    """Prints the report and writes it to `folder`; returns where."""
    now = datetime.datetime.now()
    text = "\n".join(
        [
            f"# BoxVault bench, {now:%Y-%m-%d %H:%M}",
            "",
            *(f"- {note}" for note in notes),
            "",
            table(rows),
            "",
        ]
    )
    print("\n" + text)
    folder.mkdir(exist_ok=True)
    path = folder / f"{now:%Y-%m-%d-%H%M}.md"
    path.write_text(text)
    return path
