"""One act of a script each: its activity row, the positions, value and PnL that follow."""

from datetime import UTC, datetime

import httpx
import pytest

from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.bot import log_lines
from polypipe.sim.script import NO, YES, Script
from polypipe.sim.wallets import DEPOSIT_ADDRESS
from polypipe_tests.sim.scripted import HOUR, T, played


def test_merge_exit_leaves_the_whale_with_nothing_and_the_copier_with_its_shares() -> None:
    script = Script()
    market = script.market("Will it rain?", [(T, 0.50), (T + HOUR, 0.60), (T + 2 * HOUR, 0.20)])
    script.copy(script.buy(WHALE_ADDRESS, T, market, YES, 10_000, 0.50), 1_000, 0.50)
    script.miss(script.buy(WHALE_ADDRESS, T + HOUR, market, NO, 10_000, 0.40), "breaker")
    script.merge(WHALE_ADDRESS, T + HOUR + 60, market, 10_000)
    with played(script) as api:
        assert [(r["type"], r["side"], r["size"], r["usdcSize"]) for r in api.rows()] == [
            ("TRADE", "BUY", 10_000, 5_000),
            ("TRADE", "BUY", 10_000, 4_000),
            ("MERGE", "", 10_000, 10_000),
        ]
        assert (api.positions(), api.value(), api.pnl()) == ({}, 0, 1_000)
        assert api.positions(COPIER_ADDRESS) == {market.token(YES): 1_000}
        assert api.pnl(COPIER_ADDRESS) == pytest.approx(-300)
        assert [line.split(",")[2] for line in log_lines(api.sim.copy_truth(), 0, (T + 86_400) * 1000)] == [
            market.token(YES),
            market.token(NO),
        ]
        (served,) = api.get("/markets", condition_ids=market.condition_id)
        assert served["outcomePrices"] == '["0.2", "0.8"]'


def test_split_and_sale_of_one_side_leave_the_other() -> None:
    script = Script()
    market = script.market("Will it rain?", [(T, 0.50), (T + HOUR, 0.80)])
    script.split(WHALE_ADDRESS, T, market, 1_000)
    script.sell(WHALE_ADDRESS, T + 60, market, NO, 1_000, 0.50)
    with played(script) as api:
        assert [(r["type"], r["size"], r["asset"]) for r in api.rows()] == [
            ("SPLIT", 1_000, ""),
            ("TRADE", 1_000, market.token(NO)),
        ]
        assert (api.positions(), api.value()) == ({market.token(YES): 1_000}, 800)
        assert api.pnl() == pytest.approx(300)


def test_conversion_turns_no_of_two_outcomes_into_yes_of_the_third_and_cash() -> None:
    script = Script()
    a, b, c = script.event("Who wins?", {"A": 0.3, "B": 0.3, "C": 0.4})
    script.buy(WHALE_ADDRESS, T, a, NO, 5_000, 0.70)
    script.buy(WHALE_ADDRESS, T, b, NO, 5_000, 0.70)
    script.convert(WHALE_ADDRESS, T + HOUR, [a, b], 5_000)
    with played(script) as api:
        row = api.rows()[-1]
        assert (row["type"], row["size"], row["asset"], row["conditionId"]) == ("CONVERSION", 5_000, "", "")
        assert (row["eventSlug"], row["outcomeIndex"]) == (a.event.slug, 999)
        (held,) = api.get("/positions")
        assert (held["asset"], held["size"], held["negativeRisk"]) == (c.token(YES), 5_000, True)
        assert held["avgPrice"] == pytest.approx(0.40), "7,000 paid, 5,000 back"
        assert api.pnl() == pytest.approx(0, abs=1e-6), "5,000 USDC and 5,000 YES at 0.40 for 7,000"


def test_conversion_gives_yes_of_every_other_outcome() -> None:
    script = Script()
    a, *others = script.event("Who wins?", {"A": 0.4, "B": 0.3, "C": 0.2, "D": 0.1})
    script.buy(WHALE_ADDRESS, T, a, NO, 100, 0.60)
    script.convert(WHALE_ADDRESS, T + 60, [a], 100)
    with played(script) as api:
        assert api.positions() == {m.token(YES): 100 for m in others}
        assert api.pnl() == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="not all"):
        script.convert(WHALE_ADDRESS, T, [a, *others], 1)


def test_a_neg_risk_event_pays_exactly_one_winner() -> None:
    script = Script()
    markets = script.event("Who wins?", {"A": 0.4, "B": 0.6}, winner="A", settles_at=T + HOUR)
    assert [m.payout for m in markets] == [1, 0]
    with pytest.raises(ValueError, match="exactly one winner"):
        script.event("Who wins?", {"A": 0.4, "B": 0.6}, settles_at=T)
    with pytest.raises(ValueError, match="choose from A, B"):
        script.event("Who wins?", {"A": 0.4, "B": 0.6}, winner="C", settles_at=T)


@pytest.mark.parametrize("silent", [False, True])
def test_migration_moves_shares_and_their_cost_but_no_cash(silent: bool) -> None:
    script = Script()
    market = script.market("Will it rain?", [(T, 0.40), (T + 2 * HOUR, 0.60)])
    script.buy(WHALE_ADDRESS, T, market, YES, 5_000, 0.30)
    script.migrate(WHALE_ADDRESS, DEPOSIT_ADDRESS, T + HOUR, market, YES, 5_000, silent=silent)
    with played(script) as api:
        assert [r["type"] for r in api.rows()] == ["TRADE"] + ["MIGRATION"] * (not silent)
        assert api.rows(DEPOSIT_ADDRESS) == []
        assert api.positions() == {}
        (held,) = api.get("/positions", DEPOSIT_ADDRESS)
        assert (held["asset"], held["size"], held["avgPrice"]) == (market.token(YES), 5_000, 0.3)
        assert (api.pnl(), api.pnl(DEPOSIT_ADDRESS)) == (0, pytest.approx(1_500))


def test_a_wallet_may_trade_from_one_address_and_hold_in_another() -> None:
    script = Script()
    market = script.market("Will it rain?", [(T, 0.40), (T + 2 * HOUR, 0.60)])
    script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.40, held_by=DEPOSIT_ADDRESS)
    with played(script) as api:
        assert [(r["type"], r["size"]) for r in api.rows()] == [("TRADE", 1_000)]
        assert (api.rows(DEPOSIT_ADDRESS), api.positions(), api.pnl()) == ([], {}, 0)
        assert api.positions(DEPOSIT_ADDRESS) == {market.token(YES): 1_000}
        assert api.pnl(DEPOSIT_ADDRESS) == pytest.approx(200)


def test_half_payout_of_both_outcomes_is_one_redeem_row() -> None:
    script = Script()
    market = script.market("Draw?", 0.5, settles_at=T + HOUR, payout=0.5)
    script.split(WHALE_ADDRESS, T, market, 500)
    script.buy(WHALE_ADDRESS, T, market, YES, 500, 0.45)
    script.redeem_both(WHALE_ADDRESS, T + HOUR + 60, market, 1_000, 500)
    with played(script, T + HOUR) as before:
        assert [(r["curPrice"], r["redeemable"]) for r in before.get("/positions")] == [(0.5, True)] * 2
    with played(script) as api:
        row = api.rows()[-1]
        assert (row["type"], row["usdcSize"], row["asset"]) == ("REDEEM", 750, "")
        assert (api.positions(), api.pnl()) == ({}, 25)
        (served,) = api.get("/markets", condition_ids=market.condition_id, closed="true")
        assert served["outcomePrices"] == '["0.5", "0.5"]'


def test_a_repeated_redeem_row_is_paid_once() -> None:
    script = Script()
    market = script.market("Draw?", 0.5, settles_at=T + HOUR, payout=0.5)
    script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.45)
    script.repeat(script.redeem(WHALE_ADDRESS, T + HOUR + 60, market, YES, 1_000))
    with played(script) as api:
        *_, first, second = api.rows()
        assert first == second
        assert (first["type"], first["usdcSize"]) == ("REDEEM", 500)
        assert (api.positions(), api.pnl()) == ({}, 50)


def test_dust_stays_after_an_exit_that_is_not_quite_whole() -> None:
    script = Script()
    market = script.market("Will it rain?", 0.5)
    script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.50)
    script.sell(WHALE_ADDRESS, T + 60, market, YES, 999.7, 0.50)
    with played(script) as api:
        assert api.positions() == {market.token(YES): 0.3}
        assert api.get("/positions") == [], "below the default threshold"
        assert api.value() == 0.15


def test_fee_in_shares_leaves_fewer_shares_than_the_row_says() -> None:
    script = Script()
    market = script.market("Will it rain?", 0.5)
    script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.50, received=978.7)
    with played(script, T + 60) as api:
        assert (api.rows()[0]["size"], api.positions()) == (1_000, {market.token(YES): 978.7})
    script.sell(WHALE_ADDRESS, T + 60, market, YES, 978.7, 0.50)
    with played(script) as api:
        assert (api.positions(), api.pnl()) == ({}, pytest.approx(-10.65))


def test_takers_pay_the_markets_schedule_and_makers_get_a_rebate_row() -> None:
    script = Script()
    market = script.market("Will it rain?", 0.4, fee_rate=0.05)
    script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.40, fee=True)
    script.buy(WHALE_ADDRESS, T + 60, market, YES, 1_000, 0.40, maker=True)
    script.sell(WHALE_ADDRESS, T + 120, market, YES, 2_000, 0.40, fee=True)
    script.pay(WHALE_ADDRESS, T + HOUR, "MAKER_REBATE", 3.0)
    with played(script) as api:
        assert [r["usdcSize"] for r in api.rows()] == [412, 400, 776, 3]
        assert api.pnl() == -36, "rebates are not PnL"
        assert [r["side"] for r in api.get("/trades")] == ["SELL", "BUY"], "the maker fill is left out by default"
        (served,) = api.get("/markets", condition_ids=market.condition_id)
        assert served["feeSchedule"] == {"exponent": 1, "rate": 0.05, "takerOnly": True, "rebateRate": 0.25}


def test_bot_log_may_write_hashes_in_another_letter_case() -> None:
    script = Script()
    whale = script.buy(WHALE_ADDRESS, T, script.market("Will it rain?"), YES, 1_000, 0.50)
    script.copy(whale, 80)
    with played(script) as api:
        (plain,) = log_lines(api.sim.copy_truth(), 0, (T + HOUR) * 1000)
        (upper,) = log_lines(api.sim.copy_truth(), 0, (T + HOUR) * 1000, upper_hashes=True)
        assert api.rows()[0]["transactionHash"] == whale.hash
        assert plain.split(",")[-2] == whale.hash
        assert upper.split(",")[-2] == "0x" + whale.hash[2:].upper() != whale.hash


def test_unknown_types_of_payment_are_served_and_are_not_pnl() -> None:
    script = Script()
    script.pay(WHALE_ADDRESS, T, "TIP", 7.1)
    script.pay(WHALE_ADDRESS, T + 60, "TIP", 7.1)
    with played(script) as api:
        assert [(r["type"], r["usdcSize"], r["conditionId"]) for r in api.rows()] == [("TIP", 7.1, "")] * 2
        assert (api.positions(), api.pnl()) == ({}, 0)


def test_combo_is_a_flagged_trade_and_is_listed_apart() -> None:
    script = Script()
    rain = script.market("Will it rain?", 0.5, settles_at=T + 2 * HOUR)
    wind = script.market("Will it blow?", 0.8, settles_at=T + 4 * HOUR)
    combo = script.combo((rain, YES), (wind, YES))
    script.buy(WHALE_ADDRESS, T, combo, YES, 1_000, 0.40)
    script.redeem(WHALE_ADDRESS, T + 5 * HOUR, combo, YES, 1_000)
    with played(script, T + 60) as api:
        (row,) = api.rows()
        assert (row["type"], row["isCombo"], row["size"], row["usdcSize"]) == ("TRADE", True, 1_000, 400)
        assert row["conditionId"] == combo.condition_id
        assert len(combo.condition_id) == 64
        assert (api.positions(), api.value()) == ({}, 0)
        assert api.get("/v2/value")["data"]["value"] == 400, "v2 adds unresolved combos at cost"
        (held,) = api.get("/v1/positions/combos")["combos"]
        assert (held["combo_condition_id"], held["status"], held["legs_pending"]) == (combo.condition_id, "OPEN", 2)
        assert (held["shares_balance"], held["entry_cost_usdc"], held["resolved_at"]) == ("1000.0", 400, None)
        assert [leg["leg_condition_id"] for leg in held["legs"]] == [rain.condition_id, wind.condition_id]
        assert api.get("/v1/activity/combos")["activity"] == []
        refused = httpx.get(f"{api.sim.url}/activity", params={"user": WHALE_ADDRESS, "market": combo.condition_id})
        assert refused.status_code == 400
    with played(script, T + 3 * HOUR) as api:
        assert api.get("/v1/positions/combos")["combos"][0]["status"] == "PARTIAL"
        assert api.pnl() == 0, "at cost until it is decided"
    with played(script, T + 4 * HOUR) as api:
        assert api.get("/v1/positions/combos", status="RESOLVED_WIN")["combos"][0]["legs_resolved"] == 2
        assert api.get("/v1/positions/combos", status="OPEN")["combos"] == []
        assert api.pnl() == 600
    with played(script, T + 6 * HOUR) as api:
        (held,) = api.get("/v1/positions/combos")["combos"]
        assert (held["realized_payout_usdc"], held["entry_cost_usdc"], held["total_cost_usdc"]) == (1_000, 0, 400)
        (event,) = api.get("/v1/activity/combos")["activity"]
        assert (event["side"], event["payout_usdc"], event["amount_usdc"]) == ("Redeem", 1_000, None)
        assert (api.rows()[-1]["type"], api.pnl()) == ("REDEEM", 600)


def test_a_combo_with_a_lost_leg_is_lost_at_once() -> None:
    script = Script()
    rain = script.market("Will it rain?", 0.5, settles_at=T + HOUR, payout=0)
    combo = script.combo((rain, YES), (script.market("Will it blow?"), YES))
    script.buy(WHALE_ADDRESS, T, combo, YES, 1_000, 0.40)
    with played(script) as api:
        (held,) = api.get("/v1/positions/combos")["combos"]
        assert (held["status"], held["legs_pending"]) == ("RESOLVED_LOSS", 1)
        assert api.pnl() == -400


def test_combos_are_never_copied_and_have_no_line_in_the_bots_log() -> None:
    script = Script(life=True)
    combo = script.combo((script.market("Will it rain?"), YES), (script.market("Will it blow?"), YES))
    script.buy(WHALE_ADDRESS, T, combo, YES, 1_000, 0.40)
    with played(script) as api:
        (truth,) = [t for t in api.sim.copy_truth() if t.whale.combo]
        assert (truth.reason, truth.copy) == ("combo", None)
        assert combo.token(YES) not in "".join(log_lines(api.sim.copy_truth(), (T - HOUR) * 1000, (T + HOUR) * 1000))


def test_random_life_follows_the_fills_of_a_script() -> None:
    script = Script(life=True)
    market = script.market("Will it rain?", 0.5)
    fills = [script.buy(WHALE_ADDRESS, T - n * 86_400, market, YES, 1_000, 0.50) for n in range(20)]
    with played(script) as api:
        copied = [t for t in api.sim.copy_truth() if t.whale in fills and t.copied]
        assert len(copied) > 10
        assert api.positions(COPIER_ADDRESS, limit=500)[market.token(YES)] == pytest.approx(sum(t.filled for t in copied))
        assert len(api.rows(limit=500)) == 500, "the random acts are there as well"


def test_acts_before_the_exchange_began_are_refused() -> None:
    script = Script()
    with pytest.raises(ValueError, match="2026-06-01"):
        script.pay(WHALE_ADDRESS, datetime(2026, 5, 31, tzinfo=UTC), "TIP", 1)
