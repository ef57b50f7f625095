"""The pair of wallets that is compared."""

from dataclasses import dataclass

from polypipe.bot_profile import CLASSIC, BotProfile


@dataclass(frozen=True)
class Wallets:
    """Addresses of the copier and the whale (lower case, with 0x), the ratio in force, and how the copier's bot copies."""

    copier: str
    whale: str
    ratio: float
    bot: BotProfile = CLASSIC
