"""The copier's orders of a day, and whether inexact sizes can identify copies on it. Pure."""

from dataclasses import dataclass

SOME_OWN, MANY_OWN, ENOUGH_ORDERS = 0.05, 0.2, 20
"""Shares of own orders on a day above which inexact sizes decide less, and the minimum orders to judge a day."""


ENOUGH_JOINS, JOINING = 5, 0.1
"""The bot joins fills if at least this many orders of a day, and this share, are exact sums of several."""


@dataclass(frozen=True)
class DayOrders:
    """Number of the copier's orders on a day, of those that are its own, and of those that are exactly for several fills.

    An order of another size than expected may be one of these: a copy of another whale, or a decision of the owner's.
    """

    own: int = 0
    total: int = 0
    joined: int = 0

    @property
    def few_own(self) -> bool:
        """True if hardly any order is the copier's own."""
        return self.total >= ENOUGH_ORDERS and not self.some_own

    @property
    def some_own(self) -> bool:
        return self.own > SOME_OWN * self.total

    @property
    def many_own(self) -> bool:
        """Whether own orders are frequent enough for a usual delay to be a coincidence."""
        return self.total >= ENOUGH_ORDERS and self.own > MANY_OWN * self.total

    @property
    def joining(self) -> bool:
        """True if the bot joins fills into one order."""
        return self.joined >= max(ENOUGH_JOINS, JOINING * self.total)
