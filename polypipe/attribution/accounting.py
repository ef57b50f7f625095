"""Where each dollar of the gap went. Pure arithmetic: fills in order of time, marks, and the days to account for.

A fill of the whale of q shares is to be copied with w = ratio x q. What the copier did instead is put down twice:

- slippage, at once: -sign x copied shares x (its price - the whale's);
- a deviation of sign x (copied - w) shares from the whale's price on, under the cause that made it. While it is open,
  each day's part of that cause is deviation x what the token's mark moved that day (from the fill's price on its day).

A later trade that makes good an open deviation closes it before it opens one of its own: a sale of the whale that the
copier could not follow closes the purchase it had missed, or its own sale before; a purchase of the copier's own closes
what was missed, and a sale of its own closes an exit that was not copied. So the copier's shares are always ratio x the
whale's + all open deviations, and the parts of a day sum to copier PnL - ratio x whale PnL at the marks, whatever the
classification.
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
    """A token while it is open: shares of both wallets by their fills, and the deviations between them."""

    last: CopyFill
    whale: float = 0.0
    target: float = 0.0  # ratio x the whale's shares, each fill at the ratio of its day
    copier: float = 0.0
    open: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    exit_since: float = 0.0


def explain(
    fills: Sequence[CopyFill],
    sets: Iterable[SetChange],
    prices: Marks,
    days: Sequence[tuple[float, float, float]],
) -> Iterator[ExplainedDay]:
    """Account for each of `days`: (start, end, ratio), in order and without gaps. `fills` are in order of time and begin
    where the first day does, or before; what is open when the first day begins is carried into it.

    O(fills + days x open tokens).
    """
    walk = _Walk(prices, list(sets))
    n = 0
    while n < len(fills) and fills[n].t < days[0][0]:
        walk.book(fills[n], None, days[0][0])
        n += 1
    for start, end, ratio in days:
        day = ExplainedDay(start, end)
        walk.carry(day, ratio)
        while n < len(fills) and fills[n].t < end:
            walk.book(fills[n], day, end)
            n += 1
        walk.close(day, ratio)
        yield day


class _Walk:
    def __init__(self, prices: Marks, sets: Sequence[SetChange]) -> None:
        self.prices = prices
        self.sets: dict[str, list[SetChange]] = defaultdict(list)
        for change in sets:
            self.sets[change.condition].append(change)
        self.tokens: dict[str, _Token] = {}
        self.after_midnight = 0.0  # USD that copies of the day before had made at its end, before they came

    def carry(self, day: ExplainedDay, ratio: float) -> None:
        """What is open at the start of a day, over that day."""
        if self.after_midnight:
            day.notes[AFTER_MIDNIGHT], self.after_midnight = self.after_midnight, 0.0
        for token, state in list(self.tokens.items()):
            before, after = self.prices.at(token, day.start), self.prices.at(token, day.end)
            if before is None or after is None:
                if before is not None:  # else it dropped out on an earlier day
                    day.notes[NO_PRICE] = None
                del self.tokens[token]
                continue
            moved = after.price - before.price
            for part, shares in state.open.items():
                day.parts[part] += shares * moved
            changed = (state.target - ratio * state.whale) * moved
            if abs(changed) > 1e-9:
                day.notes[RATIO_CHANGED] = (day.notes.get(RATIO_CHANGED) or 0.0) + changed

    def book(self, fill: CopyFill, day: ExplainedDay | None, end: float) -> None:
        """Take a fill into the books, and into the parts of its day, which ends at `end` or before."""
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
            raise ValueError(f"a fill without any price: {fill}")
        opened, closes = _cause(fill, copied - target)
        for part, shares in _book(state, copied - target, opened, closes):
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
        """What is open at the end of a day."""
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
        """Which share of the whale's and of the copier's sale is of shares whose purchase is known; 1 for a purchase."""
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
    """The part that a deviation opens, and the open ones of the other sign that it makes good before."""
    if fill.whale_shares is None:
        return "own", _MISSED if deviation > 0 else frozenset({"uncopied_exits", "excess"})
    if fill.side == "BUY":
        if deviation < 0:
            # A copy that counts as full is a few hundredths of a share short: not for an unknown reason.
            reason = "unfilled" if fill.reason is None and fill.copier_shares else fill.reason
            return f"missed_{reason if reason in MISSED else 'unknown'}", frozenset({"uncopied_exits"})
        return "excess", _MISSED
    if deviation > 0:  # what the copier has sold before the whale, it does not hold any more
        return "uncopied_exits", _MISSED | {"own", "excess"}
    return "excess", frozenset({"uncopied_exits", "own"})


def _book(state: _Token, deviation: float, opened: str, closes: frozenset[str]) -> list[tuple[str, float]]:
    """Enter a deviation: it closes the open ones of the other sign in proportion, the rest opens a part of its own."""
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
