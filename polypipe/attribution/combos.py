"""PnL of combos (parlays), which are in the PnL of a wallet but cannot be copied.

A combo counts at cost until it is decided, as `user-pnl` and `/value` count it. So its PnL falls on the days of its sales
and on the day it is decided.
"""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

WON, LOST = "RESOLVED_WIN", "RESOLVED_LOSS"
_UNDECIDED = ("OPEN", "PARTIAL")
_DUST_SHARES = 1e-6


class ComboTrade(NamedTuple):
    """A purchase or sale of a combo. `sign` is +1 for a purchase; `usd` is the amount paid or received."""

    t: float
    combo: tuple[str, str]  # condition id, token
    sign: int
    shares: float
    usd: float


class ComboState(NamedTuple):
    """What the API says of a combo at `read_at`."""

    status: str
    resolved_at: float | None
    read_at: float


def combo_pnl(
    trades: Sequence[ComboTrade], states: Mapping[tuple[str, str], ComboState], days: Iterable[tuple[float, float]]
) -> list[tuple[float, str | None]]:
    """(PnL in USD, why it is not known) of the combos of one wallet, for each of `days`: (start, end), in order.

    `trades` in order of time. The PnL of a day that is not known completely is that of the known combos.
    """
    held: dict[tuple[str, str], tuple[float, float]] = {}  # shares and cost
    gains: list[tuple[float, float]] = []
    unknown: list[tuple[float, str]] = []
    for trade in trades:
        shares, cost = held.get(trade.combo, (0.0, 0.0))
        if trade.sign > 0:
            held[trade.combo] = shares + trade.shares, cost + trade.usd
            continue
        if trade.shares > shares + _DUST_SHARES:
            unknown.append((trade.t, "a combo was sold whose purchase is not stored"))
            continue
        sold = cost * trade.shares / shares
        gains.append((trade.t, trade.usd - sold))
        held[trade.combo] = shares - trade.shares, cost - sold
    first = {trade.combo: trade.t for trade in reversed(trades)}
    for combo, (shares, cost) in held.items():
        state = states.get(combo)
        if shares <= _DUST_SHARES:
            continue
        if state is None:
            unknown.append((first[combo], "the state of a combo is not stored"))
        elif state.status in (WON, LOST) and state.resolved_at is not None:
            gains.append((state.resolved_at, (shares if state.status == WON else 0.0) - cost))
        elif state.status in _UNDECIDED:
            unknown.append((state.read_at, "a combo was last read as undecided before the end of the day"))
        else:
            unknown.append((first[combo], f"a combo has the status {state.status or 'unknown'} without a time"))
    found = []
    for start, end in days:
        why = next((reason for since, reason in sorted(unknown) if since < end), None)
        found.append((sum(usd for t, usd in gains if start <= t < end), why))
    return found


def read_combo_part(
    con: "duckdb.DuckDBPyConnection",
    wallets: Wallets,
    since: datetime,
    days: Sequence[tuple[float, float, float]],
    end: datetime,
) -> list[tuple[float | None, str | None]]:
    """The part `combos` of each of `days` (start, end, ratio), or None and the reason; trades count from `since`."""
    spans = [(start, stop) for start, stop, _ in days]
    both = {wallet: read_combo_pnl(con, wallet, since, spans, end) for wallet in (wallets.copier, wallets.whale)}
    found: list[tuple[float | None, str | None]] = []
    for (copier, why), (whale, why_whale), (_, _, ratio) in zip(
        both[wallets.copier], both[wallets.whale], days, strict=True
    ):
        reason = why or why_whale
        found.append((None if reason else copier - ratio * whale, reason))
    return found


def read_combo_pnl(
    con: "duckdb.DuckDBPyConnection", wallet: str, since: datetime, spans: Sequence[tuple[float, float]], end: datetime
) -> list[tuple[float, str | None]]:
    """(PnL in USD, why it is not known) of the combos of one wallet over each of `spans`; trades count from `since`."""
    trades: list[ComboTrade] = []
    for t, condition, token, side, shares, usd in con.execute(
        "SELECT epoch(timestamp), coalesce(condition_id, ''), coalesce(asset, ''), side, size, usdc_size "
        f"FROM wallet_activity WHERE is_combo AND type = 'TRADE' AND wallet = {literal(wallet)} AND side IS NOT NULL "
        f"AND size > 0 AND usdc_size IS NOT NULL AND timestamp >= {literal(since)} AND timestamp < {literal(end)} "
        "ORDER BY timestamp, key"
    ).fetchall():
        trades.append(ComboTrade(t, (condition, token), 1 if side == "BUY" else -1, shares, usd))
    return combo_pnl(trades, _states(con, wallet, trades), spans)


def _states(
    con: "duckdb.DuckDBPyConnection", wallet: str, trades: Iterable[ComboTrade]
) -> dict[tuple[str, str], ComboState]:
    """State by combo of the trades; a combo's only position counts for its fills if their tokens differ."""
    by_condition: dict[str, dict[str, ComboState]] = defaultdict(dict)
    for condition, position, status, resolved, read in con.execute(
        "SELECT condition_id, position_id, status, epoch(resolved_at), epoch(read_at) FROM wallet_combos "
        f"WHERE wallet = {literal(wallet)}"
    ).fetchall():
        by_condition[condition][position] = ComboState(status, resolved, read)
    found = {}
    for trade in trades:
        condition, token = trade.combo
        known = by_condition.get(condition, {})
        state = known.get(token) or (next(iter(known.values())) if len(known) == 1 else None)
        if state is not None:
            found[trade.combo] = state
    return found
