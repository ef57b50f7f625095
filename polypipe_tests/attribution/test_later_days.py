"""Days that are loaded after later ones: the rows of the later days become what they are in one range."""

import pytest

from polypipe_tests.attribution.assets_run import run_assets
from polypipe_tests.attribution.tables import COPIER, DAY, HOUR, T0, WHALE, known_days, measured, trade


@pytest.fixture
def later_sale(con):
    """The whale sells on the second day what both wallets bought on the first; only the second day is loaded."""
    trade(con, WHALE, T0 + DAY + HOUR, 1000, 0.5, side="SELL")
    known_days(con, T0 + DAY)
    for day in (T0, T0 + DAY):
        measured(con, day, 0.0, 0.0, ratio=0.08)
    return con


def test_a_sale_knows_the_position_that_an_older_day_opens(later_sale, warehouse, settings) -> None:
    before = run_assets(later_sale, warehouse, settings, days=2)
    assert [row["reason"] for row in before.fills] == ["no_position"]

    trade(later_sale, WHALE, T0 + HOUR, 1000, 0.5)
    trade(later_sale, COPIER, T0 + HOUR, 80, 0.5)
    known_days(later_sale, T0)
    after = run_assets(later_sale, warehouse, settings, days=1)  # the first day alone
    assert [(row["status"], row["reason"]) for row in after.fills] == [("copied", None), ("missed", "unknown")]
    assert after.metrics(T0 + DAY)["funnel"] == {"unknown": {"fills": 1, "usd": 500.0}}


def test_days_without_fills_are_not_made_up(later_sale, warehouse, settings) -> None:
    run_assets(later_sale, warehouse, settings, days=1)
    after = run_assets(later_sale, warehouse, settings, days=1)
    assert after.fills == []  # the second day was never computed
