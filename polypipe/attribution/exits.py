"""The open tokens of both wallets by group, and the uncopied exits among them. Pure.

Exits are judged on net exposure (`divergence/exposure.py`): a whale that buys the other outcome has left, whether it
merges or not, and a sale of shares that it has split is not an exit of a copier that holds none.
"""

from collections import defaultdict
from collections.abc import Mapping

from polypipe.attribution.deviations import DUST_SHARES, OpenToken, missed_part
from polypipe.attribution.fills import CopyFill
from polypipe.attribution.groups import Groups, Net, net_of, paid_by, prices_of
from polypipe.attribution.marks import Mark
from polypipe.attribution.parts import EVENT_SIZE, ExplainedDay, UncopiedExit
from polypipe.bot_profile import CLASSIC, BotProfile

_NOT_EXITS = ("own", "excess", "moved")  # what the copier has beyond the target for other causes than an exit


class OpenTokens:
    """The open tokens, and which markets of a group are decided."""

    def __init__(self, groups: Groups, bot: BotProfile = CLASSIC) -> None:
        self.groups = groups
        self._bot = bot
        self.tokens: dict[str, OpenToken] = {}
        self.members: dict[str, list[str]] = defaultdict(list)  # group -> open tokens
        self._settled: dict[str, set[str]] = defaultdict(set)  # group -> decided markets

    def of_fill(self, fill: CopyFill) -> OpenToken:
        """The token of a fill, which is open from now on."""
        state = self.tokens.get(fill.token)
        if state is None:
            state = self.tokens[fill.token] = OpenToken(fill)
            self.members[self.groups.shares[fill.token].group].append(fill.token)
        state.last = fill
        return state

    def drop(self, token: str) -> None:
        """Forget a token that has no mark any more."""
        del self.tokens[token]
        self.members[self.groups.shares[token].group].remove(token)

    def settle(self, token: str) -> None:
        """Close a token whose market is decided."""
        place = self.groups.shares[token]
        self._settled[place.group].add(place.condition)
        self.drop(token)

    def _net(self, group: str, wanted: dict[str, float] | None = None) -> Net | None:
        """Net exposure of the copier against the target, or against `wanted` shares by token."""
        tokens = self.members[group]
        has = {token: self.tokens[token].copier for token in tokens}
        target = wanted or {token: self.tokens[token].target for token in tokens}
        return net_of(has, target, self.groups, self._settled[group])

    def _exits(self, group: str) -> dict[str, float]:
        """Token -> shares that the copier still holds of what the whale has left.

        The whale has sold them, or bought what pays otherwise (the other outcome), which the copier has not.
        """
        tokens = self.members[group]
        sold = {token: self.tokens[token].open["uncopied_exits"] for token in tokens}
        net = self._net(group) if len(tokens) > 1 or max(sold.values(), default=0.0) > DUST_SHARES else None
        if net is None:
            return {token: shares for token, shares in sold.items() if shares > DUST_SHARES}
        causes = {token: sum(max(self.tokens[token].open[part], 0.0) for part in _NOT_EXITS) for token in tokens}
        own = net_of(causes, {}, self.groups, self._settled[group])
        left = {outcome: max(over - (own.has[outcome] if own else 0.0), 0.0) for outcome, over in net.over.items()}
        found: dict[str, float] = {}
        for token in sorted(tokens, key=lambda one: (-sold[one], one)):
            pays = paid_by(self.groups.shares[token], left)
            limit = max(sold[token], self.tokens[token].copier)
            shares = min(limit, *(left[outcome] for outcome in pays))
            if sold[token] > DUST_SHARES:
                shares = min(sold[token], net.over_of(self.groups.shares[token]))
            if shares > DUST_SHARES:
                found[token] = shares
                for outcome in pays:
                    left[outcome] = max(left[outcome] - shares, 0.0)
        return found

    def cap_exit(self, fill: CopyFill, state: OpenToken, shares: float) -> list[tuple[str, float]]:
        """Split the shares of a new exit into what the copier holds, and what it missed because it holds none.

        `shares` are entered as an exit already.
        """
        net = self._net(self.groups.shares[fill.token].group)
        if net is None:
            return [("uncopied_exits", shares)]
        others = sum(max(state.open[part], 0.0) for part in _NOT_EXITS)
        held = max(net.over_of(self.groups.shares[fill.token]) - others - (state.open["uncopied_exits"] - shares), 0.0)
        if held >= shares - DUST_SHARES:
            return [("uncopied_exits", shares)]
        missed = missed_part(fill)
        state.open["uncopied_exits"] -= shares - held
        state.open[missed] += shares - held
        return [("uncopied_exits", held), (missed, shares - held)] if held > DUST_SHARES else [(missed, shares - held)]

    def date_exits(self, group: str, t: float) -> None:
        """Note since when there are exits in a group; with one open token its fills tell."""
        if len(self.members[group]) < 2:
            return
        exits = self._exits(group)
        for token in self.members[group]:
            state = self.tokens[token]
            if token not in exits:
                state.exit_since = 0.0
            elif not state.exit_since:
                state.exit_since = t

    def value(self, group: str, marks: Mapping[str, Mark], ratio: float, day: ExplainedDay) -> None:
        """Enter coverage and uncopied exits of a group at the end of a day. `marks` has all its open tokens."""
        tokens = self.members[group]
        net = self._net(group, {token: ratio * self.tokens[token].whale for token in tokens})
        if net is None:
            day.notes[EVENT_SIZE] = None
        else:
            prices = prices_of({token: marks[token].price for token in tokens}, net.has, self.groups)
            for outcome, expected in net.wanted.items():
                price = prices[outcome] or 0.0
                if self._bot.orderable(expected, price):
                    day.expected_usd += expected * price
                    day.covered_usd += min(expected, net.has[outcome]) * price
        for token, shares in self._exits(group).items():
            if self._bot.orderable(shares, marks[token].price):
                day.exits.append(_exit(token, shares, self.tokens[token], marks[token]))


def _exit(token: str, shares: float, state: OpenToken, mark: Mark) -> UncopiedExit:
    last = state.last
    return UncopiedExit(
        token, shares, mark.price, state.exit_since, mark.age, mark.source, last.title, last.event_slug, last.outcome
    )
