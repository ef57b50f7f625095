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

Shares that leave a wallet without a trade open a deviation under `moved`, from what they cost: PnL counts them as given
back at cost.

The gap compares with the ratio of each hour, while the copier holds shares of fills that were copied at an earlier ratio.
The difference of the two targets, times the move of the price, is the part `ratio_change`.
"""

from collections.abc import Iterable, Iterator, Sequence

from polypipe.attribution.deviations import DUST_SHARES, OpenToken, cause_of, cost_after, enter_deviation
from polypipe.attribution.exits import OpenTokens
from polypipe.attribution.fills import CopyFill, Move, SetChange
from polypipe.attribution.full_sets import FullSets
from polypipe.attribution.groups import Groups, groups_of
from polypipe.attribution.marks import Mark, Marks
from polypipe.attribution.parts import (
    AFTER_MIDNIGHT,
    FEES_UNKNOWN,
    FROM_BEFORE,
    NO_PRICE,
    STALE,
    ExplainedDay,
    StaleMark,
)
from polypipe.bot_profile import CLASSIC, BotProfile


def explain(
    fills: Sequence[CopyFill],
    sets: Iterable[SetChange],
    prices: Marks,
    days: Sequence[tuple[float, float, float]],
    *,
    moves: Iterable[Move] = (),
    events: Groups | None = None,
    bot: BotProfile = CLASSIC,
) -> Iterator[ExplainedDay]:
    """Account for each of `days`: (start, end, ratio), in order and without gaps; a day whose ratio changes in pieces.

    `fills` are in order of time. Those before the first day open the positions that are carried into it. `sets` are
    splits, merges and conversions, `events` the neg-risk events. Positions below the `bot`'s
    minimum order are neither covered nor exits. Takes O(fills + days x open tokens).
    """
    account = _Account(prices, sets, groups_of(fills, events or Groups()), bot)
    acts: list[CopyFill | Move] = sorted([*fills, *moves], key=lambda act: act.t)
    n = 0
    while n < len(acts) and acts[n].t < days[0][0]:
        account.enter(acts[n], None, days[0][0])
        n += 1
    for start, end, ratio in days:
        day = ExplainedDay(start, end)
        account.carry(day, ratio)
        while n < len(acts) and acts[n].t < end:
            account.enter(acts[n], day, end, ratio)
            n += 1
        account.close(day, ratio)
        yield day


class _Account:
    def __init__(self, prices: Marks, sets: Iterable[SetChange], groups: Groups, bot: BotProfile) -> None:
        self.prices = prices
        self.groups = groups
        self.open = OpenTokens(groups, bot)
        self.sets = FullSets(sets)
        self.after_midnight = 0.0  # USD that late copies had made at the end of the day before

    def carry(self, day: ExplainedDay, ratio: float) -> None:
        """Enter the day's part of every deviation that is open at its start."""
        if self.after_midnight:
            day.notes[AFTER_MIDNIGHT], self.after_midnight = self.after_midnight, 0.0
        for token, state in list(self.open.tokens.items()):
            before, after = self.prices.at(token, day.start), self.prices.at(token, day.end)
            if before is None or after is None:
                if before is not None:  # otherwise it was noted on an earlier day
                    day.notes[NO_PRICE] = None
                self.open.drop(token)
                continue
            moved = after.price - before.price
            for part, shares in state.open.items():
                day.parts[part] += shares * moved
            day.parts["ratio_change"] += (state.target - ratio * state.whale) * moved

    def enter(self, act: CopyFill | Move, day: ExplainedDay | None, end: float, ratio: float = 0.0) -> None:
        """Enter a fill or a move, and its parts of the day that ends at `end`; no parts if `day` is None."""
        if isinstance(act, Move):
            self._move(act, day, end, ratio)
        else:
            self._fill(act, day, end, ratio)

    def _fill(self, fill: CopyFill, day: ExplainedDay | None, end: float, ratio: float) -> None:
        state = self.open.of_fill(fill)
        known, known_own = self._known_shares(state, fill)
        if min(known, known_own) < 1 and day is not None:
            day.notes[FROM_BEFORE] = None
        mark = self.prices.at(fill.token, end)
        if day is not None and mark is None:
            day.notes[NO_PRICE] = None
        copied = fill.sign * fill.copier_shares * known_own
        whale = fill.sign * (fill.whale_shares or 0.0) * known
        target = fill.ratio * whale
        whale_fee, copier_fee = fill.whale_fee or 0.0, fill.copier_fee or 0.0
        price = fill.whale_price if fill.whale_price is not None else fill.copier_price
        if price is None:
            raise ValueError(f"fill without a price: {fill}")
        state.whale_cost = cost_after(state.whale_cost, state.whale, whale, fill.whale_price, whale_fee)
        state.copier_cost = cost_after(state.copier_cost, state.copier, copied, fill.copier_price, copier_fee)
        state.whale += whale
        state.target += target
        state.copier += copied
        opened, closes = cause_of(fill, copied - target)
        entries = enter_deviation(state, copied - target, opened, closes)
        if opened == "uncopied_exits" and entries and entries[-1][0] == opened:
            entries[-1:] = self.open.cap_exit(fill, state, entries[-1][1])
        for part, shares in entries:
            if part == "uncopied_exits" and state.open[part] <= shares + DUST_SHARES:
                state.exit_since = fill.t
            if day is not None and mark is not None:
                day.parts[part] += shares * (mark.price - price)
        self.open.date_exits(self.groups.shares[fill.token].group, fill.t)
        if fill.copied_at is not None and fill.copied_at >= end and fill.copier_price is not None and mark is not None:
            made = copied * (mark.price - fill.copier_price) - copier_fee
            self.after_midnight += made
            if day is not None:
                day.notes[AFTER_MIDNIGHT] = (day.notes.get(AFTER_MIDNIGHT) or 0.0) - made
        if day is not None:
            if fill.whale_price is not None and fill.copier_price is not None:
                day.parts["slippage"] -= fill.sign * fill.copier_shares * (fill.copier_price - fill.whale_price)
            day.parts["fees"] += fill.ratio * whale_fee - copier_fee
            other = (fill.ratio - ratio) * whale_fee
            if mark is not None and fill.whale_price is not None:
                other -= (target - ratio * whale) * (mark.price - fill.whale_price)
            day.parts["ratio_change"] -= other
            if fill.copier_fee is None or (fill.whale_fee is None and fill.whale_shares is not None):
                day.notes[FEES_UNKNOWN] = None

    def _move(self, move: Move, day: ExplainedDay | None, end: float, ratio: float) -> None:
        """Enter shares that left a wallet without a trade: only those whose purchase is known."""
        state = self.open.tokens.get(move.token)
        held = 0.0 if state is None else state.copier if move.of_copier else state.whale
        shares = min(move.shares, held)
        if state is None or shares <= DUST_SHARES:
            return
        if move.of_copier:
            price, left, other = state.copier_cost / held, -shares, 0.0
            state.copier_cost -= price * shares
            state.copier -= shares
        else:
            price, left = state.whale_cost / held, shares * state.target / held
            other = left - ratio * shares
            state.whale_cost -= price * shares
            state.whale -= shares
            state.target -= left
        mark = self.prices.at(move.token, end)
        part = "excess" if move.fee else "moved"
        state.open[part] += left
        if day is not None and mark is not None:
            day.parts[part] += left * (mark.price - price)
            day.parts["ratio_change"] -= other * (mark.price - price)
            if move.fee:  # paid in shares: gone at what they cost, and not held since
                day.parts["fees"] += left * price
        if day is not None and not move.fee:
            day.moved.append((move.of_copier, shares, None if mark is None else shares * mark.price))

    def close(self, day: ExplainedDay, ratio: float) -> None:
        """Value what is open at the end of a day: coverage, uncopied exits, stale prices."""
        marks: dict[str, Mark] = {}
        for token in list(self.open.tokens):
            mark = self.prices.at(token, day.end)
            if mark is None:
                self.open.drop(token)
            elif mark.settled:
                self.open.settle(token)
            else:
                marks[token] = mark
        for state, mark in ((self.open.tokens[token], mark) for token, mark in marks.items()):
            open_ = [shares for shares in state.open.values() if abs(shares) > DUST_SHARES]
            day.open_tokens += bool(open_)
            if open_ and mark.age > STALE:
                usd = abs(sum(open_)) * mark.price
                day.stale.append(StaleMark(mark.age, mark.source, usd, state.last.title, state.last.outcome))
        for group, tokens in self.open.members.items():
            if tokens:
                self.open.value(group, marks, ratio, day)
        day.exits.sort(key=lambda found: (-found.usd, found.token))
        day.stale.sort(key=lambda found: (-found.usd, found.title, found.outcome))

    def _known_shares(self, state: OpenToken, fill: CopyFill) -> tuple[float, float]:
        """Shares of the whale's and the copier's sale whose purchase is known, from 0 to 1; 1 for a purchase."""
        if fill.side == "BUY":
            return 1.0, 1.0
        sets = self.sets.of_token(fill.condition, fill.event_slug, self.groups.shares[fill.token].yes, fill.t)
        return (
            _known_part(state.whale + sets, fill.whale_shares or 0.0),
            _known_part(state.copier, fill.copier_shares),
        )


def _known_part(held: float, sold: float) -> float:
    return 1.0 if held >= sold - DUST_SHARES else max(held, 0.0) / sold
