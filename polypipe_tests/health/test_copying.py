"""Probes of copying: failing, ok, unknown; and no failure in a quiet market."""

from dataclasses import replace
from datetime import timedelta

import pytest

from polypipe.bot_profile import TRADERS
from polypipe.health import copying
from polypipe.health.records import BotLog, ComparedPositions, HeldPosition, LogLine, NewestSnapshot, StoredExits
from polypipe_tests.health.support import EVER, MINUTE, NO_WALLETS, NOW, facts, fill, newest_fills, run, state, states

SECOND = timedelta(seconds=1)


def missed(whale, copier=(), since=None, limits=None, **known):
    fills = newest_fills(whale, list(copier), EVER if since is None else since)
    return run("missed_copy", facts(fills=fills, **known), **(limits or {}))


def test_fill_without_a_copy_fails():
    found = missed([fill(6)])
    assert states(found) == {"T BUY": "failing"}
    (one,) = found
    assert one.value == pytest.approx(500)
    assert 'Whale bought $500.00 of "Who wins?" (Yes): 1,000 shares at 0.50, 11:54:00 UTC; no copy within 3 min' in one.text


def test_copy_in_time_is_not_missed_and_a_late_one_is():
    assert states(missed([fill(6)], [fill(5.9, 100)])) == {}
    assert states(missed([fill(6)], [fill(6.03, 100)])) == {}  # blocks: a copy may seem to come 2 s before
    assert states(missed([fill(6)], [fill(2.9, 100)])) == {"T BUY": "failing"}
    assert states(missed([fill(6)], [fill(5.9, 100, side="SELL")])) == {"T BUY": "failing"}
    assert states(missed([fill(6)], [fill(5.9, 100, token="U")])) == {"T BUY": "failing"}


def test_fill_is_judged_only_after_its_deadline_and_within_the_window():
    assert states(missed([fill(3.9)])) == {}
    assert states(missed([fill(4)])) == {"T BUY": "failing"}
    assert states(missed([fill(21)])) == {}  # and nothing for ever


def test_pieces_of_one_order_count_together_and_fills_that_the_bot_skips_do_not():
    pieces = [fill(6 - n / 100, 40, 0.5, transaction=f"0x{n}") for n in range(6)]
    assert states(missed(pieces)) == {"T BUY": "failing"}
    assert states(missed(pieces[:4])) == {}  # $80
    assert states(missed([fill(6, 9.9, 0.99) for _ in range(60)])) == {}  # the bot skips fills below 10 shares
    assert states(missed([fill(6, 20, 0.5) for _ in range(60)])) == {}  # and fills worth less than its minimum order


def held(token="T", shares=50.0, price=0.5, status="orphan", since=None, age=MINUTE):
    return ComparedPositions(NOW - age, [HeldPosition(token, "Who wins?", "Yes", status, shares, price, since)])


def test_sale_counts_only_for_shares_that_the_copier_is_known_to_hold():
    sale = [fill(6, side="SELL")]
    unknown = {"unknown": "sales cannot be judged: no fresh comparison of positions"}
    assert states(missed(sale)) == unknown
    assert states(missed(sale, positions=held())) == {"T SELL": "failing"}
    assert states(missed(sale, positions=held(age=21 * MINUTE))) == unknown
    assert states(missed(sale, positions=held("U"))) == {}
    assert states(missed([fill(6), fill(40, side="SELL")])) == {"T BUY": "failing"}  # an old sale leaves nothing open


def test_shares_held_are_those_at_the_moment_of_the_sale():
    """The comparison is up to 20 minutes old: what the copier did since then, or before it but after the sale, counts."""
    sale, old, new = [fill(6, side="SELL")], held(age=12 * MINUTE), held(age=MINUTE)
    assert states(missed(sale, [fill(10, 50, side="SELL")], positions=old)) == {}  # the whale's pieces before were copied
    assert states(missed(sale, [fill(10, 49, side="SELL")], positions=old)) == {}  # $0.50 is too little to be sold
    assert states(missed(sale, [fill(10, 40, side="SELL")], positions=old)) == {"T SELL": "failing"}
    assert states(missed(sale, [fill(10, 50)], positions=held("U", age=12 * MINUTE))) == {"T SELL": "failing"}
    none = held(shares=0.0, age=MINUTE)
    assert states(missed(sale, [fill(2, 50, side="SELL")], positions=none)) == {"T SELL": "failing"}  # sold, but too late
    assert states(missed(sale, [fill(2, 50)], positions=new)) == {}  # bought after the sale


LAGS = (
    "the listing of the copier's fills lags: it has no copy, but the copier held the expected size at "
    "2026-11-23 11:59:00 UTC"
)
MAY_LAG = "the listing of the copier's fills may lag: positions were not compared since, and the bot's log is not known"


@pytest.mark.parametrize(
    ("shares", "age", "log", "found"),
    [
        (300, 1, False, LAGS),  # the whale held 2,000 and bought 1,000: the copier holds the copy that no row shows
        (260, 1, False, LAGS),  # most of it
        (200, 1, False, "failing"),
        (200, 1, True, "failing"),
        (300, 1, True, LAGS),
        (200, 5, False, MAY_LAG),  # compared one minute after the fill: the copy may have come later
        (200, 5, True, "failing"),  # the log would show a lag
        (200, 7, False, "failing"),  # the next comparison is overdue
    ],
)
def test_listing_that_lags_without_a_log_is_unknown_and_no_miss(shares, age, log, found):
    row = HeldPosition("T", "Who wins?", "Yes", "", shares, 0.5, None, shares, expected_shares=300)
    known = {"positions": ComparedPositions(NOW - age * MINUTE, [row]), "log": BotLog(log, NOW, True)}
    (one,) = missed([fill(6)], **known)
    assert one.key == "T BUY"
    assert (one.text if one.state == "unknown" else one.state) == found
    (late,) = missed([fill(6)], [fill(2, 100)], **known)
    assert late.state == "failing", "a late copy that is listed is not a lag"


def test_missed_copy_quotes_the_bots_log():
    line = LogLine(NOW - 6 * MINUTE, "REJECTED", 400, "", "0xabc", "T")
    found = missed([fill(6, transaction="0xabc")], log=BotLog(True, NOW, True, [line]))
    assert found[0].text.endswith("; the bot's log: REJECTED 400")


def test_listing_that_does_not_reach_back_leaves_other_keys_unknown():
    found = missed([fill(5), fill(8, token="U")], since=NOW - 6 * MINUTE)
    assert states(found) == {"T BUY": "failing", "unknown": "the listing reaches back to 11:54:02 UTC only"}
    assert states(missed([fill(5)], since=NOW - 7 * MINUTE)) == {"T BUY": "failing"}  # earlier ticks judged the older fills


def test_missed_copies_are_unknown_without_fills_or_wallets():
    assert state("missed_copy", facts(fills_error="HTTP 500")) == {"unknown": "HTTP 500"}
    assert state("missed_copy", facts(wallets=None)) == NO_WALLETS


def test_quiet_market_fails_nothing():
    log = BotLog(True, NOW - timedelta(days=3), True)
    here = facts(fills=newest_fills([], []), log=log, positions=ComparedPositions(NOW, []))  # a whale without positions
    for probe in ("missed_copy", "bot_silent", "failure_burst", "uncopied_exit"):
        assert set(state(probe, here).values()) <= {"ok"}


def exits(**known):
    return run("uncopied_exit", facts(**known))


def test_uncopied_exit_fails_from_its_limit_in_usd():
    found = exits(positions=held(shares=100, since=NOW - 3 * 60 * MINUTE))
    assert states(found) == {"T": "failing"}
    assert found[0].text == 'The copier holds $50.00 of "Who wins?" (Yes), which the whale left 3 h 00 min ago'
    assert states(exits(positions=held(shares=40))) == {"T": "ok"}
    assert states(exits(positions=held(shares=100, price=None))) == {"T": "unknown"}
    assert states(exits(positions=held(shares=100, status="manual"))) == {}
    assert "unknown" in states(exits())
    assert "unknown" in states(exits(positions=held(shares=100, age=21 * MINUTE)))
    assert states(exits(wallets=None)) == NO_WALLETS


def test_unredeemed_winnings_fail_from_their_limit_in_usd():
    def waiting(**known):
        return state("unredeemed", facts(**known))

    assert waiting(positions=held(shares=60, price=1.0, status="resolved")) == {"T": "failing"}
    assert waiting(positions=held(shares=60, price=0.0, status="resolved")) == {"T": "ok"}
    assert "unknown" in waiting()


def silent(log, whale, since=None):
    fills = newest_fills(whale, [], EVER if since is None else since)
    return state("bot_silent", facts(fills=fills, log=log))


def test_bot_is_silent_when_its_log_stands_still_while_the_whale_trades():
    whale = [fill(n) for n in range(10, 1, -1)]
    assert silent(BotLog(True, NOW - 8 * MINUTE, True), whale) == {"": "failing"}
    assert silent(BotLog(True, NOW - 5 * MINUTE, True), whale) == {"": "ok"}
    assert silent(BotLog(True, None, True), whale) == {"": "failing"}  # there was a log: it is gone
    assert silent(BotLog(False, None, True), whale) == {"unknown": copying.NO_LOG}  # there never was one
    assert silent(BotLog(True, NOW - 60 * MINUTE, True), whale[:2], since=NOW - 11 * MINUTE) == {
        "unknown": "the listing does not reach back to the log's last line"
    }
    here = facts(log=BotLog(True, NOW, True), fills_error="HTTP 500")
    assert state("bot_silent", here) == {"unknown": "HTTP 500"}


def test_fills_of_the_last_seconds_do_not_make_a_bot_silent():
    assert silent(BotLog(True, NOW - 60 * SECOND, True), [fill(n / 60) for n in range(59, 0, -1)]) == {"": "ok"}


def burst(*lines, read=True):
    return state("failure_burst", facts(log=BotLog(True, NOW, read, lines)))


def line(minutes_ago, outcome, status=None, reason="why"):
    return LogLine(NOW - minutes_ago * MINUTE, outcome, status, reason, None, None)


def test_failures_for_one_reason_within_minutes_fail():
    assert burst(*[line(n, "EXEC_FAIL") for n in range(5)]) == {"EXEC_FAIL": "failing"}
    assert burst(*[line(n, "EXEC_FAIL") for n in range(4)]) == {"EXEC_FAIL": "ok"}
    assert burst(*[line(n + 8, "EXEC_FAIL") for n in range(5)]) == {"EXEC_FAIL": "ok"}
    mixed = [line(1, "REJECTED", 400)] * 5 + [line(1, "REJECTED", 425)] * 3
    assert burst(*mixed) == {"REJECTED 400": "failing", "REJECTED 425": "ok"}
    assert burst(*[line(1, "SKIPPED_SMALL")] * 9, *[line(1, "REJECTED", 400, "FAK: no match")] * 9) == {}
    assert state("failure_burst", facts()) == {"unknown": copying.NO_LOG}
    assert burst(*[line(1, "EXEC_FAIL")] * 9, read=False) == {"unknown": "the bot's log waits to be read"}


def test_daily_loss_is_measured_by_the_larger_of_both_limits():
    def loss(pnl, value, age=MINUTE):
        here = facts(snapshot=NewestSnapshot(NOW - age, {}, {"user1_pnl": "too old"}, pnl, value))
        return state("daily_loss", here, usd=100, percent=20)

    assert loss(-99, 100) == loss(-150, 1000) == {"": "ok"}
    assert loss(-101, 100) == loss(-201, 1000) == loss(-101, None) == {"": "failing"}
    assert loss(None, 100) == {"unknown": "PnL is unknown: too old"}
    assert loss(-500, 100, age=6 * MINUTE) == {"unknown": "no fresh snapshot"}
    assert state("daily_loss", facts(wallets=None)) == NO_WALLETS


def logged(minutes_ago, transaction="0xnew"):
    line = LogLine(NOW - minutes_ago * MINUTE, "EXECUTED", 200, "", transaction, "T")
    return BotLog(True, NOW - minutes_ago * MINUTE, True, [line])


def test_listing_that_lags_behind_the_bots_log_makes_missed_copies_unknown():
    lag = "the exchange's listing lags: its newest whale fill is of 11:50:00 UTC, the bot's log has one of 11:56:00 UTC"
    assert states(missed([fill(10)], log=logged(4))) == {"unknown": lag}
    assert states(missed([], log=logged(4))) == {
        "unknown": "the exchange's listing lags: it has no whale fill, the bot's log has one of 11:56:00 UTC"
    }
    assert states(missed([fill(10)], log=logged(1))) == {"T BUY": "failing"}  # not listed yet, which is usual
    assert states(missed([fill(10)], log=logged(9))) == {"T BUY": "failing"}
    known = fill(4.5, transaction="0xnew")
    assert states(missed([fill(10), known], log=logged(4))) == {"T BUY": "failing"}


def test_listing_from_a_cache_is_as_old_as_its_age():
    fills = newest_fills([fill(10)], [])
    cached = replace(fills, copier=replace(fills.copier, age=290 * SECOND))
    assert states(run("missed_copy", facts(fills=cached))) == {
        "unknown": "the listing of the copier's fills came from a cache and is 4 min old"
    }
    assert states(run("missed_copy", facts(fills=replace(fills, whale=replace(fills.whale, age=60 * SECOND))))) == {
        "T BUY": "failing"
    }


def test_moved_converted_and_unknown_positions_are_no_exits():
    for status in ("moved", "converted", "below_minimum", "manual"):
        assert state("uncopied_exit", facts(positions=held(status=status))) == {}
    untraced = ComparedPositions(
        NOW, [HeldPosition("T", "Who wins?", "Yes", "unknown", 50, 0.5, None, 50, "its history is not traced yet")]
    )
    (finding,) = run("uncopied_exit", facts(positions=untraced))
    assert (finding.key, finding.state) == ("T", "unknown")
    assert "not traced yet" in finding.text


def test_uncopied_exit_is_worth_the_shares_beyond_full_sets():
    row = HeldPosition("T", "Who wins?", "Yes", "orphan", 1000, 0.5, None, net_shares=100)
    assert (row.usd, replace(row, status="resolved").usd) == (50, 500)


def test_address_whose_fills_are_elsewhere_is_named_and_leaves_missed_copies_unknown():
    notes = {"copier_fills": "the copier holds 3 positions that its address never bought"}
    compared = replace(held(), notes=notes)
    assert state("addresses", facts(positions=compared)) == {"copier_fills": "failing"}
    assert states(missed([fill(5)], positions=compared)) == {"unknown": notes["copier_fills"]}
    assert state("addresses", facts(positions=held())) == {"": "ok"}
    assert state("addresses", facts(positions=replace(held(), notes={"unchecked": "no answer"}))) == {
        "unknown": "no answer"
    }
    assert state("addresses", facts()) == {"unknown": "no comparison of positions"}


@pytest.mark.parametrize(
    ("status", "out_hours_ago", "exits", "agrees"),
    [
        ("orphan", 14, ["T"], True),
        ("orphan", 14, [], False),
        ("orphan", 2, [], True),  # after the end of the attributed day
        ("orphan", 1000, [], True),  # before fills are known
        ("below_minimum", 14, [], True),
        ("resolved", None, ["T"], True),
        ("over", None, ["T"], True),  # the whale left in part, or came back
        ("moved", 14, ["T"], False),
        ("converted", 14, ["T"], False),
        ("manual", None, ["T"], False),
        ("manual", None, [], True),
    ],
)
def test_positions_and_exits_of_the_gap_agree_on_every_token(status, out_hours_ago, exits, agrees):
    since = None if out_hours_ago is None else NOW - out_hours_ago * 60 * MINUTE
    stored = StoredExits(NOW - 12 * 60 * MINUTE, NOW - 100 * 60 * MINUTE, dict.fromkeys(exits, "Who wins?"))
    known = facts(positions=held(status=status, since=since), exits=stored)
    assert state("exits_agree", known) == ({"": "ok"} if agrees else {"T": "failing"})


def test_agreement_is_unknown_before_the_first_attributed_day():
    assert "no attributed day" in state("exits_agree", facts(positions=held()))["unknown"]


def test_fills_that_the_bots_rule_copies_for_certain_are_judged():
    pair = facts().wallets
    assert pair is not None
    small = [fill(6, 40, 0.9) for _ in range(60)]  # orders of 4 shares, $3.60
    assert states(missed(small, wallets=replace(pair, bot=TRADERS))) == {}  # fewer than 5 shares: by chance
    assert states(missed(small)) == {"T BUY": "failing"}
    always = replace(pair, bot=replace(TRADERS, below_minimum="raised"))
    assert states(missed(small, wallets=always)) == {"T BUY": "failing"}
