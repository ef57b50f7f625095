"""Golden test of alert identities: (rule, key), the defaults of the rules, and state files of earlier versions.

The golden files were written by the code as it was before probes had a registry. Do not regenerate them: a difference means
that muted, pending or sent alerts of a user are forgotten, and sent a second time.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from polypipe.alerts import SENSOR
from polypipe.alerts.dagster_failures import read_failures
from polypipe.alerts.rules import defaults, load_rules
from polypipe.alerts.store import read_state
from polypipe.alerts.tick import Sources, evaluate
from polypipe.bot.logs import TRADE_LOG
from polypipe.caches.registry import CACHES
from polypipe.definitions import build_defs
from polypipe.runtime.instance import open_instance
from polypipe_tests.attribution.tables import insert
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.health.support import EVER, MINUTE, NOW, WALLETS, fill, newest_fills

if TYPE_CHECKING:
    import duckdb

GOLDEN = Path(__file__).parent / "golden"
DAY = timedelta(days=1)
OURS = {"user1_address": WALLETS.copier, "user2_address": WALLETS.whale}
SHAPE = "JSON of the wrong shape: Object missing required field `events`"
RULES = "[disk_low]\ngigabytes = 1000000\n"


class Tables:
    """A warehouse of rows in memory."""

    def __init__(self, con: "duckdb.DuckDBPyConnection") -> None:
        self.con = con

    @contextmanager
    def read(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        yield self.con


class Exchange:
    """An exchange that has given these fills, or nothing."""

    def __init__(self, fills) -> None:
        self.fills = fills

    def run(self, _work):
        return self.fills


def settings_with(**more: str):
    return settings_for(
        NOWHERE,
        POLYPIPE_ALERT_URLS="json://127.0.0.1:9/golden",
        POLYPIPE_COPIER_ADDRESS=WALLETS.copier,
        POLYPIPE_WHALE_ADDRESS=WALLETS.whale,
        POLYPIPE_SCALING_RATIO="0.1",
        **more,
    )


def crawl(con, minutes, kind, complete=True, error=None, dropped=0) -> None:
    insert(
        con, "crawls", crawl_id=f"{kind}{minutes}", kind=kind, started_at=NOW - minutes * MINUTE,
        finished_at=NOW - (minutes - 0.5) * MINUTE, complete=complete, error=error, dropped=dropped,
    )  # fmt: skip


def publication(con, file, minutes, accepted=True, reason=None) -> None:
    at = NOW - minutes * MINUTE
    insert(
        con, "publications", publication_id=f"{file}{minutes}", file=file, time=at, observed_at=at, accepted=accepted,
        entries=5, reason=reason,
    )  # fmt: skip


def snapshot(con, minutes, pnl, sources, reasons) -> None:
    found = {name: {"ok": age == 0, "age": age} for name, age in sources.items()}
    insert(
        con, "snapshots", id=int(minutes * 60), timestamp=NOW - minutes * MINUTE, sources=json.dumps(found), user1_pnl=pnl,
        user1_value=100.0, reasons=json.dumps(reasons), origin="polypipe", **OURS,
    )  # fmt: skip


def compared(con, *rows) -> None:
    counts = ("on_target", "under", "over", "missed", "below_minimum", "orphan", "manual", "resolved", "netted")
    zeros = dict.fromkeys((*counts, "whale_positions", "copier_positions"), 0)
    texts = dict.fromkeys(("by_status", "by_size", "reasons"), "{}")
    insert(con, "position_summaries", compared_at=NOW - MINUTE, scaling_ratio=0.1, **OURS, **zeros, **texts)
    sizes = dict.fromkeys(("whale_size", "whale_net", "expected_size"), 0.0)
    for token, status, shares, price in rows:
        insert(
            con, "positions", token_id=token, title="Who wins?", outcome="Yes", status=status, copier_size=shares,
            copier_net=shares, price=price, whale_held=True, whale_out_since=NOW - DAY, compared_at=NOW - MINUTE, **sizes,
        )  # fmt: skip


def copy_fill(con, n, realised, latency, slippage, sent=True) -> None:
    values = {
        "key": str(n), "timestamp": NOW - n * 90 * MINUTE, "status": "copied" if sent else "missed", "token_id": "T",
        "side": "BUY", "whale_shares": 100.0, "whale_price": 0.5, "ratio": 0.1, "eligible": True, "expected_shares": 10.0,
        "copier_shares": 100 * realised if sent else 0.0, "copier_price": 0.5, "copier_fee": 0.0, "copier_fills": int(sent),
        "order_sent": sent, "latency": latency if sent else None, "slippage_cents": slippage if sent else None,
        "ambiguous": False, "sport": "", "league": "", "market_type": "", "price_bucket": "", "size_bucket": "",
        "title": "", "event_slug": f"e{n}", "outcome": "",
    }  # fmt: skip
    insert(con, "copy_fills", **values | OURS)


def daily(con, gap, t) -> None:
    insert(
        con, "copy_quality_daily", day=NOW.replace(hour=0) - DAY, window_days=7, gap=gap, gap_t=t, capital=100.0,
        hours_covered=24, recorded_days=1, source="recorded", reasons="{}", **OURS,
    )  # fmt: skip


def log_file(settings, minutes) -> None:
    path = settings.bot_dir / TRADE_LOG.file
    path.parent.mkdir(parents=True)
    path.write_text(f"{TRADE_LOG.header}\n")
    at = (NOW - minutes * MINUTE).timestamp()
    os.utime(path, (at, at))


def failing_instance(instance, repository) -> None:
    """Failed runs of a minute job (three), a daily job (one) and another minute job (one)."""
    for name, times in (("crawl", 3), ("history", 1), ("live_cache", 1)):
        if repository.has_job(name):
            job = repository.get_job(name)
            for _ in range(times):
                instance.report_run_failed(instance.create_run_for_job(job), "it broke")


def all_wrong(con, settings):
    """As much as can be wrong at once."""
    refused, old, never, *rest = (spec.file for spec in CACHES)
    publication(con, refused, 2)
    publication(con, refused, 1, accepted=False, reason="it would lose more than half")
    publication(con, old, 24 * 60)
    for file in rest:
        publication(con, file, 1)
    assert never
    crawl(con, 60, "universe", dropped=60)
    for n in range(4):
        crawl(con, 30 - n, "universe", complete=False, error=SHAPE)
        crawl(con, 30 - n, "live", complete=False, error="HTTP 429")
    for n, version in enumerate(("v1", None, "v9", "v8")):
        insert(con, "markets", market_id=str(n), event_id="e", version=version)
    sources = {"user1_value": 0.0, "user2_value": 1200.0, "user1_pnl": None, "user2_pnl": 20.0, "user1_standing": 1800.0}
    snapshot(con, 1, -500.0, sources, {"user2_value": SHAPE, "user1_rank": "HTTP 500"})
    compared(
        con, ("a", "orphan", 100.0, 0.5), ("b", "orphan", 10.0, 0.5), ("c", "orphan", 10.0, None),
        ("d", "resolved", 100.0, 1.0), ("e", "resolved", 100.0, 0.0), ("f", "missed", 0.0, 0.5),
        ("S", "on_target", 100.0, 0.5),
    )  # fmt: skip
    daily(con, -150.0, -3.0)
    for n in range(110):
        copy_fill(con, n, realised=0.08, latency=300.0, slippage=9.0, sent=n % 2 == 0)
    for n in range(120, 400):
        copy_fill(con, n, realised=0.08, latency=300.0, slippage=9.0, sent=n % 2 == 0)
    for hours, p in ((50, 100.0), (30, 500.0), (12, 50.0)):
        insert(
            con, "wallet_pnl", wallet=WALLETS.copier, t=NOW - timedelta(hours=hours), p=p, fidelity="1h", fetched_at=NOW
        )  # fmt: skip
    for n in range(12):
        at = NOW - n * MINUTE / 4
        outcome, status = ("EXEC_FAIL", None) if n % 2 else ("REJECTED", 400)
        insert(
            con, "trade_log", log_id="l", byte_offset=n, day=at.replace(hour=0, minute=0), logged_at=at, outcome=outcome,
            http_status=status, reason="why", tx_hash=fill(8).transaction, token_id="T", raw="",
        )  # fmt: skip
    log_file(settings, 9)
    (settings.home / "alerts.toml").write_text(RULES)
    whale = [fill(8 - n / 2, 1000, 0.5) for n in range(6)]
    whale += [fill(7, 1000, 0.5, token="U"), fill(6, 500, 0.5, side="SELL", token="S"), fill(6, 20, 0.5, token="V")]
    return newest_fills(sorted(whale, key=lambda one: one.t), [fill(6.9, 100, token="U")])


def all_well(con, settings):
    """Everything is fresh, and nothing was missed."""
    for spec in CACHES:
        publication(con, spec.file, 1)
    crawl(con, 4, "universe")
    crawl(con, 2, "live")
    insert(con, "markets", market_id="1", event_id="e", version="v1")
    snapshot(con, 1, 5.0, dict.fromkeys(("user1_value", "user2_value", "user1_pnl", "user2_pnl"), 0.0), {})
    compared(con, ("f", "on_target", 10.0, 0.5))
    daily(con, 10.0, 0.5)
    for n in range(110):
        copy_fill(con, n, realised=0.1, latency=5.0, slippage=1.0)
    insert(con, "wallet_pnl", wallet=WALLETS.copier, t=NOW - timedelta(hours=12), p=5.0, fidelity="1h", fetched_at=NOW)
    log_file(settings, 1)
    return newest_fills([fill(6)], [fill(5.9, 100)])


def nothing_stored(con, settings):
    """A home that has run for a day and stored nothing."""
    return newest_fills([], [], since=EVER)


SCENARIOS = {"all_wrong": all_wrong, "all_well": all_well, "nothing_stored": nothing_stored, "no_wallets": nothing_stored}


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    return build_defs(settings=settings_for(NOWHERE)).get_repository_def()


@contextmanager
def scenario(name, con, repository, tmp_path) -> Iterator[Sources]:
    settings = settings_for(NOWHERE) if name == "no_wallets" else settings_with()
    settings.home.mkdir(parents=True)
    fills = SCENARIOS[name](con, settings)
    with open_instance(tmp_path) as instance:
        if name == "all_wrong":
            failing_instance(instance, repository)
        read = lambda: read_failures(instance, repository, SENSOR)  # noqa: E731
        yield Sources(settings, Tables(con), Exchange(fills), read)  # type: ignore[arg-type]


def golden(name: str):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def identities(sources: Sources, damage: str | None = None) -> dict[str, list[tuple[str, str]]]:
    """Identities of the failing and of the unknown findings now."""
    state, _ = read_state(sources.settings.home, NOW - DAY)
    found = evaluate(sources, state, load_rules(sources.settings), NOW, damage).findings
    return {
        name: sorted({(rule, one.key) for rule, group in found.items() for one in group if one.state == wanted}, key=list)
        for name, wanted in (("firing", "failing"), ("unknown", "unknown"))
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_identities_of_failing_and_unknown_findings_stay(name, con, repository, tmp_path):
    with scenario(name, con, repository, tmp_path) as sources:
        assert {kind: [list(one) for one in found] for kind, found in identities(sources).items()} == golden("identities")[
            name
        ]


def test_identities_of_a_damaged_state_and_an_invalid_file_stay(con, repository, tmp_path):
    with scenario("nothing_stored", con, repository, tmp_path) as sources:
        (sources.settings.home / "alerts.toml").write_text("x")
        firing = identities(sources, damage="torn")["firing"]
    assert [one for one in firing if one[0].startswith("alert_")] == [("alert_rules", ""), ("alert_state", "")]


def test_rules_keep_their_names_and_defaults():
    found = {
        name: {
            "severity": rule.severity,
            "hold": rule.hold.total_seconds(),
            "cooldown": rule.cooldown.total_seconds(),
            "limits": dict(rule.limits),
            "names": {key: list(names) for key, names in rule.names.items()},
        }
        for name, rule in defaults().items()
    }
    expected = golden("rules")
    expected["source_stale"]["limits"]["minutes"] = 5  # was 15: now the age limit of a snapshot, as everywhere else
    expected["database_damaged"] = {"severity": "critical", "hold": 0.0, "cooldown": 60.0, "limits": {}, "names": {}}  # new
    assert found == expected


@pytest.mark.slow
def test_state_file_of_the_first_version_neither_fires_again_nor_recovers(con, repository, tmp_path):
    with scenario("all_wrong", con, repository, tmp_path) as sources:
        state = sources.settings.home / "alerts" / "state.json"
        state.parent.mkdir()
        state.write_text((GOLDEN / "state.json").read_text())
        now = NOW + MINUTE / 2
        stored, damage = read_state(sources.settings.home, now)
        assert damage is None
        evaluation = evaluate(sources, stored, load_rules(sources.settings), now, damage)
    assert [*evaluation.messages, *evaluation.dry] == []
    before, after = (
        {(one.rule, one.key, one.phase, one.sent) for one in found} for found in (stored.alerts, evaluation.alerts)
    )
    assert after == before
    assert {(rule, key) for rule, key, phase, _ in before if phase == "firing"} == {
        (rule, key) for rule, key in golden("identities")["all_wrong"]["firing"]
    }
    assert [delivery.channel for delivery in stored.deliveries] == ["json-1"] * len(stored.deliveries)
    assert len(stored.deliveries) == 5
    assert stored.backoff["json-1"].failures == 1
