"""Acts that are not trades, played by the exchange: from its HTTP to the rows of gap_attribution."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from polypipe.attribution.copy_fills import compute_fills
from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.fees import IN_SHARES
from polypipe.attribution.metrics import compute_metrics
from polypipe.attribution.parts import EVENT_SIZE, PARTS
from polypipe.attribution.price_history import load_prices
from polypipe.attribution.wallet_fees import compute_wallet_fees
from polypipe.caches.universe import crawl_and_store
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.history.activity import load_activity
from polypipe.history.copy_quality import compute_quality
from polypipe.history.pnl import load_pnl
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import NO, YES, Script
from polypipe.sim.wallets import DEPOSIT_ADDRESS
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.divergence.support import rows
from polypipe_tests.sim.all_acts import RATIO
from polypipe_tests.sim.server import SimServer

pytestmark = pytest.mark.slow

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
T0 = datetime(2026, 11, 20, tzinfo=UTC)
WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, RATIO)


@dataclass
class Played:
    """The stored rows of a script's days."""

    warehouse: Warehouse
    gaps: list[dict[str, Any]]
    exits: list[dict[str, Any]]
    fills: list[dict[str, Any]]
    metrics: list[dict[str, Any]]

    def parts(self, day: int = 0) -> dict[str, Any]:
        """The parts of a day that are not zero."""
        return {name: pytest.approx(usd, abs=0.01) for name in PARTS if abs(usd := self.gaps[day][name] or 0.0) > 0.005}

    def notes(self, day: int = 0) -> Mapping[str, float | None]:
        found: Mapping[str, float | None] = json.loads(self.gaps[day]["notes"])
        return found


@pytest.fixture
def play(tmp_path) -> Callable[..., Played]:
    """Plays a script for some days, reads it day by day as in production, and attributes the gap of each."""

    def played(script: Script, days: int = 1, *, crawled: bool = False, fault: tuple[str, str] | None = None) -> Played:
        warehouse = Warehouse(tmp_path / "played")
        before = script.market("Before?")  # a share each, so that both PnL series begin before the first day
        for wallet in (WHALE_ADDRESS, COPIER_ADDRESS):
            script.buy(wallet, T0 - 2 * DAY, before, YES, 1, 0.5)
        with SimServer(1, script=script, start=T0) as sim:
            polymarket = impatient(settings_for(sim.url))
            if fault:
                sim.faults.add(*fault, status=500)
            for n in range(days):
                midnight = T0 + (n + 1) * DAY
                compared = midnight - HOUR / 12
                sim.clock.set(compared.timestamp())
                refresh_positions(polymarket, warehouse, WALLETS, lambda at=compared: at)
                sim.clock.set((midnight + 27 * HOUR / 60).timestamp())
                if crawled:
                    crawl_and_store(polymarket, warehouse)
                load_activity(polymarket, warehouse, WALLETS, midnight - DAY, midnight, lambda m=midnight: m + HOUR / 4)
                load_pnl(polymarket, warehouse, WALLETS, midnight - DAY, midnight, lambda m=midnight: m + HOUR / 4)
                compute_quality(warehouse, WALLETS, midnight - DAY, midnight)
                load_prices(polymarket, warehouse, WALLETS, midnight - DAY, midnight, lambda m=midnight: m + HOUR / 4)
                compute_fills(warehouse, WALLETS, midnight - DAY, midnight)
                compute_wallet_fees(warehouse, WALLETS, midnight - DAY, midnight)
                compute_metrics(warehouse, WALLETS, midnight - DAY, midnight)
                compute_gap(warehouse, WALLETS, T0, midnight)
        return Played(
            warehouse,
            table(warehouse, "gap_attribution ORDER BY day"),
            table(warehouse, "uncopied_exits ORDER BY day, token_id"),
            table(warehouse, "copy_fills ORDER BY timestamp, key"),
            table(warehouse, "copy_metrics_daily WHERE window_days = 1 ORDER BY day"),
        )

    return played


def table(warehouse: Warehouse, what: str) -> list[dict[str, Any]]:
    with warehouse.read() as con:
        result = con.execute(f"SELECT * FROM {what}")
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def test_leaving_by_the_other_outcome_and_a_merge_is_an_uncopied_exit(play) -> None:
    script = Script(ratio=RATIO)
    market = script.market("Will it rain?", [(T0, 0.50), (T0 + 5 * HOUR, 0.60), (T0 + 8 * HOUR, 0.20)])
    script.copy(script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, YES, 10_000, 0.50), 1_000, 0.50)
    script.miss(script.buy(WHALE_ADDRESS, T0 + 6 * HOUR, market, NO, 10_000, 0.40), "breaker")
    script.merge(WHALE_ADDRESS, T0 + 6 * HOUR + HOUR / 60, market, 10_000)
    found = play(script)
    (day,), (left,) = found.gaps, found.exits
    assert (day["copier_pnl"], day["whale_pnl"], day["gap"]) == (
        pytest.approx(-300),
        pytest.approx(1000),
        pytest.approx(-400),
    )
    assert found.parts() == {"missed_unknown": -400}
    assert day["unexplained"] == pytest.approx(0, abs=1e-6)
    assert (left["token_id"], left["shares"], left["price"]) == (
        market.token(YES),
        pytest.approx(1000),
        pytest.approx(0.20),
    )
    assert left["since"] == T0 + 6 * HOUR
    assert day["expected_usd"] == 0


def test_a_split_and_sale_of_one_side_is_no_exit_of_a_copier_that_holds_none(play) -> None:
    script = Script(ratio=RATIO)
    market = script.market("Will it rain?", [(T0, 0.50), (T0 + 8 * HOUR, 0.80)])
    script.split(WHALE_ADDRESS, T0 + 2 * HOUR, market, 1_000)
    script.sell(WHALE_ADDRESS, T0 + 2 * HOUR + HOUR / 60, market, NO, 1_000, 0.50)
    found = play(script)
    (day,) = found.gaps
    assert found.exits == []
    assert (day["gap"], day["unexplained"]) == (pytest.approx(-30), pytest.approx(0, abs=1e-6))
    assert found.parts() == {"missed_unknown": -30}
    assert (day["coverage"], day["expected_usd"]) == (0, pytest.approx(80))
    assert day["notes"] == "{}"


@pytest.mark.parametrize("crawled", [True, False])
def test_a_conversion_is_neither_an_exit_nor_missed(play, crawled) -> None:
    script = Script(ratio=RATIO)
    a, b, _ = script.event("Who wins?", {"A": 0.3, "B": 0.3, "C": 0.4})
    for market in (a, b):
        script.copy(script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, NO, 3_000, 0.70), 300)
    script.convert(WHALE_ADDRESS, T0 + 5 * HOUR, [a, b], 3_000)
    found = play(script, crawled=crawled)
    (day,) = found.gaps
    assert (found.exits, found.parts(), day["unexplained"]) == ([], {}, pytest.approx(0, abs=1e-3))
    assert {row["status"] for row in found.fills} == {"copied"}
    assert day["coverage"] == pytest.approx(100), "the event is read by its slug, listed or not"
    assert day["expected_usd"] == pytest.approx(300 * 0.40)


def test_coverage_after_a_conversion_is_unknown_while_gamma_does_not_answer(play) -> None:
    script = Script(ratio=RATIO)
    a, b, _ = script.event("Who wins?", {"A": 0.3, "B": 0.3, "C": 0.4})
    for market in (a, b):
        script.copy(script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, NO, 3_000, 0.70), 300)
    script.convert(WHALE_ADDRESS, T0 + 5 * HOUR, [a, b], 3_000)
    found = play(script, fault=("status", "/events/keyset"))
    (day,) = found.gaps
    assert day["coverage"] is None
    assert json.loads(day["reasons"])["coverage"] == EVENT_SIZE
    assert (found.exits, found.parts(), day["unexplained"]) == ([], {}, pytest.approx(0, abs=1e-3))


def test_redemption_of_what_a_conversion_gave_settles_the_market(play) -> None:
    script = Script(ratio=RATIO)
    settles = T0 + 8 * HOUR
    a, b, c = script.event("Who wins?", {"A": 0.3, "B": 0.3, "C": 0.4}, winner="C", settles_at=settles)
    for market in (a, b):
        script.copy(script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, NO, 3_000, 0.70), 300)
    script.miss(script.buy(WHALE_ADDRESS, T0 + 3 * HOUR, c, YES, 2_000, 0.40), "breaker")
    script.convert(WHALE_ADDRESS, T0 + 5 * HOUR, [a, b], 3_000)
    script.redeem(WHALE_ADDRESS, T0 + 9 * HOUR, c, YES, 5_000)
    found = play(script)
    (day,) = found.gaps
    assert found.parts() == {"missed_unknown": -120}, "nobody holds C any more: only the redemption says that it won"
    assert (day["gap"], day["unexplained"]) == (pytest.approx(-120), pytest.approx(0, abs=1e-3))
    assert day["notes"] == "{}"


@pytest.mark.parametrize("silent", [False, True])
def test_shares_that_leave_without_a_trade_are_named_and_no_exit(play, silent) -> None:
    script = Script(ratio=RATIO)
    market = script.market("Will it rain?", [(T0, 0.40), (T0 + DAY + 8 * HOUR, 0.35)])
    script.copy(script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, YES, 20_000, 0.40), 2_500)
    script.migrate(WHALE_ADDRESS, DEPOSIT_ADDRESS, T0 + 20 * HOUR, market, YES, 20_000, silent=silent)
    found = play(script, 2)
    assert found.exits == []
    assert [note for note in found.notes() if "without a trade" in note] == [
        "20,000.00 shares worth 8,000.00 USD left the whale without a trade: moved, not sold"
    ]
    assert found.parts(1) == {"excess": -25, "moved": -100}
    assert [day["unexplained"] for day in found.gaps] == pytest.approx([0, 0], abs=1e-3)


def test_a_settlement_at_half_is_solved_from_a_payment_for_both_outcomes(play) -> None:
    script = Script(ratio=RATIO)
    market = script.market("Drawn?", 0.50, settles_at=T0 + 8 * HOUR, payout=0.5)
    script.miss(script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, YES, 1_000, 0.45), "breaker")
    script.miss(script.buy(WHALE_ADDRESS, T0 + 3 * HOUR, market, NO, 500, 0.55), "breaker")
    script.redeem_both(WHALE_ADDRESS, T0 + 9 * HOUR, market, 1_000, 500)
    found = play(script)
    (day,) = found.gaps
    assert found.parts() == {"missed_unknown": -2.5}
    assert (day["gap"], day["unexplained"], day["open_tokens"]) == (pytest.approx(-2.5), pytest.approx(0, abs=1e-6), 0)


def test_a_redeem_row_that_comes_twice_settles_nothing_and_is_named(play) -> None:
    script = Script(ratio=RATIO)
    market = script.market("Drawn?", 0.45, settles_at=T0 + 8 * HOUR, payout=0.5)
    script.miss(script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, YES, 1_000, 0.45), "breaker")
    script.repeat(script.redeem(WHALE_ADDRESS, T0 + 9 * HOUR, market, YES, 1_000))
    found = play(script)
    (day,) = found.gaps
    assert found.parts() == {"missed_unknown": -5}, "the market's last price; settled at 1.0 it would be -55"
    assert day["open_tokens"] == 1
    assert list(found.notes()) == [
        "1 payout of 1,000.00 USD in all, more than the shares held can pay or counted twice: not used as a settlement"
    ]


def test_dust_is_not_an_exit(play) -> None:
    script = Script(ratio=1.0)
    market = script.market("Will it rain?", 0.50)
    script.copy(script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, YES, 1_000, 0.50), 100)
    script.copy(script.sell(WHALE_ADDRESS, T0 + 5 * HOUR, market, YES, 1_000, 0.50), 99.7)
    found = play(script)
    assert (found.exits, found.gaps[0]["uncopied_exit_usd"]) == ([], 0)


def test_a_fee_taken_in_shares_is_a_fee_and_no_exit(play) -> None:
    script = Script(ratio=RATIO)
    market = script.market("Will it rain?", 0.50)
    whale = script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, market, YES, 10_000, 0.50)
    script.buy(COPIER_ADDRESS, T0 + 2 * HOUR + 4 * HOUR / 3600, market, YES, 1_000, 0.50, received=978.7)
    sold = script.sell(WHALE_ADDRESS, T0 + 5 * HOUR, market, YES, 10_000, 0.50)
    script.copy(sold, 978.7)
    assert whale.size == 10_000
    found = play(script, crawled=True)
    (day,) = found.gaps
    assert found.exits == []
    assert found.parts() == {"fees": -10.65}
    assert day["unexplained"] == pytest.approx(0, abs=1e-6)
    columns = ("side", "whale_role", "copier_fee", "copier_role", "copier_fee_reason")
    assert [tuple(row[name] for name in columns) for row in found.fills] == [
        ("BUY", "maker", None, None, IN_SHARES),
        ("SELL", "maker", 0.0, "maker", None),
    ]
    fees = rows(found.warehouse, "SELECT wallet, fees, fees_unknown, maker_usd FROM wallet_fees_daily")
    assert {wallet: found for wallet, *found in fees}[COPIER_ADDRESS] == [0, 1, pytest.approx(978.7 * 0.50)]


def test_a_combo_is_not_missed_and_has_a_part_of_its_own(play) -> None:
    script = Script(ratio=RATIO)
    rain = script.market("Will it rain?", 0.5, settles_at=T0 + DAY + 2 * HOUR)
    wind = script.market("Will it blow?", 0.8, settles_at=T0 + DAY + 4 * HOUR)
    script.buy(WHALE_ADDRESS, T0 + 2 * HOUR, script.combo((rain, YES), (wind, YES)), YES, 2_000, 0.40)
    found = play(script, 2)
    assert found.fills == []
    assert [(day["eligible_fills"], day["whale_fills"]) for day in found.metrics] == [(0, 0), (0, 0)]
    assert [found.parts(n) for n in range(2)] == [{}, {"combos": -120}]
    assert [(day["gap"], day["unexplained"]) for day in found.gaps] == [
        (0, 0),
        (pytest.approx(-120), pytest.approx(0, abs=1e-3)),
    ]


def test_types_without_a_known_effect_are_counted_in_the_notes(play) -> None:
    script = Script(ratio=RATIO)
    script.pay(WHALE_ADDRESS, T0 + HOUR, "TIP", 7.1)
    script.pay(WHALE_ADDRESS, T0 + 2 * HOUR, "TIP", 7.1)
    script.pay(COPIER_ADDRESS, T0 + 2 * HOUR, "AIRDROP", 3.0)
    script.pay(WHALE_ADDRESS, T0 + 3 * HOUR, "MAKER_REBATE", 2.0)
    found = play(script)
    assert found.notes() == {
        "2 rows of type TIP, 14.20 USD, not attributed": None,
        "1 row of type AIRDROP, 3.00 USD, not attributed": None,
    }
    assert (found.gaps[0]["whale_income"], found.gaps[0]["copier_income"]) == (2, 0)
    assert len(rows(found.warehouse, "SELECT * FROM wallet_activity")) == 4
