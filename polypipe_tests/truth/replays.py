"""Compares what-if answers with what the copier of the same world, with the same luck, would have made at another ratio.

`python -m polypipe_tests.truth.replays --write docs/accuracy.md` writes the table.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from polypipe_tests.truth.causes import truth_of
from polypipe_tests.truth.product import Found, measured
from polypipe_tests.truth.report import write
from polypipe_tests.truth.surfaces import what_if_json
from polypipe_tests.truth.world import World
from polypipe_tests.truth.worlds import BY_NAME, make

BEGIN, END = "<!-- replays: written by `make accuracy` -->", "<!-- end of replays -->"

NAMES = ("calm, no log", "US evenings", "minimums", "heavy tails", "fees", "everything", "second whale")
DAYS = 6
"""Days of each world: fewer give no interval."""

FACTORS = (0.5, 2.0)
"""Multiples of the ratio in force."""

LEAST_USD = 2.0
"""Days on which the copier makes less count with this."""


@dataclass(frozen=True)
class Replayed:
    """A world at another ratio. PnL of the copier in USD: the true one, the replayed one with its interval.

    `base` sums the absolute PnL of the days; `error` is the replay error of the ratio in force.
    """

    factor: float
    true: float
    said: float
    low: float | None
    high: float | None
    base: float
    error: float

    @property
    def off(self) -> float:
        """By which share of `base` the replay is off."""
        return abs(self.said - self.true) / self.base

    @property
    def inside(self) -> bool | None:
        """Whether the interval has the truth; None without one."""
        return None if self.low is None or self.high is None else self.low <= self.true <= self.high


def replays_of(world: World, found: Found) -> list[Replayed]:
    """The replays of a measured world at half and twice the ratio in force."""
    first, last = (datetime.fromtimestamp(t, UTC).date() for t in (world.start, world.end - 1))
    answer = what_if_json(found, first, last, found.wallets.ratio)
    rows = {row["value"]: row for row in answer["grid"] if row["dimension"] == "ratio"}
    replays = []
    for factor in FACTORS:
        ratio = factor * answer["ratio_in_force"]
        row = min(rows.values(), key=lambda one: abs(one["value"] - ratio))
        days = [day.copier_pnl for day in truth_of(make(replace(world.kind, ratio=ratio, new_ratio=None), world.seed))]
        base = sum(max(abs(usd), LEAST_USD) for usd in days)
        low, high = row["copier_pnl_low"], row["copier_pnl_high"]
        replays.append(Replayed(factor, sum(days), row["copier_pnl"], low, high, base, answer["replay_error"]))
    return replays


def table(replays: Sequence[tuple[str, Replayed]]) -> list[str]:
    """A table of the replays of kinds of worlds, by name."""
    lines = [
        "| world | true PnL at half | off by | true PnL at twice | off by | replay error | in the interval |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for name in dict.fromkeys(name for name, _ in replays):
        of = [one for other, one in replays if other == name]
        cells = []
        for factor in FACTORS:
            found = [one for one in of if one.factor == factor]
            off = sum(abs(one.said - one.true) for one in found) / sum(one.base for one in found)
            cells += [f"{sum(one.true for one in found):,.2f}", f"{off:.1%}"]
        known = [one.inside for one in of if one.inside is not None]
        error = sum(abs(one.error) for one in of) / len(FACTORS)
        inside = f"{sum(known)} of {len(known)}" if known else "unknown"
        lines.append(f"| {name} | {' | '.join(cells)} | {error:,.2f} | {inside} |")
    return lines


def of_kind(name: str, seed: int = 0, days: int = DAYS) -> list[tuple[str, Replayed]]:
    """The replays of a world of a kind, in a home that is removed afterwards."""
    world, home = make(replace(BY_NAME[name], days=days), seed), Path(tempfile.mkdtemp(prefix="polypipe-truth-"))
    try:
        return [(name, one) for one in replays_of(world, measured(world, home))]
    finally:
        shutil.rmtree(home)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m polypipe_tests.truth.replays", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help="kinds of worlds")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="write the table into this document")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    given = parser.parse_args()
    with ProcessPoolExecutor(given.processes) as pool:
        found = [one for some in pool.map(of_kind, given.names) for one in some]
    text = "\n".join(table(found))
    if given.write:
        write(given.write, text, BEGIN, END)
    print(text)


if __name__ == "__main__":
    main()
