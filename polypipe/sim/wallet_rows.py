"""Wallet rows as the Data API v1 serves them, with camelCase keys."""

from polypipe.sim.balances import Position
from polypipe.sim.combos import Combo
from polypipe.sim.life import outcome_price
from polypipe.sim.model import Market
from polypipe.sim.notation import UPLOADS, Json, day, number
from polypipe.sim.wallets import NAMES, Act


def _labels(market: Market | None, combo: Combo | None = None) -> Json:
    """The keys of a wallet row that name its market; empty strings without a market."""
    if combo is not None:
        return {"conditionId": combo.condition_id, "title": combo.title, "slug": "", "icon": "", "eventSlug": ""}
    if market is None:
        return {"conditionId": "", "title": "", "slug": "", "icon": "", "eventSlug": ""}
    icon = f"{UPLOADS}league-icons/{market.event.kind}.png"
    return {
        "conditionId": market.condition_id,
        "title": market.question,
        "slug": market.slug,
        "icon": icon,
        "eventSlug": market.event.slug,
    }


def _profile(wallet: str) -> Json:
    name = NAMES.get(wallet, "")
    return {"name": name, "pseudonym": "Quiet-Tide", "bio": "", "profileImage": "", "profileImageOptimized": ""}


def activity_row(act: Act) -> Json:
    """A row of `/activity`. Only trades have an asset and a side; other types have outcomeIndex 999.

    `isCombo` is on the rows of combos only. A conversion names its event and no market.
    """
    is_trade = act.kind == "TRADE"
    outcomes = ("Yes", "No") if act.market is None else act.market.outcomes
    return {
        "proxyWallet": act.wallet,
        "timestamp": act.at,
        "type": act.kind,
        "size": number(act.size),
        "usdcSize": number(act.usdc),
        "transactionHash": act.hash,
        "price": number(act.price),
        "asset": act.token if is_trade else "",
        "side": act.side,
        "outcomeIndex": act.outcome if is_trade else 999,
        "outcome": outcomes[act.outcome or 0] if is_trade else "",
        **_labels(act.market, act.combo),
        **({"isCombo": True} if act.combo else {}),
        **({"title": act.legs[0][0].event.title, "eventSlug": act.legs[0][0].event.slug} if act.legs else {}),
        **_profile(act.wallet),
    }


def trade_row(act: Act) -> Json:
    """A row of `/trades`: an activity row without `type` and `usdcSize`."""
    return {k: v for k, v in activity_row(act).items() if k not in ("type", "usdcSize")}


def position_rows(wallet: str, positions: list[Position], now: float) -> list[Json]:
    """Rows of `/positions`; `mergeable` is true if both outcomes of an unsettled market are held."""
    held = {p.token for p in positions}
    found = [_position_row(wallet, p, now) for p in positions]
    for row in found:
        row["mergeable"] = row["oppositeAsset"] in held and not row["redeemable"]
    return found


def _position_row(wallet: str, p: Position, now: float) -> Json:
    """One row. Percentages are in percent; `endDate` has no time of day."""
    m = p.market
    price = outcome_price(m, p.outcome, now)
    initial, current = round(p.cost, 4), round(p.size * price, 4)
    ids = m.token_ids
    assert ids is not None
    end = m.event.game.start_at if m.event.game else m.event.closed_at
    return {
        "proxyWallet": wallet,
        "asset": p.token,
        "size": number(p.size),
        "avgPrice": number(round(p.average, 4)),
        "initialValue": number(initial),
        "currentValue": number(current),
        "cashPnl": number(round(current - initial, 4)),
        "percentPnl": number(round((current - initial) / initial * 100, 4) if initial else 0),
        "totalBought": number(p.bought),
        "realizedPnl": number(round(p.realized, 4)),
        "percentRealizedPnl": number(round(p.realized / initial * 100, 4) if initial else 0),
        "curPrice": number(price),
        "redeemable": now >= m.settles_at,
        "mergeable": False,
        "eventId": str(m.event.id),
        "outcome": m.outcomes[p.outcome],
        "outcomeIndex": p.outcome,
        "oppositeOutcome": m.outcomes[1 - p.outcome],
        "oppositeAsset": ids[1 - p.outcome],
        "endDate": day(end),
        "negativeRisk": bool(m.neg_risk),
        **_labels(m),
    }
