"""Compares what polypipe stored of a world with the truth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from polypipe_tests.truth.causes import DayTruth, truth_of
from polypipe_tests.truth.numbers import numbers_of
from polypipe_tests.truth.product import Found
from polypipe_tests.truth.world import WhaleFill, World

LEAST_USD = 2.0
"""Days whose parts sum to less are compared with this: a cent of rounding is not an error of a per cent."""

TOLERANCE = {"latency_p50": (1.0, 0.0), "latency_p95": (1.0, 0.0), "realised_ratio": (0.0, 0.005)}
"""Number -> how far it may be off without a range: absolute, or as a share; others half a per cent or a cent."""


INSIDE_UNEXPLAINED = ("copies that came after midnight",)
"""Notes whose amount is a part of what is unexplained."""


@dataclass
class Fills:
    """Fills of the whale: how many were copied, found, and found rightly; `flagged` ones are marked as ambiguous."""

    copied: int = 0
    found: int = 0
    right: int = 0
    flagged: int = 0
    sure: int = 0
    sure_right: int = 0
    unsaid: int = 0  # copied, stored as missed, and not flagged
    wrong: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.copied if self.copied else 1.0

    @property
    def sure_precision(self) -> float:
        """Of those that are not flagged."""
        return self.sure_right / self.sure if self.sure else 1.0


@dataclass
class Day:
    """Errors of one day. `worst` is the largest error of a cause, `unexplained` what no note names in USD, both as shares
    of the true absolute parts. `numbers`: name -> right, ranged, unknown or wrong."""

    seed: int
    day: str
    absolute: float
    errors: dict[str, float]
    unexplained: float
    numbers: dict[str, str]
    notes: Mapping[str, Any]

    @property
    def worst(self) -> float:
        return max(map(abs, self.errors.values()), default=0.0)

    @property
    def base(self) -> float:
        return max(self.absolute, LEAST_USD)


@dataclass
class Score:
    """All worlds of one kind."""

    fills: Fills = field(default_factory=Fills)
    days: list[Day] = field(default_factory=list)
    exits: list[tuple[str, float | None, float | None]] = field(default_factory=list)  # what, true and stored shares

    @property
    def right_exits(self) -> int:
        return sum(abs((true or 0.0) - (said or 0.0)) <= 0.02 + 0.01 * (true or 0.0) for _, true, said in self.exits)

    def include(self, other: "Score") -> None:
        """Add the score of another world."""
        for name in ("copied", "found", "right", "flagged", "sure", "sure_right", "unsaid", "wrong"):
            setattr(self.fills, name, getattr(self.fills, name) + getattr(other.fills, name))
        self.days += other.days
        self.exits += other.exits

    @property
    def causes(self) -> dict[str, float]:
        """Cause -> the sum of its errors over the days, as a share of the absolute parts of all days."""
        whole = sum(day.base for day in self.days)
        parts = sorted({part for day in self.days for part in day.errors})
        return {part: sum(abs(day.errors.get(part, 0.0)) * day.base for day in self.days) / whole for part in parts}

    @property
    def unexplained(self) -> float:
        """The unexplained of the days, without their signs, as a share of the absolute parts of all days."""
        whole = sum(day.base for day in self.days)
        return sum(abs(day.unexplained) * day.base for day in self.days) / whole if whole else 0.0

    def counted(self, verdict: str) -> dict[str, int]:
        """Number -> days with this verdict."""
        names = sorted({name for day in self.days for name in day.numbers})
        return {name: sum(day.numbers.get(name) == verdict for day in self.days) for name in names}

    @property
    def wrong_numbers(self) -> dict[str, int]:
        """Numbers that are off and say nothing of it, on more than one day in twenty."""
        return {name: days for name, days in self.counted("wrong").items() if days > 0.05 * len(self.days)}


def add_fills(score: Score, world: World, found: Found) -> None:
    """Add the fills of a world to the score of its kind."""
    _fills(score.fills, world, found.fills)


def add(score: Score, world: World, found: Found) -> None:
    """Add a world to the score of its kind."""
    add_fills(score, world, found)
    by_day = {row["day"].timestamp(): row for row in found.metrics}
    for (start, end), truth, gap in zip(world.days, truth_of(world), found.gaps, strict=True):
        numbers = numbers_of(world, start, end) | {"gap": truth.gap}
        score.days.append(_day(world, truth, gap, by_day[start] | {"gap": gap["gap"]}, numbers))
        _exits(score, world, start, truth.exits, found.exits)


def _fills(fills: Fills, world: World, rows: Iterable[Mapping[str, Any]]) -> None:
    truth = {(fill.act.tx, fill.act.shares): fill for fill in world.fills if fill.act.t < world.end}
    for row in rows:
        if row["status"] == "own":
            continue
        one = truth[row["key"].split("|")[2], row["whale_shares"]]
        said = row["copier_fills"] > 0
        right = is_right(one, row)
        fills.copied += bool(one.copies)
        fills.found += said
        fills.right += said and right
        fills.flagged += bool(row["ambiguous"])
        if said and not row["ambiguous"]:
            fills.sure += 1
            fills.sure_right += right
        fills.unsaid += bool(one.copies) and not said and not row["ambiguous"]
        if not right:
            fills.wrong.append(f"seed {world.seed} {row['timestamp']:%d %H:%M:%S} {describe(one, row)}")


def _exits(score: Score, world: World, start: float, true: Mapping[str, float], rows: Iterable[Mapping[str, Any]]) -> None:
    """Compare the uncopied exits at the end of a day, of markets of which one outcome was traded."""
    stored = {row["token_id"]: row["shares"] for row in rows if row["day"].timestamp() == start}
    traded: dict[str, set[str]] = {}
    for act in world.acts:
        if act.market is not None and act.kind in ("TRADE", "SPLIT", "CONVERSION") and act.t < start + 86_400:
            for market in act.markets or [act.market]:
                tokens = [market.tokens[act.outcome]] if act.kind == "TRADE" else market.tokens
                traded.setdefault(market.condition, set()).update(tokens)
    alone = {next(iter(tokens)) for tokens in traded.values() if len(tokens) == 1}
    for token in sorted((true.keys() | stored.keys()) & alone):
        score.exits.append((f"seed {world.seed} day {start:.0f} {token[:8]}", true.get(token), stored.get(token)))


def is_right(fill: WhaleFill, row: Mapping[str, Any]) -> bool:
    """The same shares at the same price, from the same second on."""
    if abs(row["copier_shares"] - fill.copied) > max(0.02, 0.002 * fill.copied):
        return False
    if not fill.copies:
        return True
    first = min(copy.t for copy in fill.copies)
    return bool(abs(row["copier_price"] - fill.price) < 1e-6 and row["copied_at"].timestamp() == first)


def describe(fill: WhaleFill, row: Mapping[str, Any]) -> str:
    act, copies = fill.act, [(copy.t - fill.act.t, round(copy.shares, 2), copy.price) for copy in fill.copies]
    return (
        f"{'BUY' if act.sign > 0 else 'SELL'} {act.shares:g} @ {act.price:g}: copies (s, shares, price) {copies}, "
        f"{fill.why}; "
        f"stored {row['status']} {row['copier_shares']:.2f} @ {row['copier_price']} after {row['latency']} s, "
        f"reason {row['reason']}{', flagged' if row['ambiguous'] else ''}"
    )


def _day(
    world: World, truth: DayTruth, gap: Mapping[str, Any], metrics: Mapping[str, Any], numbers: Mapping[str, float]
) -> Day:
    base = max(truth.absolute, LEAST_USD)
    parts = {
        *truth.parts,
        *(name for name in gap if name.startswith("missed_")),
        "own",
        "moved",
        "combos",
        "fees",
        "ratio_change",
    }
    errors = {part: ((gap[part] or 0.0) - truth.parts.get(part, 0.0)) / base for part in parts}
    named = sum(usd for note, usd in gap["notes"].items() if usd is not None and note.startswith(INSIDE_UNEXPLAINED))
    left = base if gap["unexplained"] is None else (gap["unexplained"] - named)
    verdicts = {name: verdict(name, value, metrics, base) for name, value in numbers.items()}
    return Day(world.seed, f"{gap['day']:%d}", truth.absolute, errors, left / base, verdicts, gap["notes"])


def verdict(name: str, value: float, row: Mapping[str, Any], base: float) -> str:
    """What a stored number is worth: right, ranged (off, but within its interval), unknown, wrong.

    The shortfall rests on marks: it may be off by 2 % of `base`, the day's absolute parts, like the unexplained. Slippage
    in USD has the interval of that in cents.
    """
    said = row[name]
    if said is None:
        return "unknown"
    absolute, share = (0.02 * base, 0.005) if name == "shortfall_usd" else TOLERANCE.get(name, (0.01, 0.005))
    if abs(said - value) <= max(absolute, share * abs(value)):
        return "right"
    of, unit = ("slippage_cents", said / row["slippage_cents"]) if name == "slippage_usd" and said else (name, 1.0)
    low, high = row.get(f"{of}_low"), row.get(f"{of}_high")
    if low is not None and high is not None and low * unit <= value <= high * unit:
        return "ranged"
    sure = row.get(f"{name}_sure")  # the other end of the range, if many matches are ambiguous
    return "ranged" if sure is not None and min(said, sure) <= value <= max(said, sure) else "wrong"
