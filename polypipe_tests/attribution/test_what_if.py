"""What-if answers over stored tables: cases of which the right answer is known."""

import json

import pytest

from polypipe.attribution.whatif import what_if
from polypipe.attribution.whatif_text import whatif_lines
from polypipe.bot_profile import CLASSIC
from polypipe.divergence.copy_rule import rule_of
from polypipe.wallets import Wallets
from polypipe_tests.attribution.tables import (
    COPIER,
    DAY,
    HOUR,
    T0,
    WHALE,
    S,
    insert,
    known_days,
    matched,
    measured,
    publish,
    trade,
)

PAIR = Wallets(COPIER, WHALE, 0.08)
RATIOS = [0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.16]


def copied_days(con, moves, events=2, copied=1.0) -> None:
    """Each day the whale buys 1,000 @ 0.50 in each of some events, whose prices move, and sells half of it.

    The copier copies everything at the whale's price, 80 x `copied` shares.
    """
    for n, move in enumerate(moves):
        at = T0 + n * DAY
        for event in range(events):
            token = f"{n}-{event}"
            more = {"token": token, "event_slug": token}
            trade(con, WHALE, at + HOUR, 1000, 0.50, **more)
            trade(con, COPIER, at + HOUR + 5 * S, 80 * copied, 0.50, **more)
            trade(con, WHALE, at + 20 * HOUR, 500, 0.50 + move, "SELL", **more)
            trade(con, COPIER, at + 20 * HOUR + 5 * S, 40 * copied, 0.50 + move, "SELL", **more)
        known_days(con, at)
        measured(con, at, 80 * copied * move * events, 1000 * move * events, ratio=0.08)
    matched(con, len(moves), PAIR)


def ratios(answer, name):
    return [row[name] for row in answer.grid if row["dimension"] == "ratio"]


def test_perfect_copier_of_a_losing_whale_has_no_gap_and_full_coverage_at_any_ratio(warehouse, con) -> None:
    copied_days(con, [-0.2] * 8)
    stored = publish(warehouse, con)
    for ratio in (0.04, 0.16):
        answer = what_if(stored, PAIR, rule_of(CLASSIC, ratio))
        assert (answer.gap, answer.gap_low, answer.gap_high) == (0, 0, 0)
        assert answer.replayed_pnl == answer.plain_pnl == answer.expected_pnl == pytest.approx(-3200 * ratio)
        assert answer.coverage == answer.coverage_in_force == pytest.approx(100)
        assert (answer.gap_in_force, answer.copier_pnl, answer.replayed_in_force, answer.replay_error) == (0, -256, -256, 0)
    assert ratios(answer, "value") == pytest.approx(RATIOS)
    assert ratios(answer, "gap") == [0] * 8
    assert ratios(answer, "copier_pnl") == pytest.approx([-3200 * ratio for ratio in RATIOS])
    assert answer.advice.verdict == "stop"
    assert answer.advice.sentence.startswith("Stop: without copies the copier would have made $256.00 more than at 0.08")
    assert "Stop: without copies" in "\n".join(whatif_lines(answer))


def test_copier_of_a_winning_whale_should_raise_the_ratio(warehouse, con) -> None:
    copied_days(con, [0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1])
    answer = what_if(publish(warehouse, con), PAIR, rule_of(CLASSIC, 0.08))
    assert (answer.advice.verdict, answer.advice.ratio) == ("raise", pytest.approx(0.16))
    assert answer.advice.usd == pytest.approx(0.08 * 1000 * 1.2 * 2)
    assert 0 < answer.advice.low < answer.advice.usd < answer.advice.high
    assert answer.replayed_low < answer.replayed_pnl == answer.copier_pnl < answer.replayed_high
    # every day two purchases of $40, of which half is sold; the rest stays open
    assert ratios(answer, "capital")[4] == pytest.approx(2 * 40 + 7 * 2 * 20)
    assert ratios(answer, "drawdown") == [0] * 8


def test_days_that_cannot_tell_say_how_many_more_would(warehouse, con) -> None:
    copied_days(con, [0.2, -0.1] * 4)
    answer = what_if(publish(warehouse, con), PAIR, rule_of(CLASSIC, 0.08))
    assert answer.advice.verdict == "cannot tell"
    assert 20 < answer.advice.more_days < 100
    assert f"about {answer.advice.more_days} more days like these would" in answer.advice.sentence


def test_few_days_give_numbers_without_intervals(warehouse, con) -> None:
    copied_days(con, [0.2, 0.1])
    answer = what_if(publish(warehouse, con), PAIR, rule_of(CLASSIC, 0.16))
    assert answer.replayed_pnl == pytest.approx(0.16 * 600)
    assert answer.replayed_low is None
    assert answer.reasons["replayed_low"].startswith("an interval needs 6 days")
    assert answer.advice.verdict == "cannot tell"
    assert answer.advice.more_days == 5  # fewer than 4 effective events on 2 days, 12 are needed
    assert set(ratios(answer, "copier_pnl_low")) == {None}


def test_partial_copies_keep_their_gap_in_proportion(warehouse, con) -> None:
    copied_days(con, [-0.2, -0.1] * 4, copied=0.75)
    stored = publish(warehouse, con)
    in_force, twice = (what_if(stored, PAIR, rule_of(CLASSIC, ratio)) for ratio in (0.08, 0.16))
    assert in_force.gap == in_force.gap_in_force == pytest.approx(0.02 * 2400)
    assert twice.gap == pytest.approx(2 * in_force.gap)
    assert twice.coverage == pytest.approx(75)


def test_shares_of_a_split_that_are_left_are_expected_of_the_copier(warehouse, con) -> None:
    """The whale splits 1,000 sets and sells the NO at 0.70: 1,000 YES of 0.30 are left, of which 80 are 24.00 USD.

    The copier has no NO to sell. YES rises to 0.60: the whale makes 300, and the copier nothing.
    """
    insert(
        con, "wallet_activity", key="s", day=T0.date(), wallet=WHALE, timestamp=T0 + HOUR, type="SPLIT", usdc_size=1000.0,
        size=1000.0, transaction_hash="", title="", slug="", event_slug="e", outcome="", occurrence=0, condition_id="cN",
    )  # fmt: skip
    trade(con, WHALE, T0 + 2 * HOUR, 1000, 0.70, "SELL", token="N")
    for n in range(2):
        known_days(con, T0 + n * DAY)
    measured(con, T0, 0.0, 0.0, ratio=0.08)
    measured(con, T0 + DAY, 0.0, 300.0, ratio=0.08)
    trade(con, WHALE, T0 + DAY + HOUR, 10, 0.40, token="N")
    matched(con, 2, PAIR)
    stored = publish(warehouse, con)
    first = what_if(stored, PAIR, rule_of(CLASSIC, 0.08), T0.date(), T0.date())
    assert first.paper.expected_usd == pytest.approx(24.00)
    assert (first.coverage, first.replay_error) == (0, 0)
    both = what_if(stored, PAIR, rule_of(CLASSIC, 0.08))
    assert (both.expected_pnl, both.plain_pnl, both.expected_in_force) == (24.00, 24.00, 24.00)
    assert (both.replayed_pnl, both.gap, both.gap_in_force) == (0, -24.00, -24.00)


def test_days_that_are_not_matched_are_left_out_of_the_replay(warehouse, con) -> None:
    copied_days(con, [0.1] * 7)
    con.execute("DELETE FROM copy_fills WHERE timestamp >= '2026-09-06 00:00:00+00'")
    answer = what_if(publish(warehouse, con), PAIR, rule_of(CLASSIC, 0.16))
    assert (answer.days_known, answer.replay_days) == (7, 5)
    assert answer.replayed_pnl == pytest.approx(5 * 32)
    assert any("matched on 5 of 7 days" in warning for warning in answer.warnings)


def test_what_explains_nothing_is_the_replay_error(warehouse, con) -> None:
    """The measured PnL is 5 USD higher than what the fills show."""
    copied_days(con, [0.1] * 7)
    con.execute("UPDATE copy_quality_daily SET copier_pnl = copier_pnl + 5, gap = gap + 5 WHERE day < '2026-09-02'")
    answer = what_if(publish(warehouse, con), PAIR, rule_of(CLASSIC, 0.16))
    assert answer.replay_error == -5
    assert answer.replayed_high - answer.replayed_pnl == pytest.approx(10)  # at twice the ratio twice the error
    assert "replay error               -$5.00: the rule in force, replayed, makes $112.00" in whatif_lines(answer)
    assert answer.warnings == []


def test_large_replay_error_is_a_warning(warehouse, con) -> None:
    copied_days(con, [0.1] * 2)
    con.execute("UPDATE copy_quality_daily SET copier_pnl = copier_pnl - 12, gap = gap - 12")
    answer = what_if(publish(warehouse, con), PAIR, rule_of(CLASSIC, 0.08))
    assert answer.replay_error == 24
    assert [warning.partition(",")[0] for warning in answer.warnings] == ["the replay is off by $24.00"]


def test_json_names_the_rule_of_each_number(warehouse, con) -> None:
    copied_days(con, [0.1] * 7)
    found = json.loads(json.dumps(what_if(publish(warehouse, con), PAIR, rule_of(CLASSIC, 0.12)).as_json()))
    named = [name for names in found["fields"].values() for name in names]
    assert len(set(named)) == len(named)
    assert set(named) <= set(found)
    assert "gap" in found["fields"]["your rule"]
    assert len([row for row in found["grid"] if row["dimension"] == "ratio"]) == 8  # the ratio asked for is one of them
    assert {row["dimension"] for row in found["grid"]} == {"ratio", "floor", "tiers", "latency"}
    late = [row for row in found["grid"] if row["dimension"] == "latency"]
    assert [row["label"] for row in late] == ["half", "same", "double"]
    assert late[0]["copier_pnl"] is None
    assert "no quotes are stored" in late[0]["reasons"]["copier_pnl"]
    assert late[1]["copier_pnl"] == found["replayed_pnl"]
