"""What a copying rule would have ordered, fill by fill. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from polypipe.attribution.fills import CopyFill, SetChange
from polypipe.attribution.full_sets import FullSets
from polypipe.attribution.groups import Groups, groups_of, net_of, prices_of
from polypipe.attribution.marks import Marks
from polypipe.attribution.replay_input import ReplayFill
from polypipe.divergence.copy_rule import Rule


@dataclass
class RuleOutcome:
    """Outcome of a rule in a window, in USD. `effect` is the change of ratio x whale PnL by floor and tiers on the days
    that count.

    `fills` counts the whale's fills in the window, `asked` those that the rule copies, `below_minimum` those of them
    whose order would be too small. Coverage is in percent as of the end; None if the rule holds nothing.
    """

    effect: float = 0.0
    fills: int = 0
    asked: int = 0
    below_minimum: int = 0
    covered_usd: float = 0.0
    expected_usd: float = 0.0
    without_price: int = 0

    @property
    def coverage(self) -> float | None:
        return 100 * self.covered_usd / self.expected_usd if self.expected_usd else None


def follow_rule(
    fills: Iterable[CopyFill | ReplayFill],
    sets: Iterable[SetChange],
    prices: Marks,
    rule: Rule,
    start: float,
    end: float,
    counting: Sequence[tuple[float, float]] | None = None,
    *,
    held: Mapping[str, float] | None = None,
    events: Groups | None = None,
) -> RuleOutcome:
    """Follow a rule through fills in order of time. The window is [start, end) in epoch seconds.

    `counting` are the spans of the window, in order, whose effect counts; None for the whole window. Neither the rule nor
    the plain ratio sells more than it holds, because the whale's holdings before the first fill are unknown. `held` are
    the shares by token whose coverage is computed, by default those of the copier's fills; `events` the neg-risk events.
    """
    paper = RuleOutcome()
    plain: dict[str, float] = defaultdict(float)  # shares by the plain ratio
    asked: dict[str, float] = defaultdict(float)  # shares by the rule
    has: dict[str, float] = defaultdict(float)  # shares of the copier
    fills = list(fills)
    groups = groups_of(fills, events or Groups())
    split = FullSets(sets)
    spans = [(start, end)] if counting is None else list(counting)
    opened = 0

    def open_spans(t: float) -> None:
        """Count the effect, over each span that begins by `t`, of the shares that the rule holds beyond the plain ratio."""
        nonlocal opened
        while opened < len(spans) and spans[opened][0] <= t:
            for token, shares in asked.items():
                before, after = (prices.at(token, edge) for edge in spans[opened])
                if before is not None and after is not None:
                    paper.effect += (shares - plain[token]) * (after.price - before.price)
            opened += 1

    for fill in fills:
        open_spans(fill.t)
        has[fill.token] += fill.sign * fill.copier_shares
        if fill.whale_shares is None or fill.whale_price is None:
            continue
        wanted, simple = (
            rule.expected(_Whale(fill.side, fill.whale_shares, fill.whale_price)),
            rule.ratio * fill.whale_shares,
        )
        if fill.t >= start:
            paper.fills += 1
            paper.asked += wanted > 0
            paper.below_minimum += wanted > 0 and not rule.bot.orderable(wanted, fill.whale_price)
        if fill.side == "SELL":
            yes = groups.shares[fill.token].yes
            from_sets = rule.ratio * split.of_token(fill.condition, fill.event_slug, yes, fill.t)
            simple = min(simple, max(plain[fill.token] + from_sets, 0.0))
            wanted = min(wanted, max(asked[fill.token] + from_sets, 0.0))
        plain[fill.token] += fill.sign * simple
        asked[fill.token] += fill.sign * wanted
        closes = spans[opened - 1][1] if opened else fill.t
        if fill.t < closes and (mark := prices.at(fill.token, closes)) is not None:
            paper.effect += fill.sign * (wanted - simple) * (mark.price - fill.whale_price)
    open_spans(end)
    members: dict[str, list[str]] = defaultdict(list)
    marks: dict[str, float] = {}
    for token in asked:
        mark = prices.at(token, end)
        if mark is None:
            paper.without_price += 1
        elif not mark.settled:
            marks[token] = mark.price
            members[groups.shares[token].group].append(token)
    for tokens in members.values():
        net = net_of(
            {token: (has if held is None else held).get(token, 0.0) for token in tokens},
            {token: asked[token] for token in tokens},
            groups,
        )
        if net is None:
            continue
        worth = prices_of({token: marks[token] for token in tokens}, net.has, groups)
        for outcome, shares in net.wanted.items():
            price = worth[outcome] or 0.0
            if rule.bot.orderable(shares, price):
                paper.expected_usd += shares * price
                paper.covered_usd += min(net.has[outcome], shares) * price
    return paper


@dataclass(frozen=True)
class _Whale:
    side: str
    shares: float
    price: float
