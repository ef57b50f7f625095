"""Each type of activity has one named treatment; a new type has none that is guessed."""

from typing import get_args

from polypipe.polymarket.activity_types import ACTIVITY_TYPES, Treatment, activity_type, types_treated_as

# As the API's documentation and its users list them.
DOCUMENTED = (
    "TRADE SPLIT MERGE REDEEM REWARD CONVERSION MAKER_REBATE TAKER_REBATE REFERRAL_REWARD YIELD DEPOSIT WITHDRAWAL "
    "MIGRATION TIP"
)


def test_every_type_that_the_api_can_send_is_listed_once() -> None:
    assert sorted(ACTIVITY_TYPES) == sorted(DOCUMENTED.split())
    assert {entry.treatment for entry in ACTIVITY_TYPES.values()} == set(get_args(Treatment))
    names = [entry.name for entry in ACTIVITY_TYPES.values()]
    assert len(names) == len(set(names))
    assert all(entry.meaning.endswith(".") and "\n" not in entry.meaning for entry in ACTIVITY_TYPES.values())


def test_a_type_that_is_not_listed_is_named_and_unknown() -> None:
    entry = activity_type("AIRDROP")
    assert (entry.name, entry.treatment) == ("type AIRDROP", "unknown")


def test_income_is_rewards_rebates_and_yield() -> None:
    assert types_treated_as("income") == ("REWARD", "MAKER_REBATE", "TAKER_REBATE", "REFERRAL_REWARD", "YIELD")
    assert types_treated_as("set change", "conversion") == ("SPLIT", "MERGE", "CONVERSION")
