"""Dagster metadata of a snapshot and of compared positions: numbers to plot, and the reasons of unknown ones."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from polypipe.divergence.position_comparison import ComparedPosition
from polypipe.divergence.position_refresh import StoredPositions
from polypipe.divergence.position_summary import at_least
from polypipe.divergence.snapshot import Snapshot
from polypipe.orchestration.metadata import markdown, markdown_head, reasons_table, simulated, table_metadata
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

SHOWN_ORPHANS = 50

_PLOTTED = (
    "user1_value", "user1_pnl", "user1_volume", "user1_rank", "user2_value", "user2_pnl", "user2_volume", "user2_rank",
    "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "loss_share", "scaling_ratio", "hours_covered",
    "user1_pnl_age", "user2_pnl_age",
)  # fmt: skip


def snapshot_metadata(snapshot: Snapshot, settings: Settings, warehouse: Warehouse) -> dict[str, Any]:
    """Metadata of one snapshot. An unknown number is left out, so that its plot has a hole instead of a zero."""
    row = snapshot.row
    return {
        **{name: value for name, value in row.items() if name in _PLOTTED and value is not None},
        "timestamp": dg.MetadataValue.timestamp(row["timestamp"]),
        "reasons": dg.MetadataValue.md(reasons_table(snapshot.reasons, settings)),
        "waiting_in_spool": snapshot.waiting or "no",
        **table_metadata(warehouse, "snapshots"),
        **simulated(settings),
    }


def positions_metadata(stored: StoredPositions, settings: Settings, warehouse: Warehouse) -> dict[str, Any]:
    """Metadata of one comparison of positions. Unknown figures are left out and listed with their reasons."""
    facts = stored.summary.facts()
    reasons = {name: fact.reason or "" for name, fact in facts.items() if fact.value is None}
    orphans = [row for row in stored.rows if row.status == "orphan"]
    return {
        "dagster/row_count": len(stored.rows),
        "compared_at": dg.MetadataValue.timestamp(stored.time),
        **stored.summary.counts,
        **{name: round(fact.value, 4) for name, fact in facts.items() if fact.value is not None},
        "reasons": dg.MetadataValue.md(reasons_table(reasons, settings)),
        **({"at_least": ", ".join(low)} if (low := at_least(stored.summary.notes)) else {}),
        **({"traces": stored.summary.notes["traces"]} if "traces" in stored.summary.notes else {}),
        "orphans": dg.MetadataValue.md(_orphan_table(orphans, settings)),
        "waiting_in_spool": stored.waiting or "no",
        **table_metadata(warehouse, "positions"),
        **simulated(settings),
    }


def _orphan_table(rows: Sequence[ComparedPosition], settings: Settings) -> str:
    lines = markdown_head(settings)
    if not rows:
        return "\n".join([*lines, "none: the copier holds nothing that the whale has left"])
    lines += ["| market | outcome | shares | USD | whale out since (UTC) |", "|---|---|---|---|---|"]
    for row in rows[:SHOWN_ORPHANS]:
        since = f"{row.whale_out_since:%Y-%m-%d %H:%M}" if row.whale_out_since else "unknown"
        usd = "unknown" if row.actual_usd is None else f"{row.actual_usd:,.2f}"
        lines.append(f"| {markdown(row.title)} | {markdown(row.outcome)} | {row.copier_net:,.2f} | {usd} | {since} |")
    if len(rows) > SHOWN_ORPHANS:
        lines.append(f"| … {len(rows) - SHOWN_ORPHANS} more | | | | |")
    return "\n".join(lines)
