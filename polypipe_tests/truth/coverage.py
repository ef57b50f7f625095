"""Coverage of the intervals of beta, the gap's t, copy rate and slippage, over many weeks with a known law.

`python -m polypipe_tests.truth.coverage --write docs/accuracy.md` writes the table. The laws are made here with NumPy;
polypipe sees only the hourly PnL of both wallets and the whale's trades, in its tables.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polypipe.attribution.intervals import rate_interval, ratio_interval, why_no_interval
from polypipe.history.copy_quality import quality_rows
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import open_memory
from polypipe.warehouse.migrate import migrate

if TYPE_CHECKING:
    import duckdb

BEGIN, END = "<!-- coverage: written by `make accuracy` -->", "<!-- end of coverage -->"
COPIER, WHALE, RATIO = "0x" + "c0" * 20, "0x" + "a1" * 20, 0.08
T0 = datetime(2026, 1, 5, tzinfo=UTC)
DAYS, HOURS = 7, 168
MISSED = 0.2
"""Share of events that the bot misses, where it misses whole events."""

Array = np.ndarray


@dataclass(frozen=True)
class Weeks:
    """Hourly PnL changes in USD, (weeks, hours). `beta` is the true slope; `events` are (week, hour, USD) of trades."""

    whale: Array
    copier: Array
    beta: float = RATIO
    events: tuple[Array, Array, Array] | None = None


class Laws:
    """The laws, each for `weeks` weeks. All have a mean gap of zero."""

    def __init__(self, weeks: int, seed: int = 1) -> None:
        self.weeks, self.random = weeks, np.random.default_rng(seed)

    def noise(self) -> Array:
        return self.random.standard_normal((self.weeks, HOURS))

    def persistent(self, memory: float) -> Array:
        """Autoregressive noise of variance 1."""
        found = self.noise()
        for hour in range(1, HOURS):
            found[:, hour] = memory * found[:, hour - 1] + np.sqrt(1 - memory**2) * found[:, hour]
        return found

    def games(self, a_day: int, hours: int, heavy: float = 0.0, evening: bool = False, spread: float = 0.0) -> Weeks:
        """Games move the whale's PnL for some hours. The bot misses some as a whole, or copies each at its own ratio."""
        shape, number = (self.weeks, HOURS), a_day * DAYS
        whale, copier = np.zeros(shape), np.zeros(shape)
        weeks = np.arange(self.weeks)
        found: list[tuple[Array, Array, Array]] = []
        for _ in range(number):
            if evening:
                start = 24 * self.random.integers(0, DAYS, self.weeks) + self.random.integers(18, 22, self.weeks)
            else:
                start = self.random.integers(1 - hours, HOURS, self.weeks)
            size = 100 * np.exp(heavy * self.random.standard_normal(self.weeks))
            kept: Array = self.random.random(self.weeks) >= MISSED
            if spread:
                kept = 1 + spread * self.random.standard_normal(self.weeks)
            for hour in range(hours):
                at = start + hour
                inside = (at >= 0) & (at < HOURS)
                moves = size * self.random.standard_normal(self.weeks)
                whale[weeks[inside], at[inside]] += moves[inside]
                copier[weeks[inside], at[inside]] += (RATIO * kept * moves)[inside]
            found.append((weeks, np.clip(start, 0, HOURS - 1), size))
        events = tuple(np.concatenate(column) for column in zip(*found, strict=True))
        beta = RATIO if spread else (1 - MISSED) * RATIO
        return Weeks(whale, copier + 0.5 * self.noise(), beta, (events[0], events[1], events[2]))

    def blocks(self, values: Callable[[int], Array], hours: int) -> Array:
        """A value per block of hours."""
        return np.repeat(values(HOURS // hours), hours, axis=1)

    def all(self) -> Iterator[tuple[str, Weeks]]:
        x, draw = 100 * self.noise(), self.random
        yield "independent, normal", Weeks(x, RATIO * x + 5 * self.noise())
        yield "independent, Student's t(3)", Weeks(x, RATIO * x + 5 * draw.standard_t(3, x.shape))
        yield "grows with the whale's move", Weeks(x, RATIO * x + 0.05 * x * self.noise())
        yield "grows with the square of the move", Weeks(x, RATIO * x + 0.0005 * x * abs(x) * self.noise())
        yield "autocorrelated, 0.5", Weeks(x, RATIO * x + 5 * self.persistent(0.5))
        yield "autocorrelated, 0.9", Weeks(x, RATIO * x + 5 * self.persistent(0.9))
        slow = 100 * self.persistent(0.8)
        yield "autocorrelated like the whale, 0.8", Weeks(slow, RATIO * slow + 5 * self.persistent(0.8))
        yield "whole games missed, 40 a day", self.games(40, 3)
        yield "whole games missed, 6 a day", self.games(6, 3)
        yield "whole games missed, 3 a day", self.games(3, 3)
        yield "whole games missed, few large ones", self.games(6, 3, heavy=1.2)
        yield "whole games missed, a day long each", self.games(6, 24)
        yield "whole games missed, evenings only", self.games(10, 3, evening=True)
        yield "each game at its own ratio", self.games(10, 3, spread=0.3)
        few = x * (draw.random(x.shape) < 0.2)
        yield "20 % of the hours active", Weeks(few, RATIO * few + 5 * self.noise())
        yield "20 % active, grows with the move", Weeks(few, RATIO * few + 0.05 * few * self.noise())
        late = RATIO * (0.7 * x + 0.3 * np.roll(x, 1, axis=1))
        yield "copies lag an hour", Weeks(x, late + 2 * self.noise(), 0.7 * RATIO)
        jumps = 50 * self.noise() * (draw.random(x.shape) < 0.02)
        yield "jumps in 2 % of the hours", Weeks(x, RATIO * x + jumps + 2 * self.noise())
        running = self.blocks(lambda n: draw.random((self.weeks, n)) >= 0.15, 6)
        yield "outages of 6 h, 15 % of the time", Weeks(x, RATIO * x * running + 2 * self.noise(), 0.85 * RATIO)
        ratio = self.blocks(lambda n: 1 + 0.3 * draw.standard_normal((self.weeks, n)), 24)
        yield "each day at its own ratio", Weeks(x, RATIO * x * ratio + 2 * self.noise())
        wild = 100 * draw.standard_t(3, x.shape)
        yield "heavy-tailed whale", Weeks(wild, RATIO * wild + 5 * self.noise())
        yield "heavy-tailed whale, grows with the move", Weeks(wild, RATIO * wild + 0.05 * wild * self.noise())
        marks = 5 * self.noise()
        yield "errors of marks, undone an hour later", Weeks(x, RATIO * x + marks - np.roll(marks, 1, axis=1))
        calm = np.exp(self.persistent(0.9))
        yield "calm and wild hours of both", Weeks(x * calm, RATIO * x * calm + 5 * calm * self.noise())


@dataclass(frozen=True)
class Coverage:
    """Shares over the weeks: beta's interval is known, contains the true slope; |t| of the gap above 2."""

    known: float
    covered: float | None
    false_t: float


def measure(con: "duckdb.DuckDBPyConnection", weeks: Weeks) -> Coverage:
    """Store the weeks, compute the rows of the windows of 7 days, and compare."""
    number = len(weeks.whale)
    starts = [T0 + 8 * n * timedelta(days=1) for n in range(number)]  # a day apart, so that no window sees two
    con.execute("DELETE FROM wallet_pnl; DELETE FROM wallet_activity")
    for wallet, changes in ((COPIER, weeks.copier), (WHALE, weeks.whale)):
        values = np.concatenate([np.zeros((number, 1)), changes.cumsum(axis=1)], axis=1)
        t = np.array([start + timedelta(hours=h) for start in starts for h in range(HOURS + 1)], dtype="O")
        points = pd.DataFrame({"wallet": wallet, "t": pd.to_datetime(t, utc=True), "p": values.ravel()})
        con.register("points", points)
        con.execute("INSERT INTO wallet_pnl SELECT wallet, t, p, '1h', t FROM points")
    if weeks.events is not None:
        week, hour, usd = weeks.events
        at = pd.to_datetime([starts[w] + timedelta(hours=int(h)) for w, h in zip(week, hour, strict=True)], utc=True)
        names = [f"e{n}" for n in range(len(week))]
        trades = pd.DataFrame({"key": names, "wallet": WHALE, "instant": at, "usd": usd})
        con.register("trades", trades)
        con.execute(
            "INSERT INTO wallet_activity (key, day, wallet, timestamp, type, usdc_size, event_slug, transaction_hash, "
            "title, slug, outcome, occurrence) "
            "SELECT key, instant::DATE, wallet, instant, 'TRADE', usd, key, key, '', '', '', 0 FROM trades"
        )
    days = [start + timedelta(days=DAYS - 1) for start in starts]
    rows = [row for row in quality_rows(con, Wallets(COPIER, WHALE, RATIO), days) if row["window_days"] == DAYS]
    bounds = [(row["beta_low"], row["beta_high"]) for row in rows]
    inside = [low <= weeks.beta <= high for low, high in bounds if low is not None and high is not None]
    ts = [abs(row["gap_t"]) for row in rows if row["gap_t"] is not None]
    return Coverage(
        len(inside) / number, sum(inside) / len(inside) if inside else None, sum(one > 2 for one in ts) / len(ts)
    )


def fills(weeks: int, seed: int = 2) -> Iterator[tuple[str, float, list[tuple[float | None, float | None]]]]:
    """Laws of copies and slippage: name, true value, and each week's interval from its days and events."""
    random = np.random.default_rng(seed)

    def week(law: str) -> tuple[float | None, float | None]:
        day = np.repeat(np.arange(DAYS), random.poisson(30, DAYS) + 1)
        hour = random.integers(0, 24, len(day)) + 24 * day
        event = 100 * day + random.integers(0, 8, len(day))
        number = int(event.max()) + 1
        size = np.exp(random.standard_normal(len(day)))
        if law.startswith("copied"):
            kept = random.random(len(day)) < 0.8
            if "outages" in law:  # of 4 hours, 20 % of the time
                kept = np.repeat(random.random(HOURS // 4) < 0.8, 4)[hour]
            elif "game" in law:
                kept = (random.random(number) < 0.8)[event]
            elif "day" in law:
                kept = random.random(len(day)) < random.choice([0.6, 1.0], DAYS)[day]
            above, below = kept.astype(float), np.ones(len(day))
        else:
            cents = 1 + 2 * random.standard_normal(len(day))
            if "heavy" in law:
                cents = 1 + 2 * random.standard_t(3, len(day))
            elif "game" in law:
                cents = 1 + 2 * random.standard_normal(number)[event]
            elif "hour" in law:
                cents = 1 + 2 * np.repeat(random.standard_normal(HOURS // 6), 6)[hour]
            above, below = cents * size, size
        days = [(above[day == d].sum(), below[day == d].sum()) for d in range(DAYS)]
        of_events = np.bincount(event, below)
        if why_no_interval(days, of_events.sum() ** 2 / (of_events**2).sum()) is not None:
            return None, None
        return rate_interval(days) if law.startswith("copied") else ratio_interval(days)

    for law in (
        "copied or missed fill by fill", "copied or missed game by game", "copied but for outages of 4 h",
        "copied by 60 or 100 % day by day", "slippage independent", "slippage heavy-tailed", "slippage game by game",
        "slippage the same for 6 h",
    ):  # fmt: skip
        yield law, 0.8 if law.startswith("copied") else 1.0, [week(law) for _ in range(weeks)]


def table(weeks: int) -> str:
    """The tables in Markdown."""
    lines = [
        f"{weeks} windows of 7 days per law; a share of 0.95 has a standard error of {(0.95 * 0.05 / weeks) ** 0.5:.3f}.\n",
        "| errors of an hour | interval known | covers the true slope | \\|t\\| > 2 without a gap |",
        "|---|---:|---:|---:|",
    ]
    with open_memory() as con:
        migrate(con)
        for name, made in Laws(weeks).all():
            found = measure(con, made)
            covered = "–" if found.covered is None else f"{found.covered:.3f}"
            lines.append(f"| {name} | {found.known:.0%} | {covered} | {found.false_t:.3f} |")
            print(lines[-1], flush=True)
    lines += ["\n| copy rate and slippage of fills | interval known | covers the true value |", "|---|---:|---:|"]
    for name, truth, intervals in fills(weeks):
        known = [(low, high) for low, high in intervals if low is not None and high is not None]
        share = sum(low <= truth <= high for low, high in known) / len(known)
        lines.append(f"| {name} | {len(known) / weeks:.0%} | {share:.3f} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m polypipe_tests.truth.coverage", description=__doc__)
    parser.add_argument("--weeks", type=int, default=500, help="windows per law")
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="write the table into this document")
    given = parser.parse_args()
    text = table(given.weeks)
    if given.write:
        before, begin, rest = given.write.read_text("utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise SystemExit(f"{given.write} has no lines {BEGIN!r} and {END!r}")
        given.write.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
