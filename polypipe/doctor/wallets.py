"""Checks of the two wallets: both set, different, and trading."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from polypipe.doctor.answers import WalletAnswers
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, skipped, unknown, warning
from polypipe.settings import short_address
from polypipe.text import duration

QUIET = timedelta(days=7)
"""A wallet without fills for this long gets a warning."""


def check_wallets(inputs: Inputs) -> Iterator[Result]:
    """Both wallets are known, and they differ."""
    settings = inputs.settings
    for who, address, label, names in (
        ("copier", settings.copier_address, settings.copier_label, "POLYPIPE_COPIER_ADDRESS (or FUNDER_ADDRESS)"),
        ("whale", settings.whale_address, settings.whale_label, "POLYPIPE_WHALE_ADDRESS (or TARGET_WHALE_ADDRESS)"),
    ):
        if address is None:
            advice = f"set {names}: without it polypipe keeps the six files but measures nothing"
            yield skipped(who, "not set", advice)
        else:
            heard = inputs.network.wallets.get(address)
            yield judge_wallet(who, address, label, heard, inputs.now)
    if settings.copier_address and settings.copier_address == settings.whale_address:
        yield error(
            "two wallets",
            f"copier and whale are the same wallet, {settings.copier_address}",
            "set POLYPIPE_COPIER_ADDRESS to your own wallet and POLYPIPE_WHALE_ADDRESS to the one that is copied",
        )


def judge_wallet(who: str, address: str, label: str, heard: WalletAnswers | None, now: datetime) -> Result:
    """The wallet has a profile and recent fills."""
    name = f"{label} ({short_address(address)})" if label and label != short_address(address) else address
    if heard is None or heard.activity.value is None:
        failure = heard.activity.error if heard else None
        return unknown(who, f"{name}: cannot read its activity: {failure.reason if failure else 'not asked'}")
    profile = heard.standing.value
    known = f"profile {profile.user_name!r}" if profile and profile.user_name else "no profile name"
    if heard.standing.error:
        known = "profile could not be read"
    fills = [activity.timestamp for activity in heard.activity.value if activity.type == "TRADE"]
    if not heard.activity.value:
        return warning(
            who,
            f"{name}: Polymarket has no activity of this wallet",
            "check the address: use the one on the profile page (the proxy wallet), not the one that signs",
        )
    if not fills:
        return warning(who, f"{name}: {known}; no fills in its newest activity", "check the address")
    age = now - max(fills)
    finding = f"{name}: {known}; newest fill {duration(age)} ago"
    if age > QUIET:
        advice = (
            "check that this is still the wallet to copy"
            if who == "whale"
            else "check that the bot runs, and with this wallet"
        )
        return warning(who, finding, advice)
    return ok(who, finding)
