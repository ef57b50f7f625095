"""A value or the reason why it is unknown. Zero is a value and never stands for "unknown"."""

from dataclasses import dataclass
from typing import Generic, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Fact(Generic[T]):
    """A value, or None and the reason why it is unknown. Exactly one of the two is None."""

    value: T | None
    reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value is None) == (self.reason is None):
            raise ValueError(f"a fact has either a value or a reason: {self.value!r}, {self.reason!r}")

    @classmethod
    def unknown(cls, reason: str) -> Self:
        """An unknown value; `reason` is one line for people."""
        return cls(None, reason)
