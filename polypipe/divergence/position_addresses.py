"""Notes on wallets that trade from one address and hold in another: fills without positions, or the reverse. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from polypipe.divergence.position_history import must_hold, never_acquired
from polypipe.polymarket.wallet_models import Activity, WalletPositions
from polypipe.text import count

LISTED_WITHIN = timedelta(minutes=3)
"""A purchase may be missing from the list of positions for this long."""

ADVICE = "set {variable} to the address that both trades and holds, as the profile page on polymarket.com shows it"


@dataclass(frozen=True)
class AddressCheck:
    """What fills and positions of a wallet's address say together.

    `elsewhere`: token -> newest purchase, for tokens that must be held and are not listed. `all_elsewhere`: no token
    that must be held is listed. `note`: one sentence, None if fills and positions match. `fills_elsewhere`: it is about
    positions without fills.
    """

    elsewhere: Mapping[str, Activity]
    all_elsewhere: bool = False
    note: str | None = None
    fills_elsewhere: bool = False


def check_address(
    who: str,
    variable: str,
    held: WalletPositions,
    other: WalletPositions,
    rows: Sequence[Activity],
    complete: bool,
    read_at: datetime,
) -> AddressCheck:
    """Compare the newest activities of a wallet with its positions, read at `read_at`.

    `other` are the other wallet's: where resolved positions are not all listed, they tell which markets are open.
    `complete`: the activities reach back to the first one. `variable` is the setting of the address.
    """
    listed = {position.asset for position in held}
    needed = must_hold(rows, read_at - LISTED_WITHIN)
    if held.more_resolved:
        still_open = {position.asset for position in other if not position.redeemable}
        needed = {token: purchase for token, purchase in needed.items() if token in listed | still_open}
    elsewhere = {token: purchase for token, purchase in needed.items() if token not in listed}
    advice = ADVICE.format(variable=variable)
    if elsewhere:
        title = next(iter(elsewhere.values())).title
        note = (
            f"{who} bought {count(len(elsewhere), 'token')} that its address does not hold, and no trade explains it "
            f"({title}): it may hold them at another address; {advice}"
        )
        return AddressCheck(elsewhere, len(elsewhere) == len(needed), note)
    strange = never_acquired(held, rows) if complete else []
    if strange:
        note = (
            f"{who} holds {count(len(strange), 'position')} that its address never bought ({strange[0].title}): it may "
            f"trade from another address; {advice}"
        )
        return AddressCheck({}, note=note, fills_elsewhere=True)
    return AddressCheck({})


def held_elsewhere(purchase: Activity) -> str:
    """Why the copier's shares of a token are not known."""
    return (
        f"the copier bought it at {purchase.timestamp:%Y-%m-%d %H:%M} UTC and its address does not hold it: it may hold it "
        "at another address"
    )
