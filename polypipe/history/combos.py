"""Reads the combos (parlays) of the wallets that traded any, into table `wallet_combos`."""

# ruff: noqa: S608 -- values are written as literals

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketHttp
from polypipe.polymarket.combo_models import Combo
from polypipe.polymarket.combos import fetch_combos
from polypipe.warehouse.connection import literal
from polypipe.warehouse.rows import WalletComboRow

if TYPE_CHECKING:
    import duckdb


def combo_rows(polymarket: Polymarket, wallets: Collection[str], now: datetime) -> list[WalletComboRow]:
    """The rows of these wallets; one request each for up to 100 combos. Raises `PolymarketError`."""
    if not wallets:
        return []

    async def work(http: PolymarketHttp) -> list[tuple[str, list[Combo]]]:
        async def of(wallet: str) -> tuple[str, list[Combo]]:
            return wallet, await fetch_combos(http, wallet)

        return list(await asyncio.gather(*(of(wallet) for wallet in wallets)))

    return [_row(wallet, combo, now) for wallet, combos in polymarket.run(work) for combo in combos]


def combo_traders(con: "duckdb.DuckDBPyConnection", wallets: Collection[str]) -> set[str]:
    """The wallets with stored fills of combos."""
    names = ", ".join(map(literal, wallets))
    return {
        wallet
        for (wallet,) in con.execute(
            f"SELECT DISTINCT wallet FROM wallet_activity WHERE is_combo AND wallet IN ({names})"
        ).fetchall()
    }


def _row(wallet: str, combo: Combo, now: datetime) -> WalletComboRow:
    return {
        "wallet": wallet,
        "condition_id": combo.condition_id,
        "position_id": combo.position_id or "",
        "status": combo.status,
        "shares": combo.shares,
        "entry_cost": combo.entry_cost,
        "total_cost": combo.total_cost,
        "payout": combo.payout,
        "resolved_at": combo.resolved_at,
        "legs": len(combo.legs),
        "read_at": now,
    }
