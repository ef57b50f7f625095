"""The trade log of the simulated bot."""

from datetime import UTC, datetime, timedelta

import pytest

from polypipe.bot.grammar import TRADE_LOG_HEADER, parse_line
from polypipe.sim.bot import BEGINS_DAYS, HEADER, BotLog, log_lines
from polypipe.sim.clock import Clock
from polypipe.sim.copier import CopyTruth
from polypipe.sim.ledger import Ledger
from polypipe.sim.world import World

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
OUTCOMES = {
    "": "SENT",
    "unfilled": "REJECTED",
    "small": "SKIPPED_SMALL",
    "below_minimum": "SKIPPED_PROBABILITY",
    "no_position": "SKIPPED_NO_POSITION",
    "breaker": "CB_BLOCKED",
    "book_failed": "CB_BOOK_FAIL",
}


def milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger(World(3, 120))


@pytest.fixture(scope="module")
def truths(ledger) -> dict[str, CopyTruth]:
    return {truth.whale.hash: truth for truth in ledger.copy_truth(NOW.timestamp())}


def test_header_is_the_one_that_the_grammar_expects() -> None:
    assert HEADER == TRADE_LOG_HEADER


def test_every_line_parses_to_the_true_outcome_of_its_fill(truths) -> None:
    rows = [parse_line(line) for line in log_lines(list(truths.values()), 0, milliseconds(NOW))]
    assert {row.outcome for row in rows} == set(OUTCOMES.values())
    assert {row.fill_state for row in rows} == {"ASSUMED_FULL", "PARTIAL", "NONE"}
    assert {row.is_live for row in rows} == {True, False}
    assert any(row.block is None for row in rows), "a fill that was seen before its block"
    for row in rows:
        assert row.problems is None
        truth = truths[row.tx_hash or ""]
        whale = truth.whale
        assert row.outcome == OUTCOMES[truth.reason]
        assert (row.token_id, row.side) == (whale.token, whale.side)
        assert (row.whale_shares, row.whale_price) == (pytest.approx(whale.size), pytest.approx(whale.price))
        assert row.logged_at is not None
        assert 3 <= row.logged_at.timestamp() - whale.at <= 6
        if truth.copy is not None:
            assert row.requested_shares == pytest.approx(truth.wanted, abs=0.005)
            got = row.requested_shares if row.filled_shares is None else row.filled_shares
            assert got == pytest.approx(truth.filled, rel=0.011)
    seen = {row.tx_hash for row in rows}
    assert len(seen) == len(rows)
    last = NOW.timestamp() - 6
    unseen = {truth.reason for key, truth in truths.items() if key not in seen and truth.whale.at < last}
    assert unseen == {"offline", "not_started"}


def test_log_grows_with_the_clock_and_never_repeats_a_line(ledger, truths, tmp_path) -> None:
    path = tmp_path / "bot" / "matches_optimized.csv"
    clock = Clock((NOW - timedelta(days=2)).timestamp(), 0)
    assert BotLog(ledger, clock, path).append() > 100
    assert BotLog(ledger, clock, path).append() == 0
    for hour in range(1, 49):  # a new process each time knows only the file
        clock.set((NOW - timedelta(hours=48 - hour)).timestamp())
        BotLog(ledger, clock, path).append()
    begins = milliseconds(NOW - timedelta(days=2 + BEGINS_DAYS))
    expected = log_lines(list(truths.values()), begins, milliseconds(NOW))
    assert path.read_text(encoding="utf-8").split("\n") == [HEADER, *expected, ""]


def test_log_with_only_a_header_gets_every_line(ledger, truths, tmp_path) -> None:
    path = tmp_path / "matches_optimized.csv"
    path.write_text(f"{HEADER}\n")
    BotLog(ledger, Clock(NOW.timestamp(), 0), path).append()
    assert path.read_text(encoding="utf-8").split("\n") == [
        HEADER, *log_lines(list(truths.values()), 0, milliseconds(NOW)), ""
    ]  # fmt: skip
