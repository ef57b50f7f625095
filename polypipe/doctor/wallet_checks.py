"""Checks of the two wallets: are they there, are they two, do they trade."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from polypipe.doctor.inputs import Facts
from polypipe.doctor.network import Wallet
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.settings import short_address
from polypipe.text import duration

QUIET = timedelta(days=7)
"""Without a fill for this long, a wallet is worth a look."""


def check_wallets(facts: Facts) -> Iterator[Result]:
    """Both wallets, and that they are not the same one."""
    settings = facts.settings
    for who, address, label, names in (
        ("copier", settings.copier_address, settings.copier_label, "POLYPIPE_COPIER_ADDRESS (or FUNDER_ADDRESS)"),
        ("whale", settings.whale_address, settings.whale_label, "POLYPIPE_WHALE_ADDRESS (or TARGET_WHALE_ADDRESS)"),
    ):
        if address is None:
            advice = f"set {names}: without it the six files are kept, and nothing is measured"
            yield skipped(who, "no address is set", advice)
        else:
            heard = facts.network.wallets.get(address)
            yield judge_wallet(who, address, label, heard, facts.now)
    if settings.copier_address and settings.copier_address == settings.whale_address:
        yield error(
            "two wallets",
            f"copier and whale are the same wallet, {settings.copier_address}",
            "set POLYPIPE_COPIER_ADDRESS to your own wallet and POLYPIPE_WHALE_ADDRESS to the one that is copied",
        )


def judge_wallet(who: str, address: str, label: str, heard: Wallet | None, now: datetime) -> Result:
    """What the wallet's profile and its newest activity say of it."""
    name = f"{label} ({short_address(address)})" if label and label != short_address(address) else address
    if heard is None or heard.activity.value is None:
        failure = heard.activity.error if heard else None
        return unknown(who, f"{name}: its activity cannot be read: {failure.reason if failure else 'not asked'}")
    profile = heard.standing.value
    known = f"profile {profile.user_name!r}" if profile and profile.user_name else "no profile name"
    if heard.standing.error:
        known = "profile could not be read"
    fills = [activity.timestamp for activity in heard.activity.value if activity.type == "TRADE"]
    if not heard.activity.value:
        return warning(
            who,
            f"{name}: Polymarket knows no activity of it",
            "check the address: it is the one of the profile page (the proxy wallet), not the one that signs",
        )
    if not fills:
        return warning(who, f"{name}: {known}; no fill among its newest activity", "check the address")
    age = now - max(fills)
    finding = f"{name}: {known}; newest fill {duration(age)} ago"
    if age > QUIET:
        advice = "is it still the wallet to copy?" if who == "whale" else "does the bot run, and with this wallet?"
        return warning(who, finding, advice)
    return ok(who, finding)
