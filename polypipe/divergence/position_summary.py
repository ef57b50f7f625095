"""Figures of compared positions: coverage, excess, cost of deviation, groups by status and by size. Pure.

A sum is unknown, with the reason, if one of its rows lacks a price: the sum of the others would look complete.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polypipe.divergence.copy_rule import SIZE_BUCKETS
from polypipe.divergence.position_comparison import APART, STATUSES, ComparedPosition
from polypipe.facts import Fact
from polypipe.text import count

EXPECTED = ("on_target", "under", "over", "missed", "converted")
"""Statuses that coverage and fill rate count: positions that the bot could have bought, so no dust."""


MORE_RESOLVED = "_resolved"
"""End of the subject of a note: `copier_resolved`, `whale_resolved`."""


def at_least(notes: Mapping[str, str]) -> list[str]:
    """Statuses whose numbers and sums are at least those shown, by the notes of a comparison."""
    return ["resolved"] if any(subject.endswith("resolved") for subject in notes) else []


@dataclass(frozen=True)
class PositionSummary:
    """Figures over the unresolved rows; money in USD, rates in percent. The comments of the table define them.

    `notes` are facts about the wallets that limit the figures: subject -> one sentence.
    """

    counts: dict[str, int]
    whale_positions: int
    copier_positions: int
    coverage: Fact[float]
    weighted_fill_rate: Fact[float]
    expected_usd: Fact[float]
    actual_usd: Fact[float]
    excess_usd: Fact[float]
    orphan_usd: Fact[float]
    cost_of_deviation: Fact[float]
    copier_win_rate: Fact[float]
    whale_win_rate: Fact[float]
    by_status: dict[str, dict[str, Any]]
    by_size: dict[str, dict[str, Any]]
    notes: dict[str, str]

    def facts(self) -> dict[str, Fact[float]]:
        """The figures that may be unknown, by column."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Fact)}


def summarize_positions(
    rows: Sequence[ComparedPosition], ratio: float, notes: Mapping[str, str] | None = None, unsure: str | None = None
) -> PositionSummary:
    """All figures of one comparison. Resolved and netted rows are only in `counts` and `by_status`.

    `unsure`: why what either wallet holds is not known completely; coverage and fill rate are unknown then.
    """
    open_rows = [row for row in rows if row.status not in APART]
    expected = [row for row in open_rows if row.status in EXPECTED]
    whole = Fact.unknown(unsure) if unsure else _sum(expected, _expected)
    return PositionSummary(
        counts={status: sum(row.status == status for row in rows) for status in (*STATUSES, *APART)},
        whale_positions=sum(row.whale_size > 0 for row in open_rows),
        copier_positions=sum(row.copier_size > 0 for row in open_rows),
        coverage=_percent(_sum(expected, _covered), whole),
        weighted_fill_rate=_percent(_sum(expected, _actual), whole),
        expected_usd=_sum(expected, _expected),
        actual_usd=_sum(open_rows, _actual),
        excess_usd=_sum((row for row in open_rows if row.status != "moved"), _excess),
        orphan_usd=_orphans(open_rows),
        cost_of_deviation=_cost(open_rows),
        copier_win_rate=_win_rate(row.copier_pnl for row in open_rows if row.copier_size),
        whale_win_rate=_win_rate(row.whale_pnl for row in open_rows if row.whale_size),
        by_status={status: _group([r for r in rows if r.status == status], ratio) for status in (*STATUSES, *APART)},
        by_size={size: _sized([row for row in open_rows if row.size_bucket == size], ratio) for size in SIZE_BUCKETS},
        notes=dict(notes or {}),
    )


def _group(rows: Sequence[ComparedPosition], ratio: float) -> dict[str, Any]:
    """Figures of a group as plain values; None where unknown."""
    whale = _sum((row for row in rows if row.whale_size), lambda row: row.whale_pnl)
    return {
        "rows": len(rows),
        "expected_usd": _sum(rows, _expected).value,
        "actual_usd": _sum(rows, _actual).value,
        "copier_pnl": _sum((row for row in rows if row.copier_size), lambda row: row.copier_pnl).value,
        "scaled_whale_pnl": None if whale.value is None else ratio * whale.value,
        "cost_of_deviation": _cost(rows).value,
        "copier_win_rate": _win_rate(row.copier_pnl for row in rows if row.copier_size).value,
        "whale_win_rate": _win_rate(row.whale_pnl for row in rows if row.whale_size).value,
    }


def _sized(rows: Sequence[ComparedPosition], ratio: float) -> dict[str, Any]:
    return _group(rows, ratio) | {"coverage": _coverage([row for row in rows if row.status in EXPECTED]).value}


def _coverage(rows: Sequence[ComparedPosition]) -> Fact[float]:
    """Share of the expected value that is held, each token counted at most in full."""
    return _percent(_sum(rows, _covered), _sum(rows, _expected))


def _orphans(rows: Sequence[ComparedPosition]) -> Fact[float]:
    """Unknown while positions of the copier alone may be orphans."""
    unsure = [row for row in rows if row.status == "unknown" and not row.whale_size]
    if unsure:
        return Fact.unknown(f"{count(len(unsure), 'position')} may be orphans: {unsure[0].reason}")
    return _sum((row for row in rows if row.status == "orphan"), _actual)


def _cost(rows: Iterable[ComparedPosition]) -> Fact[float]:
    """Excludes rows that the whale does not hold: it has no average price there. The excess includes them."""
    measured = (row for row in rows if row.status in (*EXPECTED, "below_minimum") and row.whale_size)
    return _sum(measured, lambda row: row.cost_of_deviation)


def _sum(rows: Iterable[ComparedPosition], figure: Callable[[ComparedPosition], float | None]) -> Fact[float]:
    figures = [figure(row) for row in rows]
    known = [value for value in figures if value is not None]
    if len(known) < len(figures):
        return Fact.unknown(f"{len(figures) - len(known)} of {len(figures)} rows lack a price or a PnL")
    return Fact(sum(known, 0.0))


def _percent(part: Fact[float], whole: Fact[float]) -> Fact[float]:
    if part.value is None or whole.value is None:
        return Fact.unknown(part.reason or whole.reason or "")
    if whole.value <= 0:
        return Fact.unknown("the whale holds nothing to copy")
    return Fact(100 * part.value / whole.value)


def _win_rate(pnls: Iterable[float | None]) -> Fact[float]:
    """Percent of positions in profit; positions at exactly zero are not counted."""
    known = list(pnls)
    if None in known:
        return Fact.unknown(f"{known.count(None)} of {len(known)} rows lack a PnL")
    decided = [pnl for pnl in known if pnl]
    return Fact(100 * sum(pnl > 0 for pnl in decided) / len(decided)) if decided else Fact.unknown("no position")


def _expected(row: ComparedPosition) -> float | None:
    return row.expected_usd


def _actual(row: ComparedPosition) -> float | None:
    return row.actual_usd


def _excess(row: ComparedPosition) -> float | None:
    if row.actual_usd is None or row.expected_usd is None:
        return None
    return max(row.actual_usd - row.expected_usd, 0.0)


def _covered(row: ComparedPosition) -> float | None:
    return None if row.expected_usd is None or row.actual_usd is None else min(row.expected_usd, row.actual_usd)
