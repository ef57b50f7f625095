"""Compares the positions of copier and whale, token by token. Pure functions, no I/O.

The expected size is ratio x the whale's size. A bot's factor for large purchases (1.25 from 4,000 shares) is not part of
it: a position made of such fills may be at the upper edge of the band, or just above it.

Both outcomes of a market held at once are netted first: a full set is worth $1 whatever happens, so only the shares
beyond full sets are exposure to copy. Then shares of a neg-risk event that pay the same count as the same. The gross sizes
stay in the row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from polypipe.bot_profile import CLASSIC, BotProfile
from polypipe.divergence.copy_rule import size_bucket
from polypipe.divergence.exposure import Share
from polypipe.divergence.position_equivalence import Equivalents, Holding, equivalents
from polypipe.divergence.position_history import YES, Exit, WhaleHistory
from polypipe.polymarket.wallet_models import Position

BAND = 0.125
"""A size within this share of the expected size is on target."""


STATUSES = ("on_target", "under", "over", "missed", "below_minimum", "orphan", "manual", "converted", "moved", "unknown")
APART = ("resolved", "netted")
"""Statuses that no figure counts: decided markets, and full sets without exposure in either wallet."""

MOVED = "its shares moved to another address without a trade: the whale may hold them, and trade, from there"
INFERRED = (
    "inferred: its shares left the whale's address and no trade or move of them is listed; the whale may hold them, and "
    "trade, from another address, or its sale is not listed yet"
)
CONVERTED = "shares of other outcomes of the event pay the same"
NO_PRICES = "shares of other outcomes may pay the same; the prices of the event's outcomes are not known"


@dataclass(frozen=True)
class ComparedPosition:
    """One token. The fields are the columns of table `positions`; their comments define them."""

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
    whale_exit: Exit | None
    reason: str | None


def compare_positions(
    copier: Sequence[Position],
    whale: Sequence[Position],
    ratio: float,
    histories: Mapping[str, WhaleHistory],
    band: float = BAND,
    *,
    outcomes: Mapping[str, int] | None = None,
    elsewhere: Mapping[str, str] | None = None,
    bot: BotProfile = CLASSIC,
) -> list[ComparedPosition]:
    """Compare two complete lists. `histories` has every token of `copier_only` and those of `left_but_dust` that are known.

    `outcomes`: slug of a neg-risk event -> number of its outcomes, where known. `elsewhere`: token -> why the copier's
    shares of it are not known. Sizes below the `bot`'s minimum order are `below_minimum`. Returns one row per token that
    either wallet holds, by expected value, then by the copier's value.
    """
    by_copier = {position.asset: position for position in copier}
    by_whale = {position.asset: position for position in whale}
    decided = {p.condition_id or p.asset for p in (*copier, *whale) if p.redeemable}
    copier_net, whale_net = _net(by_copier), _net(by_whale)
    either = by_copier | by_whale
    prices = {token: _price(by_whale.get(token), by_copier.get(token)) for token in either}
    same = _equivalents(
        either, {t: ratio * n for t, n in whale_net.items()}, copier_net, prices, decided, band, outcomes or {}, bot
    )
    rows = []
    for token, shown in either.items():
        of_copier, of_whale, price = by_copier.get(token), by_whale.get(token), prices[token]
        expected, actual = ratio * whale_net.get(token, 0.0), same.held.get(token, copier_net.get(token, 0.0))
        history = histories.get(token, WhaleHistory(True, None)) if of_whale else histories[token]
        status = reason = None
        but_dust = False
        if (shown.condition_id or token) in decided:
            status = "resolved"
        elif token in same.unknown:
            status, reason = "unknown", NO_PRICES
        elif not expected and not copier_net.get(token):
            status = "netted"
        elif token in same.held:
            spare = copier_net.get(token, 0.0) > expected
            status = "on_target" if spare else _status(expected, actual, price, band, bot)
            if status == "on_target":
                status, reason = "converted", CONVERTED
        else:
            status = _status(expected, actual, price, band, bot)
            if status == "over" and not expected and (of_whale is None or not _held_net(of_whale, whale_net)):
                status, reason = _left(history, of_whale is not None)
            elif status == "over" and expected and token in histories and history.exit in ("traded", "unknown"):
                but_dust = True
                status, reason = _left(history, in_sets=False)
            elif status in ("missed", "under") and elsewhere and token in elsewhere:
                status, reason = "unknown", elsewhere[token]
        if expected and not but_dust:
            history = WhaleHistory(True, None)  # it is still in
        whale_paid = of_whale.avg_price if of_whale else None
        measured = of_whale is not None and status in ("on_target", "under", "over", "missed", "below_minimum", "converted")
        rows.append(
            ComparedPosition(
                token_id=token,
                condition_id=shown.condition_id,
                event_slug=shown.event_slug,
                title=shown.title,
                outcome=shown.outcome,
                end_date=shown.end_date,
                status=status,
                whale_size=of_whale.size if of_whale else 0.0,
                copier_size=of_copier.size if of_copier else 0.0,
                whale_net=whale_net.get(token, 0.0),
                copier_net=actual,
                expected_size=expected,
                fill_rate=actual / expected if expected else None,
                price=price,
                whale_avg_price=whale_paid,
                copier_avg_price=of_copier.avg_price if of_copier else None,
                expected_usd=_times(expected, price),
                actual_usd=_times(actual, price),
                cost_of_deviation=_cost(actual - expected, price, whale_paid) if measured else None,
                whale_pnl=of_whale.cash_pnl if of_whale else None,
                copier_pnl=of_copier.cash_pnl if of_copier else None,
                size_bucket=size_bucket(of_whale.size) if of_whale else None,
                whale_held=history.held,
                whale_out_since=history.out_since,
                whale_exit=history.exit if of_whale is None or but_dust else None,
                reason=reason,
            )
        )
    return sorted(rows, key=lambda row: (-(row.expected_usd or 0.0), -(row.actual_usd or 0.0), row.token_id))


def copier_only(copier: Sequence[Position], whale: Sequence[Position]) -> list[Position]:
    """Positions that only the copier holds: orphans, or manual ones."""
    held_by_whale = {position.asset for position in whale}
    return [position for position in copier if position.asset not in held_by_whale]


def left_but_dust(
    copier: Sequence[Position], whale: Sequence[Position], ratio: float, bot: BotProfile = CLASSIC
) -> list[Position]:
    """Copier positions in which the whale holds less than a minimum order, and may have sold the rest."""
    by_whale = {position.asset: position for position in whale}
    copier_net, whale_net = _net({position.asset: position for position in copier}), _net(by_whale)
    found = []
    for position in copier:
        wanted, price = ratio * whale_net.get(position.asset, 0.0), position.cur_price
        if wanted and price and not position.redeemable and not bot.orderable(wanted, price):
            found += [position] if bot.orderable(copier_net[position.asset] - wanted, price) else []
    return found


def full_sets(copier: Sequence[Position], whale: Sequence[Position]) -> list[Position]:
    """Copier positions in markets that the whale has left: it holds only full sets there."""
    by_whale = {position.asset: position for position in whale}
    net = _net(by_whale)
    return [p for p in copier if p.asset in by_whale and not _held_net(by_whale[p.asset], net)]


def _left(history: WhaleHistory, in_sets: bool) -> tuple[str, str | None]:
    """Status of shares without whale exposure, and its reason or None."""
    if in_sets:
        return "orphan", None
    if history.exit == "moved":
        return "moved", MOVED if history.listed else INFERRED
    if history.exit == "unknown":
        return "unknown", history.unknown
    return ("orphan" if history.exit == "traded" else "manual"), None


def _held_net(position: Position, net: Mapping[str, float]) -> float:
    """The wallet's shares beyond full sets of either outcome of the position's market."""
    return net.get(position.asset, 0.0) + net.get(position.opposite_asset or "", 0.0)


def _price(*positions: Position | None) -> float | None:
    return next((p.cur_price for p in positions if p is not None and p.cur_price is not None), None)


def _equivalents(
    either: Mapping[str, Position],
    expected: Mapping[str, float],
    actual: Mapping[str, float],
    prices: Mapping[str, float | None],
    decided: set[str],
    band: float,
    outcomes: Mapping[str, int],
    bot: BotProfile,
) -> Equivalents:
    holdings = [
        Holding(
            token,
            Share(p.event_slug, p.condition_id, p.outcome_index == YES),
            expected.get(token, 0.0),
            actual.get(token, 0.0),
            prices[token],
        )
        for token, p in either.items()
        if p.negative_risk
        and p.event_slug
        and p.condition_id
        and p.condition_id not in decided
        and p.outcome_index in (0, 1)
    ]
    return equivalents(holdings, outcomes, band, bot)


def _status(expected: float, actual: float, price: float | None, band: float, bot: BotProfile) -> str:
    if not expected:
        return "below_minimum" if price is not None and not bot.orderable(actual, price) else "over"
    dust = price is not None and not bot.orderable(expected, price)
    above = actual > (1 + band) * expected
    if dust:  # an excess of less than a minimum order cannot be sold
        return "over" if above and price is not None and bot.orderable(actual - expected, price) else "below_minimum"
    if above:
        return "over"
    if not actual:
        return "missed"
    return "on_target" if actual >= (1 - band) * expected else "under"


def _net(held: Mapping[str, Position]) -> dict[str, float]:
    """Token -> shares beyond full sets with the market's other token."""
    net = {}
    for token, position in held.items():
        other = held.get(position.opposite_asset or "")
        net[token] = max(position.size - other.size, 0.0) if other is not None and other is not position else position.size
    return net


def _times(size: float, price: float | None) -> float | None:
    return None if price is None else size * price


def _cost(excess: float, price: float | None, paid: float | None) -> float | None:
    """PnL in USD of the shares held beyond, or short of, the expected size; 0 when the size is exact."""
    if not excess:
        return 0.0
    return None if price is None or paid is None else excess * (price - paid)
