"""Tokens by the outcomes that they pay on, and what two wallets hold of them, net. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from polypipe.divergence.exposure import Share, net_exposure, outcome_prices


@dataclass(frozen=True)
class Groups:
    """Where tokens belong. `outcomes` has the number of outcomes of neg-risk events, None where it is not known."""

    shares: Mapping[str, Share] = field(default_factory=dict)
    outcomes: Mapping[str, int | None] = field(default_factory=dict)

    def number(self, group: str) -> int | None:
        """Number of outcomes of a group; 2 for a market that is a group of its own."""
        return self.outcomes.get(group, 2)


def groups_of(fills: Iterable[Any], events: Groups) -> Groups:
    """The groups of all tokens of some fills: those of `events`, else the market, else the token itself.

    Fills have `token` and `condition`. Which outcome of a market is called YES does not matter for a market alone.
    """
    shares = dict(events.shares)
    tokens: dict[str, set[str]] = defaultdict(set)
    for fill in fills:
        if fill.token not in shares:
            tokens[fill.condition or fill.token].add(fill.token)
    for condition, found in tokens.items():
        for n, token in enumerate(sorted(found)):
            group = condition if len(found) <= 2 else token
            shares[token] = Share(group, group, n == 0 or len(found) > 2)
    return Groups(shares, events.outcomes)


@dataclass(frozen=True)
class Net:
    """What the copier has and what it should have, in shares by outcome of one group, net of what pays in any case.

    `over` is what it has beyond that.
    """

    has: Mapping[str, float]
    wanted: Mapping[str, float]
    over: Mapping[str, float]

    def over_of(self, share: Share) -> float:
        """Shares of a token that the copier has beyond what it should have."""
        return min(self.over[outcome] for outcome in paid_by(share, self.over))


def net_of(
    has: Mapping[str, float], wanted: Mapping[str, float], groups: Groups, settled: Iterable[str] = ()
) -> Net | None:
    """Compare shares by token of one group; None if its number of outcomes is not known and matters.

    `settled` are markets of the group that are decided and not among the tokens: their outcomes cannot happen.
    """
    places = {token: groups.shares[token] for token in {*has, *wanted}}
    group = next(iter(places.values())).group
    conditions = {place.condition for place in places.values()}
    number = groups.number(group)
    left = None if number is None else number - len(set(settled) - conditions)
    sides = [
        net_exposure([(places[token], shares) for token, shares in side.items()], conditions, left)
        for side in (has, wanted)
    ]
    if sides[0] is None or sides[1] is None:
        return None
    over = {outcome: max(shares - sides[1].get(outcome, 0.0), 0.0) for outcome, shares in sides[0].items()}
    return Net(sides[0], sides[1], over)


def prices_of(marks: Mapping[str, float], outcomes: Iterable[str], groups: Groups) -> dict[str, float | None]:
    """Outcome -> price, from the marks of tokens of one group."""
    yes = {
        groups.shares[token].condition: mark if groups.shares[token].yes else 1.0 - mark for token, mark in marks.items()
    }
    return outcome_prices(yes, list(outcomes))


def paid_by(share: Share, outcomes: Iterable[str]) -> list[str]:
    """The outcomes for which a token pays."""
    return [outcome for outcome in outcomes if (outcome == share.condition) == share.yes]
