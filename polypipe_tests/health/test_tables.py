"""Tables made by hand, read and judged: the columns mean what the probes take them for."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from polypipe.caches.registry import CACHES
from polypipe.health import tables as stored
from polypipe.health.records import CopierPnl
from polypipe_tests.attribution.tables import insert
from polypipe_tests.health.support import MINUTE, NOW, WALLETS, facts, run, state

if TYPE_CHECKING:
    pass

DAY = timedelta(days=1)
OURS = {"user1_address": WALLETS.copier, "user2_address": WALLETS.whale}
OTHERS = {"user1_address": WALLETS.copier, "user2_address": "0x" + "ff" * 20}


def publication(con, file, age, accepted=True, reason=None):
    key = f"{file}{age}"
    insert(
        con, "publications", publication_id=key, file=file, time=NOW - age, accepted=accepted, reason=reason, sha256=key
    )  # fmt: skip


def test_newest_publication_decides_whether_a_file_is_refused(con):
    refused, old, fresh = (spec.file for spec in CACHES[:3])
    publication(con, refused, 2 * MINUTE)
    publication(con, refused, MINUTE, accepted=False, reason="it would lose more than half")
    publication(con, old, 3 * MINUTE, accepted=False, reason="x")
    publication(con, old, DAY)
    publication(con, fresh, 2 * MINUTE, accepted=False, reason="x")
    publication(con, fresh, MINUTE)
    here = facts(files=stored.read_files(con, CACHES, NOW))
    assert [file.sha256 for file in here.files[:3]] == [f"{refused}{2 * MINUTE}", f"{old}{DAY}", f"{fresh}{MINUTE}"]
    refusals = state("file_refused", here)
    assert [refusals[file] for file in (refused, old, fresh)] == ["failing", "failing", "ok"]
    ages = state("file_old", here)
    assert [ages[file] for file in (refused, old, fresh)] == ["ok", "failing", "ok"]
    assert len(ages) == len(CACHES)


def crawl(con, age, complete=True, error=None, kind="universe", dropped=0):
    insert(
        con, "crawls", crawl_id=f"{kind}{age}", kind=kind, started_at=NOW - age, finished_at=NOW - age + MINUTE / 2,
        complete=complete, error=error, dropped=dropped,
    )  # fmt: skip


def test_incomplete_crawls_count_since_the_newest_complete_one(con):
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
    here = facts(wallets=None, crawls=[universe, live])
    assert state("crawl_incomplete", here) == {"universe": "failing", "live": "ok"}
    assert state("universe_old", here) == {"universe": "failing"}
    drift = state("contract_drift", here)
    assert {key for key, value in drift.items() if value == "failing"} == {"rows universe"}


def test_markets_without_a_version_are_not_counted(con):
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


def test_newest_snapshot_is_that_of_the_pair(con):
    assert stored.read_snapshot(con, WALLETS, NOW) is None
    snapshot(con, 3 * MINUTE, pnl=1.0)
    snapshot(con, MINUTE, user1_value=0.0, user2_value=840.0, user1_pnl=None)
    snapshot(con, timedelta(), wallets=OTHERS)
    here = facts(snapshot=stored.read_snapshot(con, WALLETS, NOW))
    assert state("snapshot_old", here) == {"snapshots": "ok"}
    assert state("source_silent", here, minutes=14) == {
        "user1_value": "ok", "user2_value": "failing", "user1_pnl": "failing",
    }  # fmt: skip
    assert state("daily_loss", here) == {"": "failing"}


def test_rows_from_the_future_neither_hide_nor_replace_the_newest_row(con):
    """The clock jumped an hour ahead and was put right: for an hour the rows of then would be the newest ones."""
    file = CACHES[0].file
    publication(con, file, 2 * MINUTE)
    publication(con, file, -50 * MINUTE, accepted=False, reason="x")
    crawl(con, MINUTE, complete=False, error="HTTP 500")
    crawl(con, -50 * MINUTE)
    snapshot(con, MINUTE, pnl=-500.0)
    snapshot(con, -50 * MINUTE, pnl=1.0)
    (found,) = [one for one in stored.read_files(con, CACHES, NOW) if one.name == file]
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


def test_positions_are_read_only_if_they_belong_to_the_pair(con):
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
    here = facts(positions=stored.read_positions(con, WALLETS))
    exits = run("uncopied_exit", here)
    assert {one.key: one.state for one in exits} == {"a": "failing", "b": "ok", "c": "unknown"}
    assert exits[0].text.endswith("which the whale left 24 h 00 min ago")
    assert state("unredeemed", here) == {"d": "failing", "e": "ok"}
    summary(con, NOW, OTHERS)  # the positions are of other wallets now
    assert stored.read_positions(con, WALLETS) is None


def quality_row(con, day, window, gap=-150.0, t=-3.0, wallets=OURS):
    insert(
        con, "copy_quality_daily", day=day, window_days=window, gap=gap, gap_t=t, capital=100.0, hours_covered=24,
        recorded_days=1, source="recorded", reasons="{}", **wallets,
    )  # fmt: skip


def test_newest_window_of_the_pair_is_read(con):
    yesterday = NOW.replace(hour=0) - DAY
    assert stored.read_quality(con, WALLETS, 7) is None
    quality_row(con, yesterday - DAY, 7, gap=0.0)
    quality_row(con, yesterday, 7)
    quality_row(con, yesterday, 1, gap=0.0)
    quality_row(con, yesterday + DAY, 7, gap=0.0, wallets=OTHERS)
    found = stored.read_quality(con, WALLETS, 7)
    assert found.closes == yesterday + DAY
    assert state("copy_gap", facts(window_gap=found)) == {"": "failing"}


def copy_fill(con, n, ratio=0.1, realised=0.1, **more):
    values = {
        "key": str(n), "timestamp": NOW - (0 if isinstance(n, str) else n) * MINUTE,
        "status": "copied", "token_id": "T", "side": "BUY",
        "whale_shares": 100.0, "whale_price": 0.5, "ratio": ratio, "eligible": True, "expected_shares": 100 * ratio,
        "copier_shares": 100 * realised, "copier_price": 0.5, "copier_fee": 0.0, "copier_fills": 1, "order_sent": True,
        "latency": 5.0, "slippage_cents": 1.0, "ambiguous": False, "sport": "", "league": "", "market_type": "",
        "price_bucket": "", "size_bucket": "", "title": "", "event_slug": f"e{n}", "outcome": "",
    }  # fmt: skip
    insert(con, "copy_fills", **values | OURS | more)


def test_newest_eligible_fills_are_read(con):
    for n in range(100):
        copy_fill(con, n, slippage_cents=9.0 if n < 6 else 1.0)
    for n in range(100, 130):
        copy_fill(con, n, status="missed", order_sent=False, latency=None, slippage_cents=None, copier_shares=0.0)
    copy_fill(con, 200, eligible=False)
    copy_fill(con, 201, **OTHERS)
    yesterday = NOW.replace(hour=0) - DAY
    quality_row(con, yesterday, 7)
    copied = stored.read_eligible_fills(con, WALLETS, NOW)
    assert len(copied) == 130
    assert copied[0].at == NOW
    here = facts(eligible_fills=copied, window_gap=stored.read_quality(con, WALLETS, 7))
    assert state("slippage", here) == {"": "failing"}
    assert state("latency", here) == {"": "ok"}


def test_copied_days_hold_the_newest_fills_and_those_of_a_week(con):
    assert stored.read_copied_days(con, WALLETS, NOW, 100) is None
    for n in range(8):
        copy_fill(con, f"a{n}", timestamp=NOW - n * DAY, event_slug=f"e{n // 2}")
        missed = {"status": "missed", "latency": None, "slippage_cents": None, "copier_shares": 0.0}
        copy_fill(con, f"b{n}", timestamp=NOW - n * DAY, event_slug=f"e{n // 2}", **missed)
    copy_fill(con, "c", timestamp=NOW, eligible=False)
    copy_fill(con, "d", timestamp=NOW, **OTHERS)
    newest = stored.read_copied_days(con, WALLETS, NOW, 3)
    assert newest.days == {(NOW - n * DAY).date(): (1, 2) for n in range(7)}
    assert (newest.since, newest.until) == (NOW - 6 * DAY, NOW)
    assert newest.events == pytest.approx(14**2 / (3 * 4**2 + 2**2))
    assert stored.read_copied_days(con, WALLETS, NOW, 16).eligible == 16


def test_ratio_is_read_from_clear_pairs_at_the_present_setting(con):
    for n in range(25):
        copy_fill(con, n, realised=0.08)
    others = [{"side": "SELL"}, {"copier_fills": 2}, {"ambiguous": True}, {"status": "own"}, {"whale_shares": 5000.0}]
    others += [{"whale_shares": 4000.0}, {"whale_shares": 10.0, "copier_shares": 2.02}]  # the tier; a minimum order
    for n, more in enumerate([*others, {"ratio": 0.2}, {"timestamp": NOW - 8 * DAY}, OTHERS]):
        copy_fill(con, 100 + n, **{"realised": 0.5, **more})
    pairs = stored.read_pairs(con, WALLETS, NOW)
    assert [pair.copier / pair.whale for pair in pairs] == pytest.approx([0.08] * 25)
    assert state("ratio_mismatch", facts(pairs=pairs)) == {"": "failing"}


def test_drawdown_reads_the_copiers_peak_within_the_window(con):
    assert stored.read_pnl(con, WALLETS, NOW, 30) is None
    for hours, p in ((40 * 24, 9999.0), (50, 100.0), (30, 500.0), (12, 50.0)):
        insert(
            con, "wallet_pnl", wallet=WALLETS.copier, t=NOW - timedelta(hours=hours), p=p, fidelity="1h", fetched_at=NOW
        )  # fmt: skip
    insert(con, "wallet_pnl", wallet=WALLETS.whale, t=NOW, p=1e6, fidelity="1h", fetched_at=NOW)
    pnl = stored.read_pnl(con, WALLETS, NOW, 30)
    assert pnl == CopierPnl(500.0, 50.0, NOW - timedelta(hours=12))
    here = facts(copier_pnl=pnl)
    assert state("drawdown", here) == {"": "failing"}


def test_log_lines_of_the_last_hour_are_read(con):
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
