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

Exits and coverage are judged on net exposure (`divergence/exposure.py`): a whale that buys the other outcome has left,
whether it merges or not, and a sale of shares that it has split is not an exit of a copier that holds none.

Shares that leave a wallet without a trade open a deviation under `moved`, from what they cost: PnL counts them as given
back at cost.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from polypipe.attribution.fills import CopyFill, Move, SetChange
from polypipe.attribution.groups import Groups, Net, groups_of, net_of, paid_by, prices_of
from polypipe.attribution.marks import Mark, Marks
from polypipe.attribution.parts import (
    AFTER_MIDNIGHT,
    DEVIATIONS,
    EVENT_SIZE,
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
_NOT_EXITS = ("own", "excess", "moved")  # what the copier has beyond the target for other causes than an exit
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
    whale_cost: float = 0.0  # USD, at average cost
    copier_cost: float = 0.0


def explain(
    fills: Sequence[CopyFill],
    sets: Iterable[SetChange],
    prices: Marks,
    days: Sequence[tuple[float, float, float]],
    *,
    moves: Iterable[Move] = (),
    events: Groups | None = None,
) -> Iterator[ExplainedDay]:
    """Account for each of `days`: (start, end, ratio), in order and without gaps.

    `fills` are in order of time. Those before the first day open the positions that are carried into it. `sets` are
    splits, merges and conversions, `events` the neg-risk events. Takes O(fills + days x open tokens).
    """
    account = _Account(prices, list(sets), groups_of(fills, events or Groups()))
    acts: list[CopyFill | Move] = sorted([*fills, *moves], key=lambda act: act.t)
    n = 0
    while n < len(acts) and acts[n].t < days[0][0]:
        account.enter(acts[n], None, days[0][0])
        n += 1
    for start, end, ratio in days:
        day = ExplainedDay(start, end)
        account.carry(day, ratio)
        while n < len(acts) and acts[n].t < end:
            account.enter(acts[n], day, end)
            n += 1
        account.close(day, ratio)
        yield day


class _Account:
    def __init__(self, prices: Marks, sets: Sequence[SetChange], groups: Groups) -> None:
        self.prices = prices
        self.groups = groups
        self.members: dict[str, list[str]] = defaultdict(list)  # group -> open tokens
        self.settled: dict[str, set[str]] = defaultdict(set)  # group -> decided markets
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
                self._drop(token)
                continue
            moved = after.price - before.price
            for part, shares in state.open.items():
                day.parts[part] += shares * moved
            changed = (state.target - ratio * state.whale) * moved
            if abs(changed) > 1e-9:
                day.notes[RATIO_CHANGED] = (day.notes.get(RATIO_CHANGED) or 0.0) + changed

    def enter(self, act: CopyFill | Move, day: ExplainedDay | None, end: float) -> None:
        """Enter a fill or a move, and its parts of the day that ends at `end`; no parts if `day` is None."""
        if isinstance(act, Move):
            self._move(act, day, end)
        else:
            self._fill(act, day, end)

    def _fill(self, fill: CopyFill, day: ExplainedDay | None, end: float) -> None:
        state = self.tokens.get(fill.token)
        if state is None:
            state = self.tokens[fill.token] = _Token(fill)
            self.members[self.groups.shares[fill.token].group].append(fill.token)
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
        price = fill.whale_price if fill.whale_price is not None else fill.copier_price
        if price is None:
            raise ValueError(f"fill without a price: {fill}")
        state.whale_cost = _cost(state.whale_cost, state.whale, whale, fill.whale_price, fill.whale_fee or 0.0)
        state.copier_cost = _cost(state.copier_cost, state.copier, copied, fill.copier_price, fill.copier_fee)
        state.whale += whale
        state.target += target
        state.copier += copied
        opened, closes = _cause(fill, copied - target)
        entries = _enter_deviation(state, copied - target, opened, closes)
        if opened == "uncopied_exits" and entries and entries[-1][0] == opened:
            entries[-1:] = self._cap_exit(fill, state, entries[-1][1])
        for part, shares in entries:
            if part == "uncopied_exits" and state.open[part] <= shares + _DUST_SHARES:
                state.exit_since = fill.t
            if day is not None and mark is not None:
                day.parts[part] += shares * (mark.price - price)
        if len(self.members[self.groups.shares[fill.token].group]) > 1:
            self._date_exits(self.groups.shares[fill.token].group, fill.t)
        if fill.copied_at is not None and fill.copied_at >= end and fill.copier_price is not None and mark is not None:
            made = copied * (mark.price - fill.copier_price) - fill.copier_fee
            self.after_midnight += made
            if day is not None:
                day.notes[AFTER_MIDNIGHT] = (day.notes.get(AFTER_MIDNIGHT) or 0.0) - made
        if day is not None:
            if fill.whale_price is not None and fill.copier_price is not None:
                day.parts["slippage"] -= fill.sign * fill.copier_shares * (fill.copier_price - fill.whale_price)
            day.parts["fees"] += fill.ratio * (fill.whale_fee or 0.0) - fill.copier_fee

    def _cap_exit(self, fill: CopyFill, state: _Token, shares: float) -> list[tuple[str, float]]:
        """Split the shares of a new exit into what the copier holds, and what it missed because it holds none.

        `shares` are entered as an exit already.
        """
        net = self._net(self.groups.shares[fill.token].group)
        if net is None:
            return [("uncopied_exits", shares)]
        others = sum(max(state.open[part], 0.0) for part in _NOT_EXITS)
        held = max(net.over_of(self.groups.shares[fill.token]) - others - (state.open["uncopied_exits"] - shares), 0.0)
        if held >= shares - _DUST_SHARES:
            return [("uncopied_exits", shares)]
        missed = _missed(fill)
        state.open["uncopied_exits"] -= shares - held
        state.open[missed] += shares - held
        return [("uncopied_exits", held), (missed, shares - held)] if held > _DUST_SHARES else [(missed, shares - held)]

    def _move(self, move: Move, day: ExplainedDay | None, end: float) -> None:
        """Enter shares that left a wallet without a trade: only those whose purchase is known."""
        state = self.tokens.get(move.token)
        held = 0.0 if state is None else state.copier if move.of_copier else state.whale
        shares = min(move.shares, held)
        if state is None or shares <= _DUST_SHARES:
            return
        if move.of_copier:
            price, left = state.copier_cost / held, -shares
            state.copier_cost -= price * shares
            state.copier -= shares
        else:
            price, left = state.whale_cost / held, shares * state.target / held
            state.whale_cost -= price * shares
            state.whale -= shares
            state.target -= left
        mark = self.prices.at(move.token, end)
        part = "excess" if move.fee else "moved"
        state.open[part] += left
        if day is not None and mark is not None:
            day.parts[part] += left * (mark.price - price)
            if move.fee:  # paid in shares: gone at what they cost, and not held since
                day.parts["fees"] += left * price
        if day is not None and not move.fee:
            day.moved.append((move.of_copier, shares, None if mark is None else shares * mark.price))

    def close(self, day: ExplainedDay, ratio: float) -> None:
        """Value what is open at the end of a day: coverage, uncopied exits, stale prices."""
        marks: dict[str, Mark] = {}
        for token in list(self.tokens):
            mark = self.prices.at(token, day.end)
            if mark is None or mark.settled:
                place = self.groups.shares[token]
                if mark is not None:
                    self.settled[place.group].add(place.condition)
                self._drop(token)
            else:
                marks[token] = mark
        for state, mark in ((self.tokens[token], mark) for token, mark in marks.items()):
            if any(abs(shares) > _DUST_SHARES for shares in state.open.values()):
                day.open_tokens += 1
                day.stale_tokens += mark.age > STALE
        for group, tokens in self.members.items():
            if not tokens:
                continue
            held = {token: ratio * self.tokens[token].whale for token in tokens}
            net = self._net(group, held)
            if net is None:
                day.notes[EVENT_SIZE] = None
            else:
                prices = prices_of({token: marks[token].price for token in tokens}, net.has, self.groups)
                for outcome, expected in net.wanted.items():
                    price = prices[outcome] or 0.0
                    if expected * price >= MINIMUM_USD:
                        day.expected_usd += expected * price
                        day.covered_usd += min(expected, net.has[outcome]) * price
            for token, shares in self._exits(group).items():
                if shares * marks[token].price >= MINIMUM_USD:
                    day.exits.append(_exit(token, shares, self.tokens[token], marks[token]))
        day.exits.sort(key=lambda found: (-found.usd, found.token))
        if day.stale_tokens:
            day.notes[STALE_PRICES] = None

    def _drop(self, token: str) -> None:
        del self.tokens[token]
        self.members[self.groups.shares[token].group].remove(token)

    def _net(self, group: str, wanted: dict[str, float] | None = None) -> Net | None:
        """Net exposure of the copier against the target, or against `wanted` shares by token."""
        tokens = self.members[group]
        has = {token: self.tokens[token].copier for token in tokens}
        target = wanted or {token: self.tokens[token].target for token in tokens}
        return net_of(has, target, self.groups, self.settled[group])

    def _exits(self, group: str) -> dict[str, float]:
        """Token -> shares that the copier still holds of what the whale has left.

        The whale has sold them, or bought what pays otherwise (the other outcome), which the copier has not.
        """
        tokens = self.members[group]
        sold = {token: self.tokens[token].open["uncopied_exits"] for token in tokens}
        net = self._net(group) if len(tokens) > 1 or max(sold.values(), default=0.0) > _DUST_SHARES else None
        if net is None:
            return {token: shares for token, shares in sold.items() if shares > _DUST_SHARES}
        causes = {token: sum(max(self.tokens[token].open[part], 0.0) for part in _NOT_EXITS) for token in tokens}
        own = net_of(causes, {}, self.groups, self.settled[group])
        left = {outcome: max(over - (own.has[outcome] if own else 0.0), 0.0) for outcome, over in net.over.items()}
        found: dict[str, float] = {}
        for token in sorted(tokens, key=lambda one: (-sold[one], one)):
            pays = paid_by(self.groups.shares[token], left)
            limit = max(sold[token], self.tokens[token].copier)
            shares = min(limit, *(left[outcome] for outcome in pays))
            if sold[token] > _DUST_SHARES:
                shares = min(sold[token], net.over_of(self.groups.shares[token]))
            if shares > _DUST_SHARES:
                found[token] = shares
                for outcome in pays:
                    left[outcome] = max(left[outcome] - shares, 0.0)
        return found

    def _date_exits(self, group: str, t: float) -> None:
        """Note since when there are exits, in a group with several open tokens."""
        exits = self._exits(group)
        for token in self.members[group]:
            state = self.tokens[token]
            if token not in exits:
                state.exit_since = 0.0
            elif not state.exit_since:
                state.exit_since = t

    def _known_shares(self, state: _Token, fill: CopyFill) -> tuple[float, float]:
        """Shares of the whale's and the copier's sale whose purchase is known, from 0 to 1; 1 for a purchase."""
        if fill.side == "BUY":
            return 1.0, 1.0
        sets = sum(change.shares for change in self.sets.get(fill.condition or "", ()) if change.t <= fill.t)
        if self.groups.shares[fill.token].yes:  # a conversion gives YES of every outcome that it does not take NO of
            sets += sum(change.shares for change in self.sets.get(fill.event_slug, ()) if change.t <= fill.t)
        return (
            _share(state.whale + max(sets, 0.0), fill.whale_shares or 0.0),
            _share(state.copier, fill.copier_shares),
        )


def _share(held: float, sold: float) -> float:
    return 1.0 if held >= sold - _DUST_SHARES else max(held, 0.0) / sold


def _cost(cost: float, held: float, shares: float, price: float | None, fee: float) -> float:
    """Cost of a holding after `shares` are bought (+) or sold (-), at average cost."""
    if shares >= 0:
        return cost + (shares * price + fee if price is not None and shares else 0.0)
    return cost * max(held + shares, 0.0) / held if held > _DUST_SHARES else cost


def _missed(fill: CopyFill) -> str:
    """The part for shares that were not copied."""
    # A full copy can be a few hundredths of a share short: rounding, not an unknown reason.
    reason = "unfilled" if fill.reason is None and fill.copier_shares else fill.reason
    return f"missed_{reason if reason in MISSED else 'unknown'}"


def _cause(fill: CopyFill, deviation: float) -> tuple[str, frozenset[str]]:
    """The part that a deviation opens, and the parts whose open deviations of the other sign it closes first."""
    if fill.whale_shares is None:
        return "own", _MISSED if deviation > 0 else _MISSED | {"uncopied_exits", "excess", "moved"}
    if fill.side == "BUY":
        if deviation < 0:
            return _missed(fill), _MISSED | {"uncopied_exits"}
        return "excess", _MISSED
    if deviation > 0:  # shares that the copier sold before the whale are not held any more
        return "uncopied_exits", _MISSED | {"own", "excess"}
    return "excess", _MISSED | {"uncopied_exits", "own"}


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


def _exit(token: str, shares: float, state: _Token, mark: Mark) -> UncopiedExit:
    last = state.last
    return UncopiedExit(token, shares, mark.price, state.exit_since, mark.age, last.title, last.event_slug, last.outcome)
