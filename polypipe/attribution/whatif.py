"""What the copier would have made over stored days under another ratio, floor or tier rule.

Each fill of the whale is replayed as it was copied, resized to the rule (`replay.py`). The replay of the rule in force
against the measured PnL shows how true the replay is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from polypipe.attribution.cents import in_cents, pnl_in_cents
from polypipe.attribution.days import DAY, span_of
from polypipe.attribution.measured import MeasuredDay, read_measured
from polypipe.attribution.ratio_advice import CANNOT_TELL, Advice
from polypipe.attribution.realised_ratio import ratio_warning
from polypipe.attribution.replay import Replay, replay
from polypipe.attribution.replay_amounts import Days, why_no_spread
from polypipe.attribution.rule_outcome import RuleOutcome, follow_rule
from polypipe.attribution.size_curve import terms_of
from polypipe.attribution.stored_replay import StoredWindow, read_window
from polypipe.attribution.whatif_answer import WhatIf
from polypipe.attribution.whatif_grid import grid_of
from polypipe.divergence.copy_rule import Rule, rule_of
from polypipe.text import count, money
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse

LARGE_ERROR = 0.1
"""Share of the absolute PnL of the days above which the replay error gets a warning."""

NOT_KNOWN = "the PnL of both wallets is unknown on all of these days"
NOT_MATCHED = "the whale's fills are matched on none of the days whose PnL is known: materialize copy_fills for them"


def what_if(
    warehouse: Warehouse, wallets: Wallets, rule: Rule, first: date | None = None, last: date | None = None
) -> WhatIf:
    """Evaluate a rule on the days from `first` to `last`, both included; on the last 30 stored days without them.

    Raises `PolypipeError`.
    """
    with warehouse.read() as con:
        start, end = span_of(con, wallets, first, last)
        measured = read_measured(con, wallets, start, end)
        known = {day: found for day, found in measured.items() if found.gap is not None}
        in_force = measured[max(measured)].ratio if measured else wallets.ratio
        stored = read_window(con, wallets, start, end, in_force)
    days = (end - start) // DAY
    answer = WhatIf(rule, start.date(), (end - DAY).date(), days, len(known), in_force)
    _measured(answer, known)
    base = replay(stored.given)
    held = _replay(answer, stored, known, base)
    _coverage(answer, stored, base.actual, held, known)
    _warn(answer, stored, wallets)
    return answer


def _measured(answer: WhatIf, known: Mapping[datetime, MeasuredDay]) -> None:
    """Enter the measured PnL and the gap in force."""
    if not known:
        names = ("copier_pnl", "whale_pnl", "expected_in_force", "gap_in_force", "expected_pnl")
        answer.reasons |= dict.fromkeys(names, NOT_KNOWN)
        return
    copier, whale, gap = (
        math.fsum(getattr(found, name) or 0.0 for found in known.values()) for name in ("copier_pnl", "whale_pnl", "gap")
    )
    answer.expected_in_force, answer.copier_pnl, answer.gap_in_force = pnl_in_cents(copier, gap)
    answer.whale_pnl = in_cents(whale)


def _replay(
    answer: WhatIf, stored: StoredWindow, known: Mapping[datetime, MeasuredDay], base: Replay
) -> Mapping[str, float] | None:
    """Enter the replay of the rule and the grid. Returns the rule's shares at the end, None without a replay."""
    places = [n for n, day in enumerate(stored.days) if day in known and day in stored.matched]
    answer.replay_days = len(places)
    if not places:
        names = ("replayed_pnl", "replayed_in_force", "replay_error", "plain_pnl", "gap")
        answer.reasons |= dict.fromkeys(names, NOT_MATCHED if known else NOT_KNOWN)
        answer.advice = Advice("cannot tell", f"{CANNOT_TELL}: {answer.reasons['gap']}.")
        return None
    of = [known[stored.days[place]] for place in places]
    combos = [stored.combos[place][0] for place in places]
    days = Days(
        [stored.days[place].date() for place in places], places, [day.whale_pnl or 0.0 for day in of], combos,
        answer.ratio_in_force,
    )  # fmt: skip
    made, copier = math.fsum(days.pnl(base)), math.fsum(day.copier_pnl or 0.0 for day in of)
    why, more = why_no_spread(base, places) or (None, None)
    days = replace(days, error=made - copier, why=why, more=more)
    terms = terms_of(stored.given.fills, stored.given.bot)
    grid = grid_of(stored.given, answer.rule, terms, days, stored.markouts)
    pnl, gap = grid.asked.copier_pnl, grid.asked.gap
    answer.plain_pnl, answer.replayed_pnl, answer.gap = pnl_in_cents(pnl.value or 0.0, gap.value or 0.0)
    for name, amount in (("replayed", pnl), ("gap", gap)):
        if amount.low is None or amount.high is None:
            answer.reasons |= dict.fromkeys((f"{name}_low", f"{name}_high"), amount.why or "")
        else:
            setattr(answer, f"{name}_low", in_cents(amount.low))
            setattr(answer, f"{name}_high", in_cents(amount.high))
    answer.replayed_in_force, answer.replay_error = in_cents(made), in_cents(made - copier)
    absolute = math.fsum(abs(day.copier_pnl or 0.0) for day in of)
    if (off := abs(made - copier)) > max(LARGE_ERROR * absolute, 1.0):
        answer.warnings.append(
            f"the replay is off by {money(off)}, and the copier's days make {money(absolute)} without their signs: fills "
            "or prices are missing, as the notes of gap_attribution say"
        )
    answer.grid = [row.as_json() for row in grid.rows]
    answer.advice = grid.advice
    answer.size_curve = terms.curve._asdict() | {"used": terms.curve.used, "reason": terms.curve.reason}
    return grid.held


def _coverage(
    answer: WhatIf,
    stored: StoredWindow,
    actual: Mapping[str, float],
    held: Mapping[str, float] | None,
    known: Mapping[datetime, MeasuredDay],
) -> None:
    """Enter what the rule would hold, and the part of it that the replay holds; and expected PnL."""

    def outcome(rule: Rule, held: Mapping[str, float] | None) -> RuleOutcome:
        counting = _runs(sorted(known))
        span = stored.start.timestamp(), stored.end.timestamp()
        return follow_rule(
            stored.fills, stored.sets, stored.marks, rule, *span, counting, held=held, events=stored.events
        )  # fmt: skip

    answer.paper = outcome(answer.rule, held)
    answer.coverage = None if held is None else answer.paper.coverage
    in_force = rule_of(stored.given.bot, answer.ratio_in_force)
    answer.coverage_in_force = outcome(in_force, actual).coverage
    if held is None:
        answer.reasons["coverage"] = answer.reasons["gap"]
    for name in ("coverage", "coverage_in_force"):
        if getattr(answer, name) is None:
            answer.reasons.setdefault(name, "the rule holds no position worth an order at the end")
    if known:
        whale = math.fsum(found.whale_pnl or 0.0 for found in known.values())
        answer.expected_pnl = in_cents(answer.rule.ratio * whale + answer.paper.effect)


def _warn(answer: WhatIf, stored: StoredWindow, wallets: Wallets) -> None:
    """Enter the warnings."""
    days, warnings = answer.days, answer.warnings
    if 0 < answer.days_known < days:
        warnings.append(f"the PnL of both wallets is known on {answer.days_known} of {days} days; the others are excluded")
    if not answer.paper.fills:
        warnings.append("no fills of the whale are matched on these days: materialize copy_fills for them")
    elif len(stored.matched) < days:
        warnings.append(
            f"the whale's fills are matched on {len(stored.matched)} of {days} days: the replay, floor, tiers and coverage "
            "ignore the others"
        )
    if answer.paper.without_price:
        tokens = count(answer.paper.without_price, "token has", "tokens have")
        warnings.append(f"{tokens} no known price and count as unmoved")
    if unknown := {why for _, why in stored.combos if why is not None}:
        warnings.append(f"the replay lacks the PnL of some of the copier's combos: {'; '.join(sorted(unknown))}")
    realised = stored.realised
    if warning := ratio_warning(realised["realised_ratio"], realised["realised_pairs"], answer.ratio_in_force, wallets.bot):
        warnings.append(warning)


def _runs(days: Sequence[datetime]) -> list[tuple[float, float]]:
    """Days in order as spans in epoch seconds; consecutive days form one span."""
    runs: list[tuple[float, float]] = []
    for day in days:
        begins, ends = day.timestamp(), (day + DAY).timestamp()
        if runs and runs[-1][1] == begins:
            runs[-1] = runs[-1][0], ends
        else:
            runs.append((begins, ends))
    return runs
