"""Wallet rows as the Data API v2 serves them, with snake_case keys."""

import re

from polypipe.sim.balances import Position
from polypipe.sim.notation import Json
from polypipe.sim.wallets import NAMES

# v2 names that differ from the v1 name in snake_case.
_V2_NAMES = {"asset": "token_id", "oppositeAsset": "opposite_token_id"}


def v2(row: Json) -> Json:
    """A v1 row with v2 names."""
    return {_V2_NAMES.get(k) or re.sub(r"(?<!^)(?=[A-Z])", "_", k).lower(): v for k, v in row.items()}


def position_row_v2(row: Json, p: Position) -> Json:
    """A row of `/v2/positions`, from its v1 row: other names for sizes and costs, and a status."""
    same = (
        "proxyWallet", "asset", "conditionId", "avgPrice", "realizedPnl", "percentPnl", "percentRealizedPnl",
        "redeemable", "mergeable", "title", "slug", "icon", "eventId", "eventSlug", "outcome", "outcomeIndex",
        "oppositeOutcome", "oppositeAsset", "endDate",
    )  # fmt: skip
    return v2({k: row[k] for k in same}) | {
        "current_size": p.size,
        "entry_cost_usdc": row["initialValue"],
        "entry_fees_usdc": 0.0,
        "total_cost_usdc": row["initialValue"],
        "current_price": row["curPrice"],
        "current_value": row["currentValue"],
        "total_size": p.bought,
        "unrealized_pnl": row["cashPnl"],
        "total_pnl": round(row["cashPnl"] + row["realizedPnl"], 4),
        "status": "REDEEMABLE" if row["redeemable"] else "OPEN",
        "negative_risk": row["negativeRisk"],
        "archived": False,
        "last_event_at": p.last_at,
        "first_entry_at": p.first_at,
        "name": NAMES.get(row["proxyWallet"], ""),
        "profile_image": "",
        "verified": False,
    }
