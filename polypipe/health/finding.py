"""What the conditions say of the present: the words that conditions and the state machine share. No logic."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Seen = Literal["firing", "clear", "unknown"]


@dataclass(frozen=True)
class Observation:
    """One thing that a condition watches (`key`: a job, a file, a token; "" where there is only one).

    `text` is one line for people, `value` and `limit` are in the unit of the rule's limit, None where there is none.
    """

    key: str
    seen: Seen
    text: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Reading:
    """A condition, looked at once. A key that is not among the observations is clear, unless `unknown` says why nothing
    can be said of it."""

    condition: str
    observations: Sequence[Observation] = ()
    unknown: str | None = None

    def seen(self, key: str) -> Seen:
        """What is known of one key."""
        for observation in self.observations:
            if observation.key == key:
                return observation.seen
        return "clear" if self.unknown is None else "unknown"


NO_WALLETS = "no wallets are set"


def when(firing: bool) -> Seen:
    """`firing` or `clear`."""
    return "firing" if firing else "clear"
