"""Row types of attribution: fills, matches, stored matches, and changes of full sets."""

from dataclasses import dataclass

import msgspec

from polypipe.polymarket.wallet_models import Side


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One fill of one wallet. `t` in epoch seconds, `shares` and `price` (USD a share) above 0."""

    key: str
    t: float
    token: str
    side: Side
    shares: float
    price: float
    transaction: str
    usd: float | None = None  # amount paid or received; None if the source does not say
    condition: str | None = None
    title: str = ""
    event_slug: str = ""
    outcome: str = ""

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self.side == "BUY" else -1

    @property
    def fee(self) -> float:
        """USD that the fill cost beyond shares x price; negative for a rebate; 0 if the source does not say."""
        return 0.0 if self.usd is None else self.sign * (self.usd - self.shares * self.price)


@dataclass(frozen=True)
class Match:
    """A fill of the whale and the copier fills that copy it, oldest first; empty if it was missed.

    `ambiguous`: at least one of them may belong elsewhere. `late`: the first one came after the usual reach. `joined`: an
    order for several fills of the whale; the copies are this fill's part of it.
    """

    whale: Fill
    copies: tuple[Fill, ...]
    ambiguous: bool = False
    late: bool = False
    joined: bool = False

    @property
    def shares(self) -> float:
        """Sum of the copies' shares."""
        return sum(copy.shares for copy in self.copies)

    @property
    def price(self) -> float | None:
        """Average price of the copies in USD a share, weighted by shares."""
        return sum(copy.shares * copy.price for copy in self.copies) / self.shares if self.copies else None


class CopyFill(msgspec.Struct, frozen=True, gc=False):
    """The columns of a row of `copy_fills` that accounting needs; the whale's are None for an own fill of the copier.

    Times in epoch seconds, fees in USD. `copied_at` is the time of the first copy, None without one. A fee of a fill is
    None if it is not known.
    """

    t: float
    token: str
    side: str
    reason: str | None
    whale_shares: float | None
    whale_price: float | None
    whale_fee: float | None
    ratio: float
    copier_shares: float
    copier_price: float | None
    copier_fee: float | None
    condition: str | None = None
    title: str = ""
    event_slug: str = ""
    outcome: str = ""
    copied_at: float | None = None

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self.side == "BUY" else -1


class SetChange(msgspec.Struct, frozen=True, gc=False):
    """A split (+) or merge (-) of full sets of a market by the whale: shares of each of its tokens.

    Or a conversion, `condition` being the slug of the event: shares of each YES that it gave.
    """

    t: float
    condition: str
    shares: float


class Move(msgspec.Struct, frozen=True, gc=False):
    """Shares that left a wallet without a trade. `fee`: a fee that was taken in shares, not a move."""

    t: float
    token: str
    shares: float
    of_copier: bool = False
    fee: bool = False
