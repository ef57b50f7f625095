"""The parts of the gap and the account of one day. Pure.

Each part is a cause that is measured in USD; with `unexplained` the parts sum to the gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from polypipe.divergence.exposure import OUTCOMES_UNKNOWN

MISSED = ("small", "probability", "disabled", "breaker", "error", "unfilled", "unknown")
DEVIATIONS = (*(f"missed_{reason}" for reason in MISSED), "excess", "own", "uncopied_exits", "moved")
PARTS = ("slippage", *DEVIATIONS, "combos", "fees", "ratio_change")
"""The measured causes; with `unexplained` they sum to the gap."""

STALE = 3600.0
"""Age in seconds from which the mark of an open deviation is stale."""

_LEAST_USD = 1e-6

# Notes. They are stored in gap_attribution, so a changed text is another note.
NO_PRICE = "tokens without a price: games that must be over and whose result is not known, or never traded"
FROM_BEFORE = "sales of what was held before the first known fill"
AFTER_MIDNIGHT = "copies that came after midnight: they count on the day of the whale's fill"
EVENT_SIZE = f"coverage and exits leave out events in which {OUTCOMES_UNKNOWN}"

FEES_UNKNOWN = "fills whose fee is not known, because usdcSize is absent: their fees are not in the parts"

COMBOS_UNKNOWN = "combos whose PnL is not known"

DAY_UNKNOWN = "the activity of this day is not known completely"

EARLIER_UNKNOWN = "the activity of earlier days is not known completely"


@dataclass
class UncopiedExit:
    """Shares of a token that the whale sold and the copier still holds. Times in epoch seconds, ages in seconds."""

    token: str
    shares: float
    price: float
    since: float
    price_age: float
    price_source: str
    title: str
    event_slug: str
    outcome: str

    @property
    def usd(self) -> float:
        """Value at risk in USD."""
        return self.shares * self.price


@dataclass(frozen=True)
class StaleMark:
    """An open deviation whose mark at the end of a day is older than `STALE`. `usd` is its value at that mark."""

    age: float
    source: str
    usd: float
    title: str
    outcome: str


@dataclass
class ExplainedDay:
    """The account of one day [start, end). `parts` in USD; negative where the copier is worse off.

    `notes` name effects that are not in the parts, in USD, or None where the amount is unknown. Coverage and exits are
    as of the end.
    """

    start: float
    end: float
    parts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    notes: dict[str, float | None] = field(default_factory=dict)
    covered_usd: float = 0.0
    expected_usd: float = 0.0
    exits: list[UncopiedExit] = field(default_factory=list)
    open_tokens: int = 0
    stale: list[StaleMark] = field(default_factory=list)
    combos_unknown: str | None = None  # why the part `combos` is not known
    moved: list[tuple[bool, float, float | None]] = field(default_factory=list)  # (of copier, shares, USD)

    @property
    def coverage(self) -> float | None:
        """Percent of the expected value that is held; None if none is expected, or an event is left out."""
        if EVENT_SIZE in self.notes:
            return None
        return 100 * self.covered_usd / self.expected_usd if self.expected_usd else None

    @property
    def total(self) -> float:
        """Sum of the parts."""
        return sum(self.parts.values())


def joined(pieces: Sequence[ExplainedDay]) -> ExplainedDay:
    """The account of a day from those of its pieces, in order: amounts add up, holdings are those of the last piece."""
    last = pieces[-1]
    if len(pieces) == 1:
        return last
    notes: dict[str, float | None] = {}
    for piece in pieces:
        for note, usd in piece.notes.items():
            known = notes.get(note, 0.0)
            notes[note] = None if known is None or usd is None else known + usd
    if abs(notes.get(AFTER_MIDNIGHT) or 0.0) < _LEAST_USD:  # a copy after the end of a piece is one of the same day
        notes.pop(AFTER_MIDNIGHT, None)
    return replace(
        last,
        start=pieces[0].start,
        parts={name: sum(piece.parts[name] for piece in pieces) for name in PARTS},
        notes=notes,
        moved=[move for piece in pieces for move in piece.moved],
        combos_unknown=next((piece.combos_unknown for piece in pieces if piece.combos_unknown), None),
    )
