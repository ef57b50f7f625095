"""Coverage of the intervals of beta, the gap, rates, slippage and the costs of copying, over many weeks with a known law.

`python -m polypipe_tests.truth.coverage --write docs/accuracy.md` writes the table. The laws are made here with NumPy;
polypipe sees the hourly PnL of both wallets and the whale's trades in its tables, and sums of fills by day and event.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from polypipe.attribution.copy_costs import HORIZONS
from polypipe.attribution.cost_metrics import cost_numbers
from polypipe.history.copy_quality import quality_rows
from polypipe.intervals import day_interval, effective_number, rate_interval, ratio_interval, why_no_interval
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
    """Hourly PnL changes in USD, (weeks, hours). `beta` is the true slope; `events` are (week, hour, USD) of
    trades, None for six a day."""

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
    """Shares over the weeks: beta's interval is known, contains the true slope; |t| of the gap above 2; the last day is
    called ahead or behind by its gap and those of the days before."""

    known: float
    covered: float | None
    false_t: float
    false_day: float


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
    week, hour, usd = weeks.events or _evenly(number)
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
    by_day = (weeks.copier - RATIO * weeks.whale).reshape(number, DAYS, 24).sum(axis=2)
    of_last = [day_interval(float(gaps[-1]), [float(gap) for gap in gaps[:-1]]) for gaps in by_day]
    return Coverage(
        len(inside) / number,
        sum(inside) / len(inside) if inside else None,
        sum(one > 2 for one in ts) / len(ts),
        sum(low > 0 or high < 0 for low, high in of_last) / number,
    )


def _evenly(weeks: int) -> tuple[Array, Array, Array]:
    """Six equal events a day, for laws that do not know of events."""
    hours = np.arange(2, HOURS, 4)
    return np.repeat(np.arange(weeks), len(hours)), np.tile(hours, weeks), np.full(weeks * len(hours), 100.0)


def fills(weeks: int, seed: int = 2) -> Iterator[tuple[str, float, list[tuple[float | None, float | None]]]]:
    """Laws of copies and slippage: name, true value, and each week's interval from its days and events."""
    random = np.random.default_rng(seed)

    def week(law: str) -> tuple[float | None, float | None]:
        day = np.repeat(np.arange(DAYS), random.poisson(30, DAYS) + 1)
        hour = random.integers(0, 24, len(day)) + 24 * day
        event = 100 * day + random.integers(0, 8, len(day))
        number = int(event.max()) + 1
        size = np.exp(random.standard_normal(len(day)))
        if law.endswith("a day long"):
            event = a_day_long(random, hour)
            number = int(event.max()) + 1
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
        days = {(T0 + timedelta(days=d)).date(): (above[day == d].sum(), below[day == d].sum()) for d in range(DAYS)}
        if why_no_interval((b for _, b in days.values()), effective_number(np.bincount(event, below))) is not None:
            return None, None
        return rate_interval(days) if law.startswith("copied") else ratio_interval(days) or (None, None)

    for law in (
        "copied or missed fill by fill", "copied or missed game by game", "copied or missed by game, a day long",
        "copied but for outages of 4 h", "copied by 60 or 100 % day by day", "slippage independent",
        "slippage heavy-tailed", "slippage game by game", "slippage game by game, a day long", "slippage the same for 6 h",
    ):  # fmt: skip
        yield law, 0.8 if law.startswith("copied") else 1.0, [week(law) for _ in range(weeks)]


def a_day_long(random: np.random.Generator, hour: Array) -> Array:
    """The event of each fill, one of six that begin a day and last for 24 hours."""
    starts = random.integers(-23, HOURS, 8 * 6)
    chance = random.random((len(hour), len(starts)))
    running = (starts <= hour[:, None]) & (hour[:, None] < starts + 24)
    found: Array = np.where(running, chance, -1).argmax(axis=1)
    return found


COSTS = ("delay_cents", "impact_cents", "edge_cents", "size_slope", "markout", "half_latency_usd", "marginal_ratio")
CURVE = {5: 0.4, 30: 0.8, 60: 1.2, 180: 1.6, 600: 2.0}
"""True markouts in cents a share."""
LATENCY = 17.0


def _weights(seconds: float) -> tuple[float, float]:
    """Weights of the markouts of 5 and 30 s in the one of a time between them."""
    return (30 - seconds) / 25, (seconds - 5) / 25


SAVED = [whole - half for whole, half in zip(_weights(LATENCY), _weights(LATENCY / 2), strict=True)]


class Fills:
    """The copied fills of a week: day, hour and event of each, and noise of mean 0 and about variance 1 by a law."""

    LAWS = (
        "independent", "heavy-tailed", "heavy-tailed sizes", "game by game", "games a day long", "the same for 6 h",
        "outages of 6 h, 15 % of the time", "the same for a day",
    )  # fmt: skip

    def __init__(self, law: str, random: np.random.Generator) -> None:
        self.law, self.random = law, random
        self.day = np.repeat(np.arange(DAYS), random.poisson(30, DAYS) + 1)
        self.hour = random.integers(0, 24, len(self.day)) + 24 * self.day
        self.event = 8 * self.day + random.integers(0, 8, len(self.day))
        if law == "games a day long":
            self.event = a_day_long(random, self.hour)
        self.size = 50 * np.exp((1.5 if law == "heavy-tailed sizes" else 0.7) * random.standard_normal(len(self.day)))

    def noise(self) -> Array:
        draw: Callable[[int], Array] = self.random.standard_normal
        number = len(self.day)
        found: Array = draw(number)
        if self.law == "heavy-tailed":
            found = self.random.standard_t(3, number)
        elif self.law in ("game by game", "games a day long"):
            found = draw(8 * DAYS)[self.event]
        elif self.law == "the same for 6 h":
            found = np.repeat(draw(HOURS // 6), 6)[self.hour]
        elif self.law == "the same for a day":
            found = draw(DAYS)[self.day]
        elif self.law.startswith("outages"):
            out = self.random.random(HOURS // 6) < 0.15
            found = (np.repeat(out, 6)[self.hour] - 0.15) / (0.15 * 0.85) ** 0.5
        return found

    def by_day(self, sums: dict[str, Array]) -> dict[datetime, dict[str, dict[str, float]]]:
        """Day -> event -> the sums."""
        days: dict[datetime, dict[str, dict[str, float]]] = {}
        places = 1000 * self.day + self.event
        for place in np.unique(places):
            one = {name: float(values[places == place].sum()) for name, values in sums.items()}
            days.setdefault(T0 + timedelta(days=int(place) // 1000), {})[str(place % 1000)] = one
        return days


def costs(law: str, weeks: int, seed: int = 3) -> dict[str, tuple[float, float | None]]:
    """Cost -> share of the weeks with an interval, and share of these whose interval has the true value.

    The true value is that of the orders of the week: their sizes are known, only prices are uncertain.
    """
    random = np.random.default_rng(seed)
    found: dict[str, list[bool]] = {name: [] for name in COSTS}
    for _ in range(weeks):
        fills = Fills(law, random)
        q = fills.size
        delay, impact, made = 1 + 2 * fills.noise(), 0.5 + 0.01 * q + 0.5 * fills.noise(), 6 + 10 * fills.noise()
        cents = delay + impact
        sums = {
            "fills": q**0, "copied": q, "split": q, "fee": 0.01 * q, "slippage": q * cents / 100, "delay": q * delay / 100,
            "impact": q * impact / 100, "made": q * made / 100, "marked": q, "x": q**2, "xx": q**3, "y": q * cents,
            "xy": q**2 * cents, "whale": 12 * q, "whale_squared": 144 * q**2, "saved 5": q * SAVED[0],
            "saved 30": q * SAVED[1],
        }  # fmt: skip
        moved = 0 * q
        for horizon in HORIZONS:
            moved = moved + 1.5 * fills.noise()
            sums |= {f"shares {horizon}": q, f"markout {horizon}": q * (CURVE[horizon] + moved)}
        row, _ = cost_numbers(fills.by_day(sums))
        curve = {one["seconds"]: one for one in json.loads(row["markouts"])}[30]
        row |= {"markout_low": curve["cents_low"], "markout_high": curve["cents_high"]}
        first, second = q.sum(), (q**2).sum()
        true = {
            "delay_cents": 1.0, "impact_cents": 0.5 + 0.01 * second / first, "edge_cents": 6.0, "size_slope": 1.0,
            "markout": CURVE[30], "half_latency_usd": (CURVE[5] * SAVED[0] + CURVE[30] * SAVED[1]) * first / 100,
            "marginal_ratio": (6 - 1 - 1 - 0.5) * 12 * first / (2 * 0.01 * 144 * second),
        }  # fmt: skip
        for name, truth in true.items():
            low, high = row[f"{name}_low"], row[f"{name}_high"]
            if low is not None:
                found[name].append(bool(low <= truth <= high))
    return {name: (len(held) / weeks, sum(held) / len(held) if held else None) for name, held in found.items()}


def table(weeks: int) -> str:
    """The tables in Markdown."""
    lines = [
        f"{weeks} windows of 7 days per law; a share of 0.95 has a standard error of {(0.95 * 0.05 / weeks) ** 0.5:.3f}.\n",
        "| errors of an hour | interval known | covers the true slope | \\|t\\| > 2 without a gap | "
        "a day ahead or behind without a gap |",
        "|---|---:|---:|---:|---:|",
    ]
    with open_memory() as con:
        migrate(con)
        for name, made in Laws(weeks).all():
            found = measure(con, made)
            covered = "–" if found.covered is None else f"{found.covered:.3f}"
            lines.append(f"| {name} | {found.known:.0%} | {covered} | {found.false_t:.3f} | {found.false_day:.3f} |")
            print(lines[-1], flush=True)
    lines += ["\n| copy rate and slippage of fills | interval known | covers the true value |", "|---|---:|---:|"]
    for name, truth, intervals in fills(weeks):
        known = [(low, high) for low, high in intervals if low is not None and high is not None]
        share = sum(low <= truth <= high for low, high in known) / len(known)
        lines.append(f"| {name} | {len(known) / weeks:.0%} | {share:.3f} |")
        print(lines[-1], flush=True)
    lines += [
        "\nCosts of copying: share of the windows whose interval covers the true value; in brackets the share with an "
        "interval, if it is not all.\n",
        "| fills | delay | impact | edge | cents per 100 shares | markout | half the latency | ratio that costs the edge |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for law in Fills.LAWS:
        cells = [
            "–" if share is None else f"{share:.3f}" + (f" ({known:.0%})" if known < 0.995 else "")
            for known, share in costs(law, weeks).values()
        ]
        lines.append(f"| {law} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m polypipe_tests.truth.coverage", description=__doc__)
    parser.add_argument("--weeks", type=int, default=2000, help="windows per law")
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
