"""Acts that are not trades, huge wallets and odd answers, as the comparison stores them over HTTP."""

import json
from datetime import UTC, datetime

import pytest

from polypipe.divergence.position_comparison import INFERRED, MOVED
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import NO, YES, Script
from polypipe.sim.wallets import DEPOSIT_ADDRESS
from polypipe_tests.divergence.support import HOUR, T


def test_converted_shares_are_equal_and_neither_missed_nor_orphans(played) -> None:
    script = Script()
    a, b, c = script.event("Who wins?", {"A": 0.3, "B": 0.3, "C": 0.4})
    for market in (a, b):
        script.copy(script.buy(WHALE_ADDRESS, T, market, NO, 5_000, 0.70), 500)
    script.convert(WHALE_ADDRESS, T + HOUR, [a, b], 5_000)
    with played(script) as compared:
        assert compared.statuses() == {a.token(NO): "converted", b.token(NO): "converted", c.token(YES): "converted"}
        assert compared.summary("coverage, weighted_fill_rate, missed, orphan, excess_usd, orphan_usd") == (
            100,
            100,
            0,
            0,
            0,
            0,
        )
        assert compared.row(c.token(YES), "expected_size, copier_size, copier_net") == (500, 0, 500)
        assert compared.row(a.token(NO), "copier_size, copier_net, whale_exit") == (500, 0, "traded")
        assert compared.notes() == {}


@pytest.mark.parametrize(("copied", "status", "coverage"), [(400, "under", 80), (700, "over", 100)])
def test_converted_shares_that_are_too_few_or_too_many_are_under_or_over(played, copied, status, coverage) -> None:
    script = Script()
    a, b, c = script.event("Who wins?", {"A": 0.3, "B": 0.3, "C": 0.4})
    for market in (a, b):
        script.copy(script.buy(WHALE_ADDRESS, T, market, NO, 5_000, 0.70), copied)
    script.convert(WHALE_ADDRESS, T + HOUR, [a, b], 5_000)
    with played(script) as compared:
        assert compared.statuses() == {a.token(NO): "converted", b.token(NO): "converted", c.token(YES): status}
        assert compared.summary("coverage") == pytest.approx(coverage)


def test_conversion_and_sale_of_what_it_gave_is_an_uncopied_exit(played) -> None:
    script = Script()
    a, b, c = script.event("Who wins?", {"A": 0.3, "B": 0.3, "C": 0.4})
    for market in (a, b):
        script.copy(script.buy(WHALE_ADDRESS, T, market, NO, 5_000, 0.70), 500)
    script.convert(WHALE_ADDRESS, T + HOUR, [a, b], 5_000)
    script.sell(WHALE_ADDRESS, T + 2 * HOUR, c, YES, 5_000, 0.40)
    with played(script) as compared:
        assert compared.statuses() == {a.token(NO): "orphan", b.token(NO): "orphan"}


def test_merge_is_an_uncopied_exit_of_the_shares_that_were_bought(played) -> None:
    script = Script()
    market = script.market("Will it rain?", [(T, 0.50), (T + HOUR, 0.60)])
    script.copy(script.buy(WHALE_ADDRESS, T, market, YES, 10_000, 0.50), 1_000)
    script.buy(WHALE_ADDRESS, T + HOUR, market, NO, 10_000, 0.40)
    script.merge(WHALE_ADDRESS, T + 2 * HOUR, market, 10_000)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "orphan"}
        left = datetime.fromtimestamp(T + 2 * HOUR, UTC)
        assert compared.row(market.token(YES), "copier_net, whale_exit, whale_out_since") == (1_000, "traded", left)
        assert compared.summary("orphan_usd") == pytest.approx(600)


def test_full_sets_of_the_whale_are_an_exit_before_they_are_merged(played) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.5)
    script.copy(script.buy(WHALE_ADDRESS, T, market, YES, 10_000, 0.50), 1_000)
    script.buy(WHALE_ADDRESS, T + HOUR, market, NO, 10_000, 0.50)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "orphan", market.token(NO): "netted"}


def test_split_and_sale_of_one_outcome_is_no_exit(played) -> None:
    script = Script()
    market = script.market("Will it rain?", [(T, 0.50), (T + HOUR, 0.80)])
    script.split(WHALE_ADDRESS, T, market, 1_000)
    script.sell(WHALE_ADDRESS, T + 60, market, NO, 1_000, 0.50)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "missed"}
        assert compared.summary("orphan, orphan_usd, actual_usd, expected_usd") == (0, 0, 0, 80)


@pytest.mark.parametrize("silent", [False, True])
def test_migrated_shares_are_moved_and_not_sold(played, silent) -> None:
    script = Script()
    market, kept = script.market("Will it rain?", 0.40), script.market("Will it blow?", 0.40)
    for one in (market, kept):
        script.copy(script.buy(WHALE_ADDRESS, T, one, YES, 5_000, 0.30), 500)
    script.migrate(WHALE_ADDRESS, DEPOSIT_ADDRESS, T + HOUR, market, YES, 5_000, silent=silent)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "moved", kept.token(YES): "on_target"}
        exit_, reason = compared.row(market.token(YES), "whale_exit, reason")
        assert exit_ == "moved"
        assert reason == (INFERRED if silent else MOVED)
        assert compared.summary("orphan, moved, excess_usd, coverage") == (0, 1, 0, 100)
        assert ("POLYPIPE_WHALE_ADDRESS" in compared.notes().get("whale", "")) == silent, "the row names the migration"


def test_position_that_goes_between_two_comparisons_without_a_trade_is_moved(played) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.40)
    script.copy(script.buy(WHALE_ADDRESS, T, market, YES, 5_000, 0.30), 500)
    script.migrate(WHALE_ADDRESS, DEPOSIT_ADDRESS, T + HOUR, market, YES, 5_000, silent=True)
    with played(script, T + 60) as compared:
        assert compared.statuses() == {market.token(YES): "on_target"}
        compared.sim.clock.set(T + 2 * HOUR)
        assert compared.statuses() == {market.token(YES): "moved"}
        since, at, reason = compared.row(market.token(YES), "whale_out_since, compared_at, reason")
        assert since == at
        assert reason.startswith("inferred")
        assert compared.statuses() == {market.token(YES): "moved"}
        assert compared.row(market.token(YES), "reason") == (INFERRED,), "the next comparison does not make it certain"


def test_whale_that_holds_at_another_address_is_named_and_the_coverage_unknown(played) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.40)
    script.copy(script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.40, held_by=DEPOSIT_ADDRESS), 100)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "moved"}
        coverage, reasons = compared.summary("coverage, reasons")
        assert coverage is None
        assert "the whale bought 1 token that its address does not hold" in json.loads(reasons)["coverage"]
        assert "set POLYPIPE_WHALE_ADDRESS" in compared.notes()["whale"]


def test_copier_that_holds_at_another_address_has_missed_nothing(played) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.40)
    script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.40)
    script.buy(COPIER_ADDRESS, T + 4, market, YES, 100, 0.40, held_by=DEPOSIT_ADDRESS)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "unknown"}
        assert "another address" in compared.row(market.token(YES), "reason")[0]
        assert compared.summary("coverage, missed") == (None, 0)
        assert "set POLYPIPE_COPIER_ADDRESS" in compared.notes()["copier"]


def test_positions_that_an_address_never_bought_are_named(played) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.40)
    script.buy(DEPOSIT_ADDRESS, T, market, YES, 1_000, 0.40, held_by=WHALE_ADDRESS)
    script.buy(COPIER_ADDRESS, T, market, YES, 100, 0.40)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "on_target"}
        assert "the whale holds 1 position that its address never bought" in compared.notes()["whale_fills"]


def test_dust_that_the_whale_left_is_below_the_minimum(played) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.5)
    script.copy(script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.50), 100)
    script.sell(WHALE_ADDRESS, T + 60, market, YES, 1_000, 0.50)
    script.sell(COPIER_ADDRESS, T + 64, market, YES, 99.7, 0.50)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "below_minimum"}
        assert compared.row(market.token(YES), "actual_usd, cost_of_deviation") == (pytest.approx(0.15), None)
        assert compared.summary("orphan, cost_of_deviation") == (0, 0)


@pytest.mark.parametrize(("left", "status"), [(0.3, "orphan"), (100, "over")])
def test_whale_that_left_all_but_dust_has_left(played, left, status) -> None:
    script = Script(ratio=0.1)
    market = script.market("Will it rain?", 0.5)
    script.copy(script.buy(WHALE_ADDRESS, T, market, YES, 2_000, 0.50), 200)
    script.sell(WHALE_ADDRESS, T + HOUR, market, YES, 2_000 - left, 0.50)
    with played(script, T + 60) as compared:
        assert compared.statuses() == {market.token(YES): "on_target"}
        compared.sim.clock.set(T + 2 * HOUR)
        assert compared.statuses() == {market.token(YES): status}
        seen_at = compared.row(market.token(YES), "compared_at")[0]
        assert compared.statuses() == {market.token(YES): status}
        since = seen_at if status == "orphan" else None
        assert compared.row(market.token(YES), "whale_out_since, whale_size") == (since, left)
        traces = [seen for seen in compared.sim.requests if "market" in seen.params]
        assert len(traces) == (1 if status == "orphan" else 0), "an exit is traced once"


def test_little_that_the_whale_always_held_is_no_exit(played) -> None:
    script = Script(ratio=0.1)
    market = script.market("Will it rain?", 0.5)
    script.buy(WHALE_ADDRESS, T, market, YES, 15, 0.50)
    script.buy(COPIER_ADDRESS, T + 4, market, YES, 200, 0.50)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "over"}


def test_fee_in_shares_is_neither_a_move_nor_a_missing_position(played) -> None:
    script = Script()
    market, held = script.market("Will it rain?", 0.5), script.market("Will it blow?", 0.5)
    for wallet, size in ((WHALE_ADDRESS, 1_000), (COPIER_ADDRESS, 100)):
        for one in (market, held):
            script.buy(wallet, T, one, YES, size, 0.50, received=0.9787 * size)
    script.sell(WHALE_ADDRESS, T + 60, market, YES, 978.7, 0.50)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "orphan", held.token(YES): "on_target"}
        assert compared.row(market.token(YES), "whale_exit, copier_net") == ("traded", pytest.approx(97.87))
        assert compared.notes() == {}


def test_combos_are_no_fills_without_a_position(played) -> None:
    script = Script()
    rain, wind = script.market("Will it rain?", 0.5), script.market("Will it blow?", 0.8)
    script.buy(WHALE_ADDRESS, T, script.combo((rain, YES), (wind, YES)), YES, 1_000, 0.40)
    with played(script) as compared:
        assert compared.statuses() == {}
        assert compared.notes() == {}


def test_full_page_that_does_not_name_the_token_is_unknown(played) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.5)
    script.buy(COPIER_ADDRESS, T, market, YES, 100, 0.50)
    for n in range(500):
        script.buy(WHALE_ADDRESS, T + n, market, NO, 10, 0.50)
    for n in range(500):
        script.sell(WHALE_ADDRESS, T + 1_000 + n, market, NO, 10, 0.50)
    with played(script) as compared:
        assert compared.statuses() == {market.token(YES): "unknown"}
        assert "newest 500 activities" in compared.row(market.token(YES), "reason")[0]
