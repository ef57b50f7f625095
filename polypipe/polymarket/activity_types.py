"""Every type of `/activity` row that the API can send, and how polypipe treats it.

The set is open: a type that is not listed is stored and counted with the treatment `unknown`, and never guessed.
"""

from dataclasses import dataclass
from typing import Literal

Treatment = Literal["trade", "set change", "conversion", "redeem", "moved", "income", "unknown"]
"""What a row does to the wallet:

- `trade`: shares against USD at a price; a fill.
- `set change`: a complete set of a market (one share of each outcome) against 1 USD.
- `conversion`: NO shares of a neg-risk event against USD and YES shares of its other outcomes.
- `redeem`: shares of a resolved market against their payout.
- `moved`: shares or cash enter or leave the wallet without a trade; neither a gain nor a loss.
- `income`: USD that no position earned.
- `unknown`: the effect is unknown; stored, counted and named in notes.
"""


@dataclass(frozen=True)
class ActivityType:
    """`name` is for people; `meaning` is one line."""

    name: str
    meaning: str
    treatment: Treatment


ACTIVITY_TYPES: dict[str, ActivityType] = {
    "TRADE": ActivityType("fill", "Bought or sold shares of one token; a combo if `is_combo` is true.", "trade"),
    "SPLIT": ActivityType("split", "`size` USD became `size` shares of each outcome of the market.", "set change"),
    "MERGE": ActivityType("merge", "`size` shares of each outcome of the market became `size` USD.", "set change"),
    "CONVERSION": ActivityType(
        "conversion",
        "`size` NO shares of each of k outcomes of a neg-risk event became (k - 1) x `size` USD and `size` YES shares of "
        "each other outcome; the row names no token.",
        "conversion",
    ),
    "REDEEM": ActivityType("redemption", "Shares of a resolved market were paid out as `usdc_size` USD.", "redeem"),
    "MIGRATION": ActivityType(
        "migration", "Shares moved to another wallet of the same owner, often without a row on the old one.", "moved"
    ),
    "DEPOSIT": ActivityType("deposit", "Cash moved into the wallet.", "moved"),
    "WITHDRAWAL": ActivityType("withdrawal", "Cash moved out of the wallet.", "moved"),
    "REWARD": ActivityType("reward", "Paid by Polymarket for resting orders.", "income"),
    "MAKER_REBATE": ActivityType("maker rebate", "Share of taker fees paid to the maker.", "income"),
    "TAKER_REBATE": ActivityType("taker rebate", "Part of the fees paid back to the taker.", "income"),
    "REFERRAL_REWARD": ActivityType("referral reward", "Paid by Polymarket for referred users.", "income"),
    "YIELD": ActivityType("yield", "Interest that Polymarket pays on holdings.", "income"),
    "TIP": ActivityType("tip", "USD between two users; the row does not say in which direction.", "unknown"),
}


def activity_type(type_: str) -> ActivityType:
    """The entry of a type; for a type that is not listed, one named after it with the treatment `unknown`."""
    return ACTIVITY_TYPES.get(type_) or ActivityType(f"type {type_}", "Not known to this polypipe.", "unknown")


def types_treated_as(*treatments: Treatment) -> tuple[str, ...]:
    """The listed types with one of the treatments, in the order of the table."""
    return tuple(name for name, entry in ACTIVITY_TYPES.items() if entry.treatment in treatments)
