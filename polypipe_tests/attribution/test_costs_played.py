"""Delay, impact and markouts, through the assets over the exchange's HTTP."""

import json
from datetime import timedelta

import pytest

from polypipe.attribution.metrics import compute_metrics
from polypipe.sim import WHALE_ADDRESS
from polypipe.sim.script import NO, YES
from polypipe.warehouse import Warehouse
from polypipe_tests.attribution.nights import DAY, HOUR, MINUTE, T0, WALLETS, played, script_of
from polypipe_tests.divergence.support import rows

pytestmark = pytest.mark.slow

S = timedelta(seconds=1)


def test_slippage_is_split_and_markouts_are_known_by_the_minute(tmp_path) -> None:
    """The whale pays .50; the price is .52 from 3 s on, .56 from 2 min on. The copy at .53 comes 12 s later."""
    script = script_of()
    at = T0 + 12 * HOUR + 56 * S  # a minute of the history is about 4 s later, before the copy
    yes = script.market("Up?", [(T0, 0.50), (at + 3 * S, 0.52), (at + 2 * MINUTE, 0.56)])
    script.copy(script.buy(WHALE_ADDRESS, at, yes, YES, 1000, 0.50), 80, 0.53, after=12)
    no = script.market("Down?", [(T0, 0.50), (at + 3 * S, 0.48), (at + 2 * MINUTE, 0.44)])
    script.copy(script.buy(WHALE_ADDRESS, at, no, NO, 1000, 0.50), 80, 0.53, after=12)
    unknown = script.market("Sideways?", 0.50)
    script.copy(script.buy(WHALE_ADDRESS, at - 36 * S, unknown, YES, 1000, 0.50), 80, 0.51, after=12)
    played(tmp_path, script, 1)
    warehouse = Warehouse(tmp_path)
    compute_metrics(warehouse, WALLETS, T0, T0 + DAY)
    stored = rows(
        warehouse, "SELECT arrival_price, replace(arrival_source, ' of the other outcome', '') FROM copy_fills ORDER BY key"
    )
    assert sorted(stored, key=str) == [(0.52, "prices-history"), (0.52, "prices-history"), (None, None)]
    ((delay, impact, slippage, share, markouts),) = rows(
        warehouse,
        "SELECT delay_usd, impact_usd, slippage_usd, split_share, markouts FROM copy_metrics_daily WHERE window_days = 1",
    )
    assert (delay, impact, slippage) == (pytest.approx(3.2), pytest.approx(1.6), pytest.approx(5.6))
    assert share == pytest.approx(200 / 3)
    after = {one["seconds"]: (one["known_fills"], one["cents"]) for one in json.loads(markouts)}
    assert after[5] == (2, pytest.approx(2))
    assert after[180] == (3, pytest.approx((6 + 6 + 0) / 3))
    assert after[600] == (3, pytest.approx(4))
