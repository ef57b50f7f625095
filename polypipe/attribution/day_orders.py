"""The copier's orders of a day, and how much sizes that are not exact decide on it. Pure."""

from dataclasses import dataclass

SOME_OWN, MANY_OWN, ENOUGH_ORDERS = 0.05, 0.2, 20
"""Shares of own orders on a day from which a size that is not exact decides less, and the minimum orders to tell."""


@dataclass(frozen=True)
class DayOrders:
    """The copier's orders of a day, and how many of them are its own.

    An order of another size than expected may be one of these: a copy of another whale, or a decision of the owner's.
    """

    own: int = 0
    total: int = 0

    @property
    def few_own(self) -> bool:
        """Hardly anything else is there that an order could be."""
        return self.total >= ENOUGH_ORDERS and not self.some_own

    @property
    def some_own(self) -> bool:
        return self.own > SOME_OWN * self.total

    @property
    def many_own(self) -> bool:
        """So many that even the usual delay is often an accident."""
        return self.total >= ENOUGH_ORDERS and self.own > MANY_OWN * self.total
