"""The conditions of copying that are told within minutes: firing, clear, unknown; and nothing in a quiet market."""

from datetime import timedelta

import pytest

from polypipe.health import copying
from polypipe.health.facts import BotLog, Held, Logged, Positions, Snapshot
from polypipe_tests.alerts.support import MINUTE, NO_WALLETS, NOW, fill, look, rule, seen, situation

SECOND = timedelta(seconds=1)


def missed(whale, copier=(), since=None, limits=None, **known):
    looked = look(whale, list(copier)) if since is None else look(whale, list(copier), since)
    return copying.missed_copy(situation(look=looked, **known), rule("missed_copy", **(limits or {})))


def test_a_fill_of_the_whale_without_a_copy():
    reading = missed([fill(6)])
    assert seen(reading) == {"T BUY": "firing"}
    (one,) = reading.observations
    assert one.value == pytest.approx(500)
    assert 'Whale bought $500.00 of "Who wins?" (Yes): 1,000 shares at 0.50, 11:54:00 UTC; no copy within 3 min' in one.text


def test_a_copy_in_time_is_no_miss_and_a_late_one_is():
    assert seen(missed([fill(6)], [fill(5.9, 100)])) == {}
    assert seen(missed([fill(6)], [fill(6.03, 100)])) == {}  # blocks: a copy may seem to come 2 s before
    assert seen(missed([fill(6)], [fill(2.9, 100)])) == {"T BUY": "firing"}
    assert seen(missed([fill(6)], [fill(5.9, 100, side="SELL")])) == {"T BUY": "firing"}
    assert seen(missed([fill(6)], [fill(5.9, 100, token="U")])) == {"T BUY": "firing"}


def test_nothing_is_judged_before_its_time_is_over_and_its_copy_listed():
    assert seen(missed([fill(3.9)])) == {}
    assert seen(missed([fill(4)])) == {"T BUY": "firing"}
    assert seen(missed([fill(21)])) == {}  # and nothing for ever


def test_pieces_of_one_order_count_together_and_small_change_does_not():
    pieces = [fill(6 - n / 100, 40, 0.5, transaction=f"0x{n}") for n in range(6)]
    assert seen(missed(pieces)) == {"T BUY": "firing"}
    assert seen(missed(pieces[:4])) == {}  # $80
    assert seen(missed([fill(6, 9.9, 0.99) for _ in range(60)])) == {}  # the bot skips fills below 10 shares
    assert seen(missed([fill(6, 20, 0.5) for _ in range(60)])) == {}  # and what is worth less than its minimum order


def held(token="T", shares=50.0, price=0.5, status="orphan", since=None, age=MINUTE):
    return Positions(NOW - age, [Held(token, "Who wins?", "Yes", status, shares, price, since)])


def test_a_sale_counts_only_of_what_the_copier_is_known_to_hold():
    sale = [fill(6, side="SELL")]
    unknown = {"unknown": "sales cannot be judged: there is no fresh comparison of positions"}
    assert seen(missed(sale)) == unknown
    assert seen(missed(sale, positions=held())) == {"T SELL": "firing"}
    assert seen(missed(sale, positions=held(age=21 * MINUTE))) == unknown
    assert seen(missed(sale, positions=held("U"))) == {}
    assert seen(missed([fill(6), fill(40, side="SELL")])) == {"T BUY": "firing"}  # an old sale leaves nothing open


def test_what_the_copier_held_is_known_for_the_moment_of_the_sale():
    """The comparison is up to 20 minutes old: what the copier did since then, or before it but after the sale, counts."""
    sale, old, new = [fill(6, side="SELL")], held(age=12 * MINUTE), held(age=MINUTE)
    assert seen(missed(sale, [fill(10, 50, side="SELL")], positions=old)) == {}  # the whale's pieces before were copied
    assert seen(missed(sale, [fill(10, 49, side="SELL")], positions=old)) == {}  # $0.50 is too little to be sold
    assert seen(missed(sale, [fill(10, 40, side="SELL")], positions=old)) == {"T SELL": "firing"}
    assert seen(missed(sale, [fill(10, 50)], positions=held("U", age=12 * MINUTE))) == {"T SELL": "firing"}
    none = held(shares=0.0, age=MINUTE)
    assert seen(missed(sale, [fill(2, 50, side="SELL")], positions=none)) == {"T SELL": "firing"}  # sold, but too late
    assert seen(missed(sale, [fill(2, 50)], positions=new)) == {}  # bought after the sale


def test_the_bots_own_word_is_told_with_it():
    line = Logged(NOW - 6 * MINUTE, "REJECTED", 400, "", "0xabc", "T")
    reading = missed([fill(6, transaction="0xabc")], log=BotLog(True, NOW, True, [line]))
    assert reading.observations[0].text.endswith("; the bot's log: REJECTED 400")


def test_a_listing_that_does_not_reach_back_leaves_the_rest_unknown():
    reading = missed([fill(5), fill(8, token="U")], since=NOW - 6 * MINUTE)
    assert seen(reading) == {"T BUY": "firing", "unknown": "the listing reaches back to 11:54:02 UTC only"}
    assert reading.seen("U BUY") == "unknown"
    assert seen(missed([fill(5)], since=NOW - 7 * MINUTE)) == {"T BUY": "firing"}  # the ticks before saw what was before


def test_the_wallets_that_could_not_be_looked_at_are_unknown_and_without_wallets_there_is_nothing():
    reading = copying.missed_copy(situation(look_failed="HTTP 500"), rule("missed_copy"))
    assert seen(reading) == {"unknown": "HTTP 500"}
    assert seen(copying.missed_copy(situation(wallets=None), rule("missed_copy"))) == NO_WALLETS


def test_a_quiet_market_fires_nothing():
    log = BotLog(True, NOW - timedelta(days=3), True)
    here = situation(look=look([], []), log=log, positions=Positions(NOW, []))  # a whale without positions
    for condition in (copying.missed_copy, copying.bot_silent, copying.failure_burst, copying.uncopied_exit):
        reading = condition(here, rule(condition.__name__))
        assert all(one.seen == "clear" for one in reading.observations)
        assert reading.unknown is None


def exits(**known):
    return copying.uncopied_exit(situation(**known), rule("uncopied_exit"))


def test_an_exit_that_was_not_copied():
    reading = exits(positions=held(shares=100, since=NOW - 3 * 60 * MINUTE))
    assert seen(reading) == {"T": "firing"}
    assert (
        reading.observations[0].text == 'The copier holds $50.00 of "Who wins?" (Yes), which the whale left 3 h 00 min ago'
    )
    assert seen(exits(positions=held(shares=40))) == {"T": "clear"}
    assert seen(exits(positions=held(shares=100, price=None))) == {"T": "unknown"}
    assert seen(exits(positions=held(shares=100, status="manual"))) == {}
    assert "unknown" in seen(exits())
    assert "unknown" in seen(exits(positions=held(shares=100, age=21 * MINUTE)))
    assert seen(exits(wallets=None)) == NO_WALLETS


def test_winnings_that_wait():
    def waiting(**known):
        return seen(copying.unredeemed(situation(**known), rule("unredeemed")))

    assert waiting(positions=held(shares=60, price=1.0, status="resolved")) == {"T": "firing"}
    assert waiting(positions=held(shares=60, price=0.0, status="resolved")) == {"T": "clear"}
    assert "unknown" in waiting()


def silent(log, whale, since=None):
    looked = look(whale, []) if since is None else look(whale, [], since)
    return seen(copying.bot_silent(situation(look=looked, log=log), rule("bot_silent")))


def test_a_bot_that_is_silent_while_the_whale_trades():
    whale = [fill(n) for n in range(10, 1, -1)]
    assert silent(BotLog(True, NOW - 8 * MINUTE, True), whale) == {"": "firing"}
    assert silent(BotLog(True, NOW - 5 * MINUTE, True), whale) == {"": "clear"}
    assert silent(BotLog(True, None, True), whale) == {"": "firing"}  # there was a log: it is gone
    assert silent(BotLog(False, None, True), whale) == {"unknown": copying.NO_LOG}  # there never was one
    assert silent(BotLog(True, NOW - 60 * MINUTE, True), whale[:2], since=NOW - 11 * MINUTE) == {
        "unknown": "the listing does not reach back to the log's last line"
    }
    here = situation(log=BotLog(True, NOW, True), look_failed="HTTP 500")
    assert seen(copying.bot_silent(here, rule("bot_silent"))) == {"unknown": "HTTP 500"}


def test_fills_of_the_last_seconds_do_not_make_a_bot_silent():
    assert silent(BotLog(True, NOW - 60 * SECOND, True), [fill(n / 60) for n in range(59, 0, -1)]) == {"": "clear"}


def burst(*lines, read=True):
    here = situation(log=BotLog(True, NOW, read, lines))
    return seen(copying.failure_burst(here, rule("failure_burst")))


def line(minutes_ago, outcome, status=None, reason="why"):
    return Logged(NOW - minutes_ago * MINUTE, outcome, status, reason, None, None)


def test_the_same_failure_again_and_again():
    assert burst(*[line(n, "EXEC_FAIL") for n in range(5)]) == {"EXEC_FAIL": "firing"}
    assert burst(*[line(n, "EXEC_FAIL") for n in range(4)]) == {"EXEC_FAIL": "clear"}
    assert burst(*[line(n + 8, "EXEC_FAIL") for n in range(5)]) == {"EXEC_FAIL": "clear"}
    mixed = [line(1, "REJECTED", 400)] * 5 + [line(1, "REJECTED", 425)] * 3
    assert burst(*mixed) == {"REJECTED 400": "firing", "REJECTED 425": "clear"}
    assert burst(*[line(1, "SKIPPED_SMALL")] * 9, *[line(1, "REJECTED", 400, "FAK: nobody")] * 9) == {}
    assert seen(copying.failure_burst(situation(), rule("failure_burst"))) == {"unknown": copying.NO_LOG}
    assert burst(*[line(1, "EXEC_FAIL")] * 9, read=False) == {"unknown": "the bot's log waits to be read"}


def test_a_daily_loss_is_measured_by_the_larger_of_both_limits():
    def loss(pnl, value, age=MINUTE):
        here = situation(snapshot=Snapshot(NOW - age, {}, {"user1_pnl": "too old"}, pnl, value))
        return seen(copying.daily_loss(here, rule("daily_loss", usd=100, percent=20)))

    assert loss(-99, 100) == loss(-150, 1000) == {"": "clear"}
    assert loss(-101, 100) == loss(-201, 1000) == loss(-101, None) == {"": "firing"}
    assert loss(None, 100) == {"unknown": "PnL is unknown: too old"}
    assert loss(-500, 100, age=11 * MINUTE) == {"unknown": "there is no fresh snapshot"}
    assert seen(copying.daily_loss(situation(wallets=None), rule("daily_loss"))) == NO_WALLETS
