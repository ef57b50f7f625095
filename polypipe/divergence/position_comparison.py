"""Comparing the positions of copier and whale, token by token. Pure functions, no I/O.

Expected is ratio x the whale's size. The 1.25 that the bot puts on single fills of 4,000 shares and more is a matter of
fills, not of positions: a position made of such fills may stand at the upper edge of the band, or just above it.

Both outcomes of a market held at once are netted first: a full set is worth $1 whatever happens, so only what is held
beyond it is exposure to be copied. The gross sizes stay in the row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from polypipe.divergence.copy_rule import MINIMUM_USD, size_bucket
from polypipe.polymarket.wallet_models import Position

BAND = 0.125
"""On target is within this share of the expected size, both ways."""


STATUSES = ("on_target", "under", "over", "missed", "below_minimum", "orphan", "manual")
APART = ("resolved", "netted")
"""Rows that no figure counts: markets that are decided, and full sets without exposure in both wallets."""


@dataclass(frozen=True)
class WhaleHistory:
    """What is known of a token that the copier holds and the whale does not: whether the whale ever held it, and since
    when it is out (None: not known)."""

    held: bool
    out_since: datetime | None


@dataclass(frozen=True)
class ComparedPosition:
    """One token. The fields are the columns of table `positions`, which describes them."""

    token_id: str
    condition_id: str | None
    event_slug: str
    title: str
    outcome: str
    end_date: str
    status: str
    whale_size: float
    copier_size: float
    whale_net: float
    copier_net: float
    expected_size: float
    fill_rate: float | None
    price: float | None
    whale_avg_price: float | None
    copier_avg_price: float | None
    expected_usd: float | None
    actual_usd: float | None
    cost_of_deviation: float | None
    whale_pnl: float | None
    copier_pnl: float | None
    size_bucket: str | None
    whale_held: bool
    whale_out_since: datetime | None


def compare_positions(
    copier: Sequence[Position],
    whale: Sequence[Position],
    ratio: float,
    histories: Mapping[str, WhaleHistory],
    band: float = BAND,
) -> list[ComparedPosition]:
    """Compare two complete lists. `histories` has every token of `copier_only(copier, whale)`.

    One row a token that either wallet holds, the whale's most valuable first, then the copier's own.
    """
    ours = {position.asset: position for position in copier}
    theirs = {position.asset: position for position in whale}
    decided = {p.condition_id or p.asset for p in (*copier, *whale) if p.redeemable}
    our_net, their_net = _net(ours), _net(theirs)
    rows = []
    for token in {**theirs, **ours}:
        mine, his = ours.get(token), theirs.get(token)
        shown = his or mine
        assert shown is not None
        price = next((p.cur_price for p in (his, mine) if p and p.cur_price is not None), None)
        expected, actual = ratio * their_net.get(token, 0.0), our_net.get(token, 0.0)
        history = WhaleHistory(True, None) if his else histories[token]
        if (shown.condition_id or token) in decided:
            status = "resolved"
        elif not expected and not actual:
            status = "netted"
        else:
            status = _status(expected, actual, price, band)
        if status == "over" and his is None:
            status = "orphan" if history.held else "manual"
        whale_paid = his.avg_price if his else None
        copied = status in ("on_target", "under", "over", "missed", "below_minimum")
        rows.append(
            ComparedPosition(
                token_id=token,
                condition_id=shown.condition_id,
                event_slug=shown.event_slug,
                title=shown.title,
                outcome=shown.outcome,
                end_date=shown.end_date,
                status=status,
                whale_size=his.size if his else 0.0,
                copier_size=mine.size if mine else 0.0,
                whale_net=their_net.get(token, 0.0),
                copier_net=actual,
                expected_size=expected,
                fill_rate=actual / expected if expected else None,
                price=price,
                whale_avg_price=whale_paid,
                copier_avg_price=mine.avg_price if mine else None,
                expected_usd=_times(expected, price),
                actual_usd=_times(actual, price),
                cost_of_deviation=_cost(actual - expected, price, whale_paid) if copied else None,
                whale_pnl=his.cash_pnl if his else None,
                copier_pnl=mine.cash_pnl if mine else None,
                size_bucket=size_bucket(his.size) if his else None,
                whale_held=history.held,
                whale_out_since=history.out_since,
            )
        )
    return sorted(rows, key=lambda row: (-(row.expected_usd or 0.0), -(row.actual_usd or 0.0), row.token_id))


def copier_only(copier: Sequence[Position], whale: Sequence[Position]) -> list[Position]:
    """What the copier holds and the whale does not: orphans, or the copier's own."""
    theirs = {position.asset for position in whale}
    return [position for position in copier if position.asset not in theirs]


def _status(expected: float, actual: float, price: float | None, band: float) -> str:
    if not expected:
        return "over"
    dust = price is not None and expected * price < MINIMUM_USD
    above = actual > (1 + band) * expected
    if dust:  # more than a minimum order too much is worth saying, anything else cannot be traded away
        return "over" if above and price is not None and (actual - expected) * price >= MINIMUM_USD else "below_minimum"
    if above:
        return "over"
    if not actual:
        return "missed"
    return "on_target" if actual >= (1 - band) * expected else "under"


def _net(held: Mapping[str, Position]) -> dict[str, float]:
    """Token -> shares beyond those that form full sets with the market's other token."""
    net = {}
    for token, position in held.items():
        other = held.get(position.opposite_asset or "")
        net[token] = max(position.size - other.size, 0.0) if other is not None and other is not position else position.size
    return net


def _times(size: float, price: float | None) -> float | None:
    return None if price is None else size * price


def _cost(excess: float, price: float | None, paid: float | None) -> float | None:
    """What holding more, or less, than expected has made in USD; zero when the size is exactly right."""
    if not excess:
        return 0.0
    return None if price is None or paid is None else excess * (price - paid)
