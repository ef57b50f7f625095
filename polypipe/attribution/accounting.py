"""Attributes the gap to causes. Pure arithmetic over fills in order of time, marks, and the days to account for.

A fill of the whale of q shares should be copied with w = ratio x q shares. What the copier did instead is entered twice:

- as slippage, at once: -sign x copied shares x (copier's price - whale's price);
- as a deviation of sign x (copied - w) shares from the whale's price on, under its cause. While the deviation is open,
  each day's part of that cause is deviation x the day's move of the token's mark (on the first day from the fill's price).

A later trade that makes good an open deviation closes it before it opens one of its own. A sale of the whale that the
copier could not follow closes the purchase that it had missed, or its own earlier sale; a purchase of the copier's own
closes what was missed, and its own sale closes an uncopied exit. So the copier's shares always equal ratio x the whale's
plus all open deviations, and the parts of a day sum to copier PnL - ratio x whale PnL at the marks, however fills are
classified.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from polypipe.attribution.fills import CopyFill, SetChange, merged_away
from polypipe.attribution.marks import Mark, Marks
from polypipe.attribution.parts import (
    AFTER_MIDNIGHT,
    DEVIATIONS,
    FROM_BEFORE,
    MISSED,
    NO_PRICE,
    RATIO_CHANGED,
    STALE,
    STALE_PRICES,
    ExplainedDay,
    UncopiedExit,
)
from polypipe.divergence.copy_rule import MINIMUM_USD

_MISSED = frozenset(DEVIATIONS[: len(MISSED)])
_DUST_SHARES = 1e-6


@dataclass
class _Token:
    """An open token: shares of both wallets according to their fills, and the open deviations by cause."""

    last: CopyFill
    whale: float = 0.0
    target: float = 0.0  # sum of ratio x the whale's shares, each fill at its own ratio
    copier: float = 0.0
    open: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    exit_since: float = 0.0


def explain(
    fills: Sequence[CopyFill],
    sets: Iterable[SetChange],
    prices: Marks,
    days: Sequence[tuple[float, float, float]],
) -> Iterator[ExplainedDay]:
    """Account for each of `days`: (start, end, ratio), in order and without gaps.

    `fills` are in order of time. Those before the first day open the positions that are carried into it. Takes
    O(fills + days x open tokens).
    """
    account = _Account(prices, list(sets))
    n = 0
    while n < len(fills) and fills[n].t < days[0][0]:
        account.enter(fills[n], None, days[0][0])
        n += 1
    for start, end, ratio in days:
        day = ExplainedDay(start, end)
        account.carry(day, ratio)
        while n < len(fills) and fills[n].t < end:
            account.enter(fills[n], day, end)
            n += 1
        account.close(day, ratio)
        yield day


class _Account:
    def __init__(self, prices: Marks, sets: Sequence[SetChange]) -> None:
        self.prices = prices
        self.sets: dict[str, list[SetChange]] = defaultdict(list)
        for change in sets:
            self.sets[change.condition].append(change)
        self.tokens: dict[str, _Token] = {}
        self.after_midnight = 0.0  # USD that late copies had made at the end of the day before

    def carry(self, day: ExplainedDay, ratio: float) -> None:
        """Enter the day's part of every deviation that is open at its start."""
        if self.after_midnight:
            day.notes[AFTER_MIDNIGHT], self.after_midnight = self.after_midnight, 0.0
        for token, state in list(self.tokens.items()):
            before, after = self.prices.at(token, day.start), self.prices.at(token, day.end)
            if before is None or after is None:
                if before is not None:  # otherwise it was noted on an earlier day
                    day.notes[NO_PRICE] = None
                del self.tokens[token]
                continue
            moved = after.price - before.price
            for part, shares in state.open.items():
                day.parts[part] += shares * moved
            changed = (state.target - ratio * state.whale) * moved
            if abs(changed) > 1e-9:
                day.notes[RATIO_CHANGED] = (day.notes.get(RATIO_CHANGED) or 0.0) + changed

    def enter(self, fill: CopyFill, day: ExplainedDay | None, end: float) -> None:
        """Enter a fill, and its parts of the day that ends at `end`; no parts if `day` is None."""
        state = self.tokens.get(fill.token)
        if state is None:
            state = self.tokens[fill.token] = _Token(fill)
        state.last = fill
        known, known_own = self._known_shares(state, fill)
        if min(known, known_own) < 1 and day is not None:
            day.notes[FROM_BEFORE] = None
        mark = self.prices.at(fill.token, end)
        if day is not None and mark is None:
            day.notes[NO_PRICE] = None
        copied = fill.sign * fill.copier_shares * known_own
        whale = fill.sign * (fill.whale_shares or 0.0) * known
        target = fill.ratio * whale
        state.whale += whale
        state.target += target
        state.copier += copied
        price = fill.whale_price if fill.whale_price is not None else fill.copier_price
        if price is None:
            raise ValueError(f"fill without a price: {fill}")
        opened, closes = _cause(fill, copied - target)
        for part, shares in _enter_deviation(state, copied - target, opened, closes):
            if part == "uncopied_exits" and state.open[part] <= shares + _DUST_SHARES:
                state.exit_since = fill.t
            if day is not None and mark is not None:
                day.parts[part] += shares * (mark.price - price)
        if fill.copied_at is not None and fill.copied_at >= end and fill.copier_price is not None and mark is not None:
            made = copied * (mark.price - fill.copier_price) - fill.copier_fee
            self.after_midnight += made
            if day is not None:
                day.notes[AFTER_MIDNIGHT] = (day.notes.get(AFTER_MIDNIGHT) or 0.0) - made
        if day is not None:
            if fill.whale_price is not None and fill.copier_price is not None:
                day.parts["slippage"] -= fill.sign * fill.copier_shares * (fill.copier_price - fill.whale_price)
            day.parts["fees"] += fill.ratio * (fill.whale_fee or 0.0) - fill.copier_fee

    def close(self, day: ExplainedDay, ratio: float) -> None:
        """Value what is open at the end of a day: coverage, uncopied exits, stale prices."""
        for token, state in list(self.tokens.items()):
            mark = self.prices.at(token, day.end)
            if mark is None or mark.settled:
                del self.tokens[token]
                continue
            held = state.whale - merged_away(self.sets.get(state.last.condition or "", ()), day.end)
            expected, has = max(ratio * held, 0.0), max(state.copier, 0.0)
            if expected * mark.price >= MINIMUM_USD:
                day.expected_usd += expected * mark.price
                day.covered_usd += min(expected, has) * mark.price
            if any(abs(shares) > _DUST_SHARES for shares in state.open.values()):
                day.open_tokens += 1
                day.stale_tokens += mark.age > STALE
            if state.open["uncopied_exits"] * mark.price >= MINIMUM_USD:
                day.exits.append(_exit(token, state, mark))
        day.exits.sort(key=lambda found: (-found.usd, found.token))
        if day.stale_tokens:
            day.notes[STALE_PRICES] = None

    def _known_shares(self, state: _Token, fill: CopyFill) -> tuple[float, float]:
        """Shares of the whale's and the copier's sale whose purchase is known, from 0 to 1; 1 for a purchase."""
        if fill.side == "BUY":
            return 1.0, 1.0
        sets = sum(change.shares for change in self.sets.get(fill.condition or "", ()) if change.t <= fill.t)
        return (
            _share(state.whale + max(sets, 0.0), fill.whale_shares or 0.0),
            _share(state.copier, fill.copier_shares),
        )


def _share(held: float, sold: float) -> float:
    return 1.0 if held >= sold - _DUST_SHARES else max(held, 0.0) / sold


def _cause(fill: CopyFill, deviation: float) -> tuple[str, frozenset[str]]:
    """The part that a deviation opens, and the parts whose open deviations of the other sign it closes first."""
    if fill.whale_shares is None:
        return "own", _MISSED if deviation > 0 else frozenset({"uncopied_exits", "excess"})
    if fill.side == "BUY":
        if deviation < 0:
            # A full copy can be a few hundredths of a share short: rounding, not an unknown reason.
            reason = "unfilled" if fill.reason is None and fill.copier_shares else fill.reason
            return f"missed_{reason if reason in MISSED else 'unknown'}", frozenset({"uncopied_exits"})
        return "excess", _MISSED
    if deviation > 0:  # shares that the copier sold before the whale are not held any more
        return "uncopied_exits", _MISSED | {"own", "excess"}
    return "excess", frozenset({"uncopied_exits", "own"})


def _enter_deviation(state: _Token, deviation: float, opened: str, closes: frozenset[str]) -> list[tuple[str, float]]:
    """Enter a deviation: it closes open ones of the other sign in proportion, and the rest opens a part.

    Returns (part, shares) of each entry.
    """
    against = {part: state.open[part] for part in sorted(closes) if state.open[part] * deviation < 0}
    total = sum(abs(shares) for shares in against.values())
    closing = min(abs(deviation), total)
    sign = 1 if deviation > 0 else -1
    entries = [(part, sign * closing * abs(shares) / total) for part, shares in against.items()]
    rest = deviation - sum(shares for _, shares in entries)
    if abs(rest) > 0:
        entries.append((opened, rest))
    for part, shares in entries:
        state.open[part] += shares
    return entries


def _exit(token: str, state: _Token, mark: Mark) -> UncopiedExit:
    last = state.last
    shares = state.open["uncopied_exits"]
    return UncopiedExit(token, shares, mark.price, state.exit_since, mark.age, last.title, last.event_slug, last.outcome)
