"""Attribution with the bot's log: from the file that a bot wrote to the reason of every fill, against the truth."""

import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from polypipe.attribution.copy_fills import compute_fills
from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe.history.activity import load_activity
from polypipe.sim.bot import BotLog
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import impatient
from polypipe_tests.divergence.support import rows
from polypipe_tests.history.support import midnight

FIRST, LAST = date(2026, 7, 10), date(2026, 7, 31)
REASONS = {
    "small": "small",
    "below_minimum": "probability",
    "no_position": "no_position",
    "breaker": "breaker",
    "book_failed": "error",
    "unfilled": "unfilled",
}


@pytest.fixture
def stored(sim, settings, wallets, tmp_path):
    """(transaction, reason, its source, shares, first attempt's ratio, in play) of every fill of the whale."""
    warehouse = Warehouse(tmp_path / "home")
    path = tmp_path / TRADE_LOG.file
    BotLog(sim.ledger, sim.clock, path).append()
    ingest(warehouse, TRADE_LOG, path)
    start, end = midnight(str(FIRST)), midnight(str(LAST)) + timedelta(days=1)
    load_activity(impatient(settings), warehouse, wallets, midnight("2026-06-01"), end)
    compute_fills(warehouse, wallets, midnight("2026-06-01"), start)
    compute_fills(warehouse, wallets, start, end)
    yield rows(
        warehouse,
        "SELECT split_part(key, '|', 3), reason, reason_source, copier_shares, first_fill_ratio, live FROM copy_fills "
        f"WHERE status <> 'own' AND timestamp >= '{FIRST} 00:00:00+00'",
    )
    shutil.rmtree(warehouse.layout.home)


@pytest.mark.slow
def test_every_reason_equals_the_simulators_decision(sim, stored) -> None:
    truth = {one.whale.hash: one for one in sim.copy_truth() if datetime.fromtimestamp(one.whale.at, UTC).date() >= FIRST}
    assert {tx for tx, *_ in stored} >= {
        key for key, one in truth.items() if one.whale.at < midnight("2026-08-01").timestamp()
    }
    missed = [(truth[tx], reason, source) for tx, reason, source, shares, _, _ in stored if not shares]
    named = [(one, reason, source) for one, reason, source in missed if one.reason in REASONS]
    assert Counter(one.reason for one, _, _ in named).keys() == REASONS.keys()
    assert {source for _, _, source in named} == {"log"}
    assert all(reason == REASONS[one.reason] for one, reason, _ in named)
    # while its bot was down nothing was logged: what sizes and holdings say, else unknown
    assert {source for one, _, source in missed if one.reason == "offline"} == {"inferred"}
    # whatever was matched to another fill of the same second is a copy that the truth does not know
    assert sum(one.reason == "" for one, _, _ in missed) <= 0.01 * len(truth)


@pytest.mark.slow
def test_live_comes_from_the_bots_log(stored) -> None:
    assert {live for *_, live in stored} == {True, False, None}
