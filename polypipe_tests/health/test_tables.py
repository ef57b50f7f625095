"""Tables made by hand, read and judged: that the columns mean what the conditions take them for."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from polypipe.caches.registry import CACHES
from polypipe.health import copying, quality
from polypipe.health import pipeline as conditions
from polypipe.health import tables as stored
from polypipe.warehouse.connection import open_memory
from polypipe.warehouse.migrate import migrate
from polypipe_tests.alerts.support import MINUTE, NOW, WALLETS, rule, seen, situation
from polypipe_tests.attribution.tables import insert

if TYPE_CHECKING:
    import duckdb

DAY = timedelta(days=1)
OURS = {"user1_address": WALLETS.copier, "user2_address": WALLETS.whale}
OTHERS = {"user1_address": WALLETS.copier, "user2_address": "0x" + "ff" * 20}


@pytest.fixture
def con() -> Iterator["duckdb.DuckDBPyConnection"]:
    with open_memory() as opened:
        migrate(opened)
        yield opened


def publication(con, file, age, accepted=True, reason=None):
    insert(con, "publications", publication_id=f"{file}{age}", file=file, time=NOW - age, accepted=accepted, reason=reason)


def test_publications(con):
    refused, old, fresh = (spec.file for spec in CACHES[:3])
    publication(con, refused, 2 * MINUTE)
    publication(con, refused, MINUTE, accepted=False, reason="it would lose more than half")
    publication(con, old, 3 * MINUTE, accepted=False, reason="x")
    publication(con, old, DAY)
    publication(con, fresh, 2 * MINUTE, accepted=False, reason="x")
    publication(con, fresh, MINUTE)
    here = situation(files=stored.read_files(con, NOW))
    refusals = seen(conditions.file_refused(here, rule("file_refused")))
    assert [refusals[file] for file in (refused, old, fresh)] == ["firing", "firing", "clear"]
    ages = seen(conditions.file_old(here, rule("file_old")))
    assert [ages[file] for file in (refused, old, fresh)] == ["clear", "firing", "clear"]
    assert len(ages) == len(CACHES)


def crawl(con, age, complete=True, error=None, kind="universe", dropped=0):
    insert(
        con, "crawls", crawl_id=f"{kind}{age}", kind=kind, started_at=NOW - age, finished_at=NOW - age + MINUTE / 2,
        complete=complete, error=error, dropped=dropped,
    )  # fmt: skip


def test_crawls(con):
    assert [(one.kind, one.incomplete, one.observed_at) for one in stored.read_crawls(con, NOW)] == [
        ("universe", 0, None),
        ("live", 0, None),
    ]
    crawl(con, 50 * MINUTE, dropped=60)
    for n in range(3):
        crawl(con, (30 - n) * MINUTE, complete=False, error=f"HTTP 429 {n}")
    crawl(con, MINUTE, kind="live")
    universe, live = stored.read_crawls(con, NOW)
    assert (universe.incomplete, universe.error, universe.observed_at) == (3, "HTTP 429 2", NOW - 50 * MINUTE)
    assert (live.incomplete, live.error) == (0, "")
    here = situation(wallets=None, crawls=[universe, live])
    assert seen(conditions.crawl_incomplete(here, rule("crawl_incomplete"))) == {"universe": "firing", "live": "clear"}
    assert seen(conditions.source_stale(here, rule("source_stale"))) == {"universe": "firing"}
    drift = seen(conditions.contract_drift(here, rule("contract_drift")))
    assert {key for key, value in drift.items() if value == "firing"} == {"rows universe"}


def test_versions(con):
    assert stored.read_versions(con) == {}
    for n, version in enumerate(("v1", None, "v9", "v9")):
        insert(con, "markets", market_id=str(n), event_id="e", version=version)
    assert stored.read_versions(con) == {"v1": 1, "v9": 2}


def snapshot(con, age, pnl=-500.0, wallets=OURS, **sources):
    found = {name: {"ok": True, "age": seconds} for name, seconds in sources.items()}
    reasons = {} if pnl is not None else {"user1_pnl": "its newest point is too old"}
    insert(
        con, "snapshots", id=int(age.total_seconds()), timestamp=NOW - age, sources=json.dumps(found), user1_pnl=pnl,
        user1_value=100.0, reasons=json.dumps(reasons), origin="polypipe", **wallets,
    )  # fmt: skip


def test_snapshots(con):
    assert stored.read_snapshot(con, WALLETS, NOW) is None
    snapshot(con, 3 * MINUTE, pnl=1.0)
    snapshot(con, MINUTE, user1_value=0.0, user2_value=840.0, user1_pnl=None)
    snapshot(con, timedelta(), wallets=OTHERS)
    here = situation(snapshot=stored.read_snapshot(con, WALLETS, NOW), looked_at=NOW)
    assert seen(conditions.source_stale(here, rule("source_stale", minutes=14))) == {
        "snapshots": "clear", "fills": "clear", "user1_value": "clear", "user2_value": "firing", "user1_pnl": "firing",
    }  # fmt: skip
    assert seen(copying.daily_loss(here, rule("daily_loss"))) == {"": "firing"}


def test_what_a_clock_that_was_ahead_has_written_neither_hides_nor_passes_for_what_is(con):
    """The clock jumped an hour ahead and was put right: for an hour the rows of then would be the newest ones."""
    file = CACHES[0].file
    publication(con, file, 2 * MINUTE)
    publication(con, file, -50 * MINUTE, accepted=False, reason="x")
    crawl(con, MINUTE, complete=False, error="HTTP 500")
    crawl(con, -50 * MINUTE)
    snapshot(con, MINUTE, pnl=-500.0)
    snapshot(con, -50 * MINUTE, pnl=1.0)
    (found,) = [one for one in stored.read_files(con, NOW) if one.name == file]
    assert (found.accepted_at, found.refused) == (NOW - 2 * MINUTE, None)
    assert stored.read_crawls(con, NOW)[0].incomplete == 1
    taken = stored.read_snapshot(con, WALLETS, NOW)
    assert (taken.time, taken.pnl) == (NOW - MINUTE, -500.0)


def summary(con, compared_at, wallets=OURS):
    counts = ("on_target", "under", "over", "missed", "below_minimum", "orphan", "manual", "resolved", "netted")
    zeros = dict.fromkeys((*counts, "whale_positions", "copier_positions"), 0)
    texts = dict.fromkeys(("by_status", "by_size", "reasons"), "{}")
    insert(con, "position_summaries", compared_at=compared_at, scaling_ratio=0.1, **wallets, **zeros, **texts)


def position(con, token, status, shares, price):
    sizes = dict.fromkeys(("whale_size", "whale_net", "expected_size"), 0.0)
    insert(
        con, "positions", token_id=token, title="Who wins?", outcome="Yes", status=status, copier_size=shares,
        copier_net=shares, price=price, whale_held=True, whale_out_since=NOW - DAY, compared_at=NOW - MINUTE, **sizes,
    )  # fmt: skip


def test_positions(con):
    assert stored.read_positions(con, WALLETS) is None
    summary(con, NOW - MINUTE)
    for token, status, shares, price in (
        ("a", "orphan", 100.0, 0.5),
        ("b", "orphan", 10.0, 0.5),
        ("c", "orphan", 10.0, None),
        ("d", "resolved", 100.0, 1.0),
        ("e", "resolved", 100.0, 0.0),
        ("f", "missed", 0.0, 0.5),
    ):
        position(con, token, status, shares, price)
    here = situation(positions=stored.read_positions(con, WALLETS))
    exits = copying.uncopied_exit(here, rule("uncopied_exit"))
    assert seen(exits) == {"a": "firing", "b": "clear", "c": "unknown"}
    assert exits.observations[0].text.endswith("which the whale left 24 h 00 min ago")
    assert seen(copying.unredeemed(here, rule("unredeemed"))) == {"d": "firing", "e": "clear"}
    summary(con, NOW, OTHERS)  # the positions are of other wallets now
    assert stored.read_positions(con, WALLETS) is None


def quality_row(con, day, window, gap=-150.0, t=-3.0, wallets=OURS):
    insert(
        con, "copy_quality_daily", day=day, window_days=window, gap=gap, gap_t=t, capital=100.0, hours_covered=24,
        recorded_days=1, source="recorded", reasons="{}", **wallets,
    )  # fmt: skip


def test_copy_quality(con):
    yesterday = NOW.replace(hour=0) - DAY
    assert stored.read_quality(con, WALLETS, 7) is None
    quality_row(con, yesterday - DAY, 7, gap=0.0)
    quality_row(con, yesterday, 7)
    quality_row(con, yesterday, 1, gap=0.0)
    quality_row(con, yesterday + DAY, 7, gap=0.0, wallets=OTHERS)
    found = stored.read_quality(con, WALLETS, 7)
    assert found.closes == yesterday + DAY
    assert seen(quality.copy_gap(situation(quality=found), rule("copy_gap"))) == {"": "firing"}


def copy_fill(con, n, ratio=0.1, realised=0.1, **more):
    values = {
        "key": str(n), "timestamp": NOW - n * MINUTE, "status": "copied", "token_id": "T", "side": "BUY",
        "whale_shares": 100.0, "whale_price": 0.5, "ratio": ratio, "eligible": True, "expected_shares": 100 * ratio,
        "copier_shares": 100 * realised, "copier_price": 0.5, "copier_fee": 0.0, "copier_fills": 1, "order_sent": True,
        "latency": 5.0, "slippage_cents": 1.0, "ambiguous": False, "sport": "", "league": "", "market_type": "",
        "price_bucket": "", "size_bucket": "", "title": "", "event_slug": "", "outcome": "",
    }  # fmt: skip
    insert(con, "copy_fills", **values | OURS | more)


def test_copy_fills(con):
    for n in range(100):
        copy_fill(con, n, slippage_cents=9.0 if n < 6 else 1.0)
    for n in range(100, 130):
        copy_fill(con, n, status="missed", order_sent=False, latency=None, slippage_cents=None, copier_shares=0.0)
    copy_fill(con, 200, eligible=False)
    copy_fill(con, 201, **OTHERS)
    yesterday = NOW.replace(hour=0) - DAY
    quality_row(con, yesterday, 7)
    copied = stored.read_copied(con, WALLETS, NOW)
    assert len(copied) == 130
    assert copied[0].at == NOW
    here = situation(copied=copied, quality=stored.read_quality(con, WALLETS, 7))
    assert seen(quality.slippage(here, rule("slippage"))) == {"": "firing"}
    assert seen(quality.latency(here, rule("latency"))) == {"": "clear"}
    assert seen(quality.copy_rate(here, rule("copy_rate", fills=130, percent=90))) == {"": "firing"}
    assert seen(quality.copy_rate(here, rule("copy_rate", fills=100, percent=90))) == {"": "clear"}


def test_the_ratio_is_read_from_clear_pairs_at_the_present_setting(con):
    for n in range(25):
        copy_fill(con, n, realised=0.08)
    others = [{"side": "SELL"}, {"copier_fills": 2}, {"ambiguous": True}, {"status": "own"}, {"whale_shares": 5000.0}]
    others += [{"whale_shares": 4000.0}, {"whale_shares": 10.0, "copier_shares": 2.02}]  # the tier; a minimum order
    for n, more in enumerate([*others, {"ratio": 0.2}, {"timestamp": NOW - 8 * DAY}, OTHERS]):
        copy_fill(con, 100 + n, **{"realised": 0.5, **more})
    pairs = stored.read_pairs(con, WALLETS, NOW)
    assert pairs == pytest.approx([0.08] * 25)
    assert seen(quality.ratio_mismatch(situation(pairs=pairs), rule("ratio_mismatch"))) == {"": "firing"}


def test_the_hourly_pnl(con):
    assert stored.read_pnl(con, WALLETS, NOW, 30) == (None, None, None)
    for hours, p in ((40 * 24, 9999.0), (50, 100.0), (30, 500.0), (12, 50.0)):
        insert(
            con, "wallet_pnl", wallet=WALLETS.copier, t=NOW - timedelta(hours=hours), p=p, fidelity="1h", fetched_at=NOW
        )  # fmt: skip
    insert(con, "wallet_pnl", wallet=WALLETS.whale, t=NOW, p=1e6, fidelity="1h", fetched_at=NOW)
    peak, last, at = stored.read_pnl(con, WALLETS, NOW, 30)
    assert (peak, last, at) == (500.0, 50.0, NOW - timedelta(hours=12))
    here = situation(peak_pnl=peak, last_pnl=last, pnl_at=at)
    assert seen(quality.drawdown(here, rule("drawdown"))) == {"": "firing"}


def test_the_lines_of_the_log(con):
    for n, (age, outcome) in enumerate(((5 * MINUTE, "EXEC_FAIL"), (MINUTE, "SENT"), (61 * MINUTE, "EXEC_FAIL"))):
        at = NOW - age
        insert(
            con, "trade_log", log_id="l", byte_offset=n, day=at.replace(hour=0, minute=0), logged_at=at, outcome=outcome,
            reason="why", tx_hash="0x1", token_id="T", raw="",
        )  # fmt: skip
    lines = stored.read_lines(con, NOW)
    assert [(line.at, line.outcome, line.transaction) for line in lines] == [
        (NOW - 5 * MINUTE, "EXEC_FAIL", "0x1"),
        (NOW - MINUTE, "SENT", "0x1"),
    ]
