"""The pair of wallets that is compared."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wallets:
    """Addresses of the copier and the whale (lower case, with 0x), and the ratio in force."""

    copier: str
    whale: str
    ratio: float
