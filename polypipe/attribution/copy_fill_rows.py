"""Rows of table `copy_fills` from matched fills and own fills. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Any, cast

from polypipe.attribution.arrival import Arrivals
from polypipe.attribution.days import moment
from polypipe.attribution.fees import Schedules
from polypipe.attribution.fills import Fill, Match
from polypipe.attribution.habits import Habits
from polypipe.attribution.labels import Catalog, price_bucket
from polypipe.attribution.reasons import ROUNDING_SHARES, LoggedFill, fill_status, servable
from polypipe.attribution.tables import Log
from polypipe.divergence.copy_rule import rule_of, size_bucket
from polypipe.wallets import Wallets
from polypipe.warehouse.rows import CopyFillRow


class Holdings:
    """The copier's shares of a token just before an instant, according to its fills."""

    def __init__(self, fills: Iterable[Fill], before: Mapping[str, float]) -> None:
        self._times: dict[str, list[float]] = defaultdict(list)
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._before = before
        for fill in fills:
            held = self._sums[fill.token][-1] if self._sums[fill.token] else before.get(fill.token, 0.0)
            self._times[fill.token].append(fill.t)
            self._sums[fill.token].append(held + fill.sign * fill.shares)

    def just_before(self, token: str, t: float) -> float:
        n = bisect_left(self._times.get(token, ()), t)
        return self._sums[token][n - 1] if n else self._before.get(token, 0.0)


class Resting:
    """The copier's shares of a token that other sales reserve: until a late copy, and between the parts of a copy.

    Of orders in one second, the one for the earlier fill of the whale comes first.
    """

    def __init__(self, matches: Iterable[Match], habits: Habits) -> None:
        self._habits = habits
        steps: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
        for found in matches:
            if found.copies and found.whale.side == "SELL":
                steps[found.whale.token].append((*self._sent(found), found.shares))
                steps[found.whale.token] += [(copy.t, inf, -copy.shares) for copy in found.copies]
        self._times = {token: [step[:2] for step in sorted(changes)] for token, changes in steps.items()}
        self._sums = {token: list(accumulate(step[2] for step in sorted(changes))) for token, changes in steps.items()}

    def of_others(self, found: Match, t: float) -> float:
        """Shares that the sales for other fills reserve just before `t`, at most the time of the fill's first copy."""
        before = t, found.whale.t
        n = bisect_left(self._times.get(found.whale.token, ()), before)
        own = found.shares if found.copies and found.whale.side == "SELL" and self._sent(found) < before else 0.0
        return self._sums[found.whale.token][n - 1] - own if n else 0.0

    def _sent(self, found: Match) -> tuple[float, float]:
        """When the order was sent: at the usual latency if its copy is late, else it was filled at once."""
        late = found.whale.t + self._habits.at(found.whale.t).latency
        return (min(late, found.copies[0].t) if found.late else found.copies[0].t), found.whale.t


@dataclass
class RowMaker:
    wallets: Wallets
    habits: Habits
    catalog: Catalog
    holdings: Holdings
    resting: Resting
    log: Log
    schedules: Schedules
    arrivals: Arrivals

    def of_match(self, found: Match) -> CopyFillRow:
        """The row of a fill of the whale."""
        whale, price = found.whale, found.price
        ratio = self.habits.ratio(whale.t)
        expected = rule_of(self.wallets.bot, ratio).expected(whale)
        logged = self._logged(whale)
        at = found.copies[0].t if found.copies else whale.t
        held = self.holdings.just_before(whale.token, at)
        free = held - self.resting.of_others(found, at)
        if (
            found.shares < free - ROUNDING_SHARES
        ):  # the order did not sell all of it: nothing shows that shares were reserved
            free = held
        bot = self.wallets.bot
        size = expected if found.joined else max(expected, bot.minimum_order(whale.price))
        full, least = expected, bot.least_order(whale.price)
        if whale.side == "BUY" and found.copies and not bot.orderable(expected, whale.price) and least < size:
            full, size = min(expected, least), min(size, max(found.shares, least))  # sent at a price with the buffer
        decided = fill_status(found, full, free, logged, bot)
        paid, copied = self.schedules.fee(whale), self.schedules.fees(found.copies)
        worse = None if price is None else whale.sign * (price - whale.price)
        arrival_price, arrival_source = self.arrivals.price(found)
        row = {
            **self._common(whale),
            "status": decided.status,
            "reason": decided.reason,
            "reason_source": decided.source,
            "whale_shares": whale.shares,
            "whale_price": whale.price,
            "whale_fee": paid.usd,
            "whale_role": paid.role,
            "whale_fee_reason": paid.reason,
            "ratio": ratio,
            "eligible": expected > 0,
            "expected_shares": expected,
            "ordered_shares": servable(found, size, free),
            "copier_shares": found.shares,
            "copier_price": price,
            "copier_fee": copied.usd,
            "copier_role": copied.role,
            "copier_fee_reason": copied.reason,
            "copier_fills": len(found.copies),
            "order_sent": bool(found.copies) or (logged is not None and logged.order_sent),
            "copied_at": moment(found.copies[0].t) if found.copies else None,
            "completed_at": moment(found.copies[-1].t) if found.copies else None,
            "latency": found.copies[0].t - whale.t if found.copies else None,
            "slippage_cents": None if worse is None else 100 * worse,
            "slippage_usd": None if worse is None else found.shares * worse,
            "slippage_bps": None if price is None else 1e4 * whale.sign * (price / whale.price - 1),
            "arrival_price": arrival_price,
            "arrival_source": arrival_source,
            "fill_ratio": found.shares / (servable(found, expected, free) if found.copies else expected)
            if expected
            else None,
            "first_fill_ratio": logged.first_fill_ratio(found.shares) if logged else None,
            "ambiguous": found.ambiguous,
            "late": found.late,
            "joined": found.joined,
            "live": logged.live if logged else None,
        }
        return cast(CopyFillRow, row)

    def of_own(self, fill: Fill) -> CopyFillRow:
        """The row of an own fill of the copier."""
        paid = self.schedules.fee(fill)
        row = {
            **dict.fromkeys(CopyFillRow.__annotations__),
            **self._common(fill),
            "status": "own",
            "ratio": self.habits.ratio(fill.t),
            "eligible": False,
            "expected_shares": 0.0,
            "copier_shares": fill.shares,
            "copier_price": fill.price,
            "copier_fee": paid.usd,
            "copier_role": paid.role,
            "copier_fee_reason": paid.reason,
            "copier_fills": 1,
            "order_sent": True,
            "copied_at": moment(fill.t),
            "completed_at": moment(fill.t),
            "ambiguous": False,
            "late": False,
            "joined": False,
        }
        return cast(CopyFillRow, row)

    def _common(self, fill: Fill) -> dict[str, Any]:
        labels = self.catalog.labels(fill.token, fill.event_slug)
        return {
            "key": fill.key,
            "timestamp": moment(fill.t),
            "user1_address": self.wallets.copier,
            "user2_address": self.wallets.whale,
            "token_id": fill.token,
            "condition_id": fill.condition,
            "side": fill.side,
            "sport": labels.sport,
            "league": labels.league,
            "market_type": labels.market_type,
            "price_bucket": price_bucket(fill.price),
            "size_bucket": size_bucket(fill.shares),
            "title": fill.title,
            "event_slug": fill.event_slug,
            "outcome": fill.outcome,
        }

    def _logged(self, whale: Fill) -> LoggedFill | None:
        """What the bot's log says of a fill."""
        line = self.log.line_of(whale)
        if line is None:
            return None
        return LoggedFill(line.outcome, line.reason, line.requested, line.filled, line.live, line.fill_state)
