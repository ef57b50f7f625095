"""The two wallets that are compared, as the settings name them."""

from dataclasses import dataclass

from polypipe.settings import Settings


@dataclass(frozen=True)
class Wallets:
    """Whom to compare: lower-case addresses, and the ratio in force."""

    copier: str
    whale: str
    ratio: float


def no_wallets(settings: Settings) -> str | None:
    """What to set when a wallet is missing."""
    wallets = wallets_of(settings)
    return wallets if isinstance(wallets, str) else None


def wallets_of(settings: Settings) -> Wallets | str:
    """Both wallets, or what to set."""
    missing = [
        f"POLYPIPE_{who}_ADDRESS (or {other})"
        for who, other, address in (
            ("COPIER", "FUNDER_ADDRESS", settings.copier_address),
            ("WHALE", "TARGET_WHALE_ADDRESS", settings.whale_address),
        )
        if address is None
    ]
    if settings.copier_address is None or settings.whale_address is None:
        return f"no wallets to compare: set {' and '.join(missing)}"
    return Wallets(settings.copier_address, settings.whale_address, settings.scaling_ratio)
