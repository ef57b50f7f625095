"""Matching the stored activity of a range of days, into table `copy_fills`. Reads tables, writes one, asks nobody."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.attribution.fills import Fill, Match
from polypipe.attribution.habits import HABIT_DAYS, Habits
from polypipe.attribution.inputs import (
    DAY,
    Row,
    days_of,
    held_before,
    moment,
    ratios_by_day,
    ratios_by_hour,
    read_fills,
    read_log,
)
from polypipe.attribution.labels import Catalog, price_bucket, read_catalog
from polypipe.attribution.matching import clear_pairs, match
from polypipe.attribution.reasons import Logged, judge
from polypipe.attribution.rule import FLOOR_SHARES, Rule
from polypipe.divergence.comparison import bucket
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse, Window

if TYPE_CHECKING:
    import duckdb

BEYOND = timedelta(hours=1)
"""Fills so far before and after the range take part in the matching, so that each day comes out the same whatever
range it is computed in."""


AT_ONCE = 30 * DAY
"""Longer ranges are matched in pieces: the rows of 200,000 fills take 800 MB."""


@dataclass(frozen=True)
class ComputedFills:
    """What a range gave. `status` counts by day and status, also of a day without fills. `waiting` says why the rows are
    still in the spool; None when they are stored."""

    status: dict[date, Counter[str]]
    waiting: str | None


def compute_fills(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> ComputedFills:
    """Match and store the whole UTC days of [start, end). A copy that comes after midnight belongs to the whale's day."""
    status = {day.date(): Counter[str]() for day in days_of(start, end)}
    with warehouse.read() as con, warehouse.batch("copy_fills") as batch:
        first = start
        while first < end:
            rows = fill_rows(con, wallets, first, min(first + AT_ONCE, end))
            batch.add("copy_fills", rows)
            for row in rows:
                status[row["timestamp"].date()][row["status"]] += 1
            first += AT_ONCE
        equals: dict[str, str | int | float | bool] = {"user1_address": wallets.copier, "user2_address": wallets.whale}
        batch_id = batch.commit({"copy_fills": Window("timestamp", start, end, equals)})
    return ComputedFills(status, warehouse.store(batch_id))


def fill_rows(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[Row]:
    """The rows of [start, end), in order of time. `con` has all tables."""
    first = start - HABIT_DAYS * DAY - BEYOND
    whale = read_fills(con, wallets.whale, first, end + BEYOND)
    copier = read_fills(con, wallets.copier, first, end + BEYOND)
    span = con, wallets, first - DAY, end + DAY
    habits = Habits(clear_pairs(whale, copier), ratios_by_hour(*span), ratios_by_day(*span), wallets.ratio)
    since = (start - BEYOND).timestamp()
    matched = match([fill for fill in whale if fill.t >= since], [fill for fill in copier if fill.t >= since], habits.at)
    maker = _RowMaker(
        wallets,
        habits,
        read_catalog(con),
        _Holdings(copier, held_before(con, wallets.copier, first)),
        read_log(con, start, end),
    )
    low, high = start.timestamp(), end.timestamp()
    rows = [maker.of_match(found) for found in matched.matches if low <= found.whale.t < high]
    rows += [maker.of_own(fill) for fill in matched.own if low <= fill.t < high]
    return sorted(rows, key=lambda row: (row["timestamp"], row["key"]))


class _Holdings:
    """What the copier held of a token just before an instant, by its trades."""

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


@dataclass
class _RowMaker:
    wallets: Wallets
    habits: Habits
    catalog: Catalog
    holdings: _Holdings
    log: Mapping[tuple[str, str, str], list[Row]]

    def of_match(self, found: Match) -> Row:
        whale, price = found.whale, found.price
        ratio = self.habits.ratio(whale.t)
        expected = Rule(ratio).expected(whale)
        logged = self._logged(whale)
        verdict = judge(found, expected, self.holdings.just_before(whale.token, whale.t), logged)
        worse = None if price is None else whale.sign * (price - whale.price)
        return {
            **self._common(whale),
            "status": verdict.status,
            "reason": verdict.reason,
            "reason_source": verdict.source,
            "whale_shares": whale.shares,
            "whale_price": whale.price,
            "whale_fee": whale.fee,
            "ratio": ratio,
            "eligible": whale.shares >= FLOOR_SHARES,
            "expected_shares": expected,
            "copier_shares": found.shares,
            "copier_price": price,
            "copier_fee": sum(copy.fee for copy in found.copies),
            "copier_fills": len(found.copies),
            "order_sent": bool(found.copies) or (logged is not None and logged.order_sent),
            "copied_at": moment(found.copies[0].t) if found.copies else None,
            "completed_at": moment(found.copies[-1].t) if found.copies else None,
            "latency": found.copies[0].t - whale.t if found.copies else None,
            "slippage_cents": None if worse is None else 100 * worse,
            "slippage_usd": None if worse is None else found.shares * worse,
            "slippage_bps": None if price is None else 1e4 * whale.sign * (price / whale.price - 1),
            "fill_ratio": found.shares / expected if expected else None,
            "first_fill_ratio": logged.first_fill_ratio(found.shares) if logged else None,
            "ambiguous": found.ambiguous,
            "live": logged.live if logged else None,
        }

    def of_own(self, fill: Fill) -> Row:
        return {
            **self._common(fill),
            "status": "own",
            "ratio": self.habits.ratio(fill.t),
            "eligible": False,
            "expected_shares": 0.0,
            "copier_shares": fill.shares,
            "copier_price": fill.price,
            "copier_fee": fill.fee,
            "copier_fills": 1,
            "order_sent": True,
            "copied_at": moment(fill.t),
            "completed_at": moment(fill.t),
            "ambiguous": False,
        }

    def _common(self, fill: Fill) -> Row:
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
            "size_bucket": bucket(fill.shares),
            "title": fill.title,
            "event_slug": fill.event_slug,
            "outcome": fill.outcome,
        }

    def _logged(self, whale: Fill) -> Logged | None:
        """The line of the log about a fill: of its transaction, token and side, the one nearest in size."""
        lines = self.log.get((whale.transaction, whale.token, whale.side))
        if not lines:
            return None
        line = min(lines, key=lambda line: abs(line["whale_shares"] - whale.shares))
        names = ("outcome", "reason", "requested_shares", "filled_shares", "is_live", "fill_state")
        return Logged(*(line[name] for name in names))
