"""Reads the positions of both wallets, compares them and stores the result.

Both lists are complete, or nothing is stored.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from polypipe.clock import Clock, utc_now
from polypipe.divergence.position_comparison import ComparedPosition, WhaleHistory, compare_positions, copier_only
from polypipe.divergence.position_summary import PositionSummary, summarize_positions
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketHttp, answer_age
from polypipe.polymarket.market_activity import newest_in_market
from polypipe.polymarket.positions import fetch_positions
from polypipe.polymarket.wallet_models import Position
from polypipe.wallets import Wallets
from polypipe.warehouse import Append, Replace, Warehouse

FETCH_DEADLINE_SECONDS = 120.0
STORE_WAIT_SECONDS = 20.0
_TAKES_BOTH = ("SPLIT", "CONVERSION")
"""Types of activity that give a wallet tokens which the activity does not name."""


@dataclass(frozen=True)
class StoredPositions:
    """A stored comparison. `waiting` says why its rows are still in the spool; None when they are merged."""

    time: datetime
    rows: list[ComparedPosition]
    summary: PositionSummary
    waiting: str | None


def refresh_positions(
    polymarket: Polymarket, warehouse: Warehouse, wallets: Wallets, clock: Clock = utc_now
) -> StoredPositions:
    """Read both wallets, replace table `positions`, append to `position_summaries`.

    Raises `PolymarketError` when either wallet cannot be read completely; the tables are unchanged then.
    """
    before = _stored_histories(warehouse, wallets)

    async def work(http: PolymarketHttp) -> tuple[list[Position], list[Position], dict[str, WhaleHistory], datetime]:
        async with http.operation(FETCH_DEADLINE_SECONDS):
            with answer_age() as age:
                copier, whale = await asyncio.gather(
                    fetch_positions(http, wallets.copier), fetch_positions(http, wallets.whale)
                )
            now = clock() - age.length
            return copier, whale, await _whale_histories(http, wallets.whale, copier_only(copier, whale), before, now), now

    copier, whale, histories, now = polymarket.run(work)
    rows = compare_positions(copier, whale, wallets.ratio, histories)
    summary = summarize_positions(rows, wallets.ratio)
    with warehouse.batch("positions") as batch:
        batch.add("positions", (asdict(row) | {"compared_at": now} for row in rows))
        batch.add("position_summaries", [summary_row(summary, wallets, now)])
        batch_id = batch.commit({"positions": Replace(), "position_summaries": Append()})
    return StoredPositions(now, rows, summary, warehouse.store(batch_id, wait=STORE_WAIT_SECONDS))


def summary_row(summary: PositionSummary, wallets: Wallets, now: datetime) -> dict[str, Any]:
    """The row of table `position_summaries`."""
    facts = summary.facts()
    return {
        "compared_at": now,
        "scaling_ratio": wallets.ratio,
        "user1_address": wallets.copier,
        "user2_address": wallets.whale,
        "whale_positions": summary.whale_positions,
        "copier_positions": summary.copier_positions,
        **summary.counts,
        **{name: fact.value for name, fact in facts.items()},
        "by_status": json.dumps(summary.by_status),
        "by_size": json.dumps(summary.by_size),
        "reasons": json.dumps({name: fact.reason for name, fact in facts.items() if fact.value is None}),
    }


def _stored_histories(warehouse: Warehouse, wallets: Wallets) -> dict[str, tuple[bool, WhaleHistory]]:
    """Token -> whether the whale held it at the last comparison of the same pair, and its history as of then."""
    with warehouse.read() as con:
        same = con.execute(
            "SELECT user1_address, user2_address FROM position_summaries ORDER BY compared_at DESC LIMIT 1"
        ).fetchone()
        if same != (wallets.copier, wallets.whale):
            return {}
        rows = con.execute("SELECT token_id, whale_size > 0, whale_held, whale_out_since FROM positions").fetchall()
    return {
        token: (holding, WhaleHistory(held, out_since.astimezone(UTC) if out_since else None))
        for token, holding, held, out_since in rows
    }


async def _whale_histories(
    http: PolymarketHttp,
    whale: str,
    extra: Sequence[Position],
    before: dict[str, tuple[bool, WhaleHistory]],
    now: datetime,
) -> dict[str, WhaleHistory]:
    """History of each token that only the copier holds: from the last comparison, else from the whale's activity."""
    histories = {}
    unknown = []
    for position in extra:
        if position.asset not in before:
            unknown.append(position)
            continue
        was_holding, history = before[position.asset]
        histories[position.asset] = WhaleHistory(True, now) if was_holding else history
    asked = await asyncio.gather(*(_ask_history(http, whale, position) for position in unknown))
    return histories | {position.asset: history for position, history in zip(unknown, asked, strict=True)}


async def _ask_history(http: PolymarketHttp, whale: str, position: Position) -> WhaleHistory:
    """Whether the whale ever held the token, by its newest activities in that market.

    A full page that does not name the token proves nothing, nor does a request that the API refuses for this market; the
    token then counts as held, which is the safe side.
    """
    if position.condition_id is None or position.redeemable:
        return WhaleHistory(position.condition_id is None, None)
    found = await newest_in_market(http, whale, position.condition_id)
    if found.unknown:
        return WhaleHistory(True, None, found.unknown)
    touching = [row.timestamp for row in found.activities if row.asset == position.asset or row.type in _TAKES_BOTH]
    return WhaleHistory(bool(touching) or not found.complete, max(touching, default=None))
