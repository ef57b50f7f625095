"""Reads from a wallet's activity why it left a token, and which shares it must still hold. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from polypipe.polymarket.wallet_models import Activity, Position

Exit = Literal["traded", "moved", "never", "unknown"]

FEE_SHARE = 0.1
"""Upper limit of fees taken in shares, as a fraction of the shares bought: a wallet may hold that much less."""

YES = 0
"""Index of outcome Yes in the markets of a neg-risk event."""


@dataclass(frozen=True)
class WhaleHistory:
    """The whale's history in a token that only the copier holds now.

    `held`: the whale has held it. `out_since`: when it left, None if unknown. `moved`: its shares left without a trade;
    `listed` if its activity has the move, else it is inferred. `unknown`: why the history is unknown; the other fields are
    meaningless then.
    """

    held: bool
    out_since: datetime | None
    moved: bool = False
    listed: bool = False
    unknown: str | None = None

    @property
    def exit(self) -> Exit:
        """How the whale left the token."""
        if self.unknown is not None:
            return "unknown"
        return "moved" if self.moved else "traded" if self.held else "never"


def whale_history(
    position: Position,
    rows: Sequence[Activity],
    complete: bool,
    conversions: Sequence[Activity],
    held_at: datetime | None,
) -> WhaleHistory:
    """Returns the whale's history in a token that it does not hold.

    `rows` are its activity in the token's market, newest first; `complete` if they include the first one. `conversions` are
    those of the token's event: their rows name no market. `held_at`: time of an earlier comparison in which it held it.
    """
    moves = [row for row in rows if row.type == "MIGRATION" and row.asset in (position.asset, None)]
    if moves and not any(row.type == "TRADE" and row.timestamp > moves[0].timestamp for row in rows):
        return WhaleHistory(True, moves[0].timestamp, moved=True, listed=True)
    touching = [row.timestamp for row in (*rows, *conversions) if _touches(row, position)]
    if not touching:
        if held_at is not None and (complete or rows[-1].timestamp <= held_at):
            return WhaleHistory(True, None, moved=True)
        if complete:
            return WhaleHistory(False, None)
        return WhaleHistory(False, None, unknown=f"the whale's newest {len(rows)} activities in this market do not name it")
    acquired, left = _holding([*rows, *conversions], position)
    moved = left > FEE_SHARE * acquired
    return WhaleHistory(True, None if moved else max(touching), moved)


def must_hold(rows: Iterable[Activity], until: datetime) -> dict[str, Activity]:
    """Returns token -> its newest purchase, for tokens that a wallet must still hold by its newest activities.

    Purchases after `until` are ignored: the list of positions may be older. After a merge, redemption, conversion or
    migration the remaining shares are unknown and count as 0.
    """
    held: dict[str, float] = defaultdict(float)
    bought: dict[str, float] = defaultdict(float)
    last: dict[str, Activity] = {}
    for row in sorted(rows, key=lambda row: row.timestamp):
        if row.is_combo:
            continue
        if row.type == "TRADE" and row.asset is not None and row.size is not None:
            if row.side == "SELL":
                held[row.asset] = max(held[row.asset] - row.size, 0.0)
            elif row.timestamp <= until:
                held[row.asset] += row.size
                bought[row.asset] += row.size
                last[row.asset] = row
        elif row.condition_id or row.event_slug:
            for token, purchase in last.items():
                same_event = row.type == "CONVERSION" and row.event_slug and row.event_slug == purchase.event_slug
                if same_event or (row.condition_id and row.condition_id == purchase.condition_id):
                    held[token] = 0.0
    return {token: last[token] for token, size in held.items() if token in last and size > FEE_SHARE * bought[token]}


def never_acquired(held: Iterable[Position], rows: Sequence[Activity]) -> list[Position]:
    """Returns the positions of which a wallet's complete activity has neither the market nor a conversion in the event."""
    conditions = {row.condition_id for row in rows if row.condition_id}
    converted = {row.event_slug for row in rows if row.type == "CONVERSION"}
    return [p for p in held if p.condition_id and p.condition_id not in conditions and p.event_slug not in converted]


def _touches(row: Activity, position: Position) -> bool:
    """True if the row shows that the wallet held the token."""
    if row.type in ("SPLIT", "MERGE", "CONVERSION"):
        # A merge takes both outcomes, a conversion takes NO; YES of the other outcomes it gives is not proven.
        return row.type != "CONVERSION" or position.outcome_index != YES
    return row.asset == position.asset


def _holding(rows: Iterable[Activity], position: Position) -> tuple[float, float]:
    """Returns (shares acquired, shares left) according to the rows. The balance never goes below 0."""
    acquired = held = 0.0
    for row in sorted(rows, key=lambda row: row.timestamp):
        size = row.size or 0.0
        if row.type == "SPLIT" or (row.type == "TRADE" and row.asset == position.asset and row.side == "BUY"):
            acquired, held = acquired + size, held + size
        elif (
            row.type == "MERGE"
            or (row.type == "TRADE" and row.asset == position.asset)
            or (row.type == "CONVERSION" and position.outcome_index != YES)
        ):
            held = max(held - size, 0.0)
        elif row.type == "REDEEM" and row.asset in (position.asset, None):
            held = 0.0
    return acquired, held
