"""The pair of wallets that is compared."""

from dataclasses import dataclass

from polypipe.bot_profile import CLASSIC, BotProfile


@dataclass(frozen=True)
class Wallets:
    """Addresses of copier and whale (lower case, with 0x), the configured ratio, and the profile of the copier's bot."""

    copier: str
    whale: str
    ratio: float
    bot: BotProfile = CLASSIC
