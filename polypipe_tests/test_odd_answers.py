"""What stands between polypipe and Polymarket, and huge wallets, as each asset that calls the API stores them over HTTP."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from polypipe.caches.universe import crawl_and_store
from polypipe.cli.status_text import as_text
from polypipe.divergence.assets import positions
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.divergence.snapshot import take_snapshot
from polypipe.health.facts import Facts
from polypipe.health.registry import BY_NAME, failing
from polypipe.health.status import status_of
from polypipe.history.activity import load_activity
from polypipe.history.pnl import load_pnl
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Hosts, PolymarketError, PolymarketHttp
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import YES, Script
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import settings_for
from polypipe_tests.divergence.support import rows
from polypipe_tests.sim.in_process import URL, in_process
from polypipe_tests.sim.server import SimServer
from polypipe_tests.sim.tls import closed_handshake

WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.1)
INTERCEPTED = "something between you and Polymarket answers instead of it"
NOTICE = "<html><head><title>Access denied by the provider</title></head></html>"


class Home:
    """An exchange that plays a script now, and the tables that assets fill from it."""

    def __init__(self, home: Path, sim: SimServer) -> None:
        self.sim = sim
        self.settings = settings_for(
            URL,
            POLYPIPE_HOME=str(home),
            POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
            POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
            POLYPIPE_SCALING_RATIO="0.1",
        )
        self.warehouse = Warehouse(home)
        self.polymarket = in_process(sim)

    def run(self, asset: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
        resources = {"settings": self.settings, "warehouse": self.warehouse, "polymarket": self.polymarket}
        return dg.materialize([asset], resources=resources, raise_on_error=False)

    def ask(self, query: str) -> Any:
        (found,) = rows(self.warehouse, query)
        return found[0] if len(found) == 1 else found

    @property
    def facts(self) -> Facts:
        return Facts(self.settings, warehouse=self.warehouse)


@pytest.fixture
def played(tmp_path: Path) -> Any:
    @contextmanager
    def play(script: Script | None = None, events: int = 1) -> Iterator[Home]:
        with ExitStack() as stack:
            sim = SimServer(events, seed=3, script=script or whale(), start=datetime.now(UTC))
            stack.push(sim)
            yield Home(tmp_path, sim)

    return play


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def whale(fills: int = 1) -> Script:
    """Fills of yesterday in one market, of which the first is copied; both wallets hold what they bought."""
    script = Script()
    market = script.market("Will it rain?", 0.5)
    noon = now().replace(hour=12, minute=0, second=0) - timedelta(days=1)
    script.copy(script.buy(WHALE_ADDRESS, noon, market, YES, 1_000, 0.5), 100)
    for n in range(1, fills):
        script.buy(WHALE_ADDRESS, noon + timedelta(seconds=n), market, YES, 10, 0.5)
    return script


def yesterday() -> tuple[datetime, datetime]:
    midnight = now().replace(hour=0, minute=0, second=0)
    return midnight - timedelta(days=1), midnight


def snapshot(home: Home) -> object:
    return take_snapshot(home.polymarket, home.warehouse, WALLETS).row


def activity(home: Home) -> object:
    return load_activity(home.polymarket, home.warehouse, WALLETS, *yesterday())


def pnl(home: Home) -> object:
    return load_pnl(home.polymarket, home.warehouse, WALLETS, *yesterday())


def compared(home: Home) -> object:
    return refresh_positions(home.polymarket, home.warehouse, WALLETS)


def universe(home: Home) -> object:
    return crawl_and_store(home.polymarket, home.warehouse)


# 2. Large wallets


@pytest.mark.slow
def test_open_positions_of_a_whale_with_thousands_of_resolved_losers_are_compared(played: Any) -> None:
    script = Script()
    began = now() - timedelta(days=3)
    script.losers(WHALE_ADDRESS, began, 10_770)
    held = [script.market(f"Open {n}", 0.5) for n in range(30)]
    for market in held:
        script.copy(script.buy(WHALE_ADDRESS, began + timedelta(hours=2), market, YES, 1_000, 0.5), 100)
    with played(script) as home:
        assert home.run(positions).success
        statuses = dict(rows(home.warehouse, "SELECT status, count(*) FROM positions GROUP BY status"))
        assert statuses["on_target"] == 30
        assert home.ask("SELECT whale_positions, on_target, coverage FROM position_summaries") == (30, 30, 100)
        notes = json.loads(home.ask("SELECT notes FROM position_summaries"))
        assert notes["whale_resolved"] == (
            "the whale holds more resolved positions than are read: their number and value are at least those shown"
        )
        assert "copier_resolved" not in notes
        with home.facts as facts:
            assert {one.state for one in BY_NAME["unredeemed"].run(facts)} <= {"ok"}, "the copier's list is complete"


# 3. The network


STATUSES = (408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 530)


@pytest.mark.slow
def test_transient_status_costs_one_retry(played: Any) -> None:
    with played() as home:
        for status in STATUSES:
            home.sim.faults.clear()
            fault = home.sim.faults.add("status", "/user-pnl", query={"user_address": WHALE_ADDRESS}, nth=1, status=status)
            pnl(home)
            assert fault.hits == 1, status
        assert home.ask(f"SELECT count(*) FROM wallet_pnl WHERE wallet = '{WHALE_ADDRESS}'") == 25


def test_timeout_of_the_server_in_the_middle_of_a_walk_costs_one_retry(played: Any) -> None:
    with played(whale(fills=1_100)) as home:
        fault = home.sim.faults.add("status", "/activity", query={"user": WHALE_ADDRESS}, nth=2, status=408)
        activity(home)
        assert fault.hits == 1
        assert home.ask(f"SELECT activities FROM activity_days WHERE wallet = '{WHALE_ADDRESS}'") == 1_100


READS: dict[str, tuple[Callable[[Home], object], str]] = {
    "divergence_snapshot": (snapshot, "/value"),
    "positions": (compared, "/positions"),
    "wallet_pnl": (pnl, "/user-pnl"),
    "sports_events": (universe, "/events/keyset"),
}


@pytest.mark.parametrize("asset", READS)
def test_each_asset_retries_a_timeout_of_the_server(played: Any, asset: str) -> None:
    read, path = READS[asset]
    with played(events=30) as home:
        fault = home.sim.faults.add("status", path, nth=1, status=408)
        read(home)
        assert fault.hits == 1


@pytest.mark.slow
def test_observation_times_count_the_age_of_cached_answers(played: Any) -> None:
    with played(events=30) as home:
        home.sim.faults.add("headers", "/*", headers={"Age": "290", "Cache-Control": "public, max-age=300"})
        began = now()
        for read in (snapshot, compared, activity, pnl, universe):
            read(home)
        aged = began - timedelta(seconds=280)
        for query in (
            "SELECT max(compared_at) FROM position_summaries",
            "SELECT max(read_at) FROM activity_days",
            "SELECT max(fetched_at) FROM wallet_pnl",
            "SELECT max(observed_at) FROM crawls",
        ):
            assert began - timedelta(seconds=300) <= home.ask(query).astimezone(UTC) <= aged + timedelta(minutes=1), query
        sources = json.loads(home.ask("SELECT sources FROM snapshots"))
        assert all(290 <= source["age"] < 320 for source in sources.values())


def announcing(days: int) -> dict[str, str]:
    """Headers of a path that ends after this number of days."""
    ends = now() + timedelta(days=days)
    return {"Deprecation": "@1790812800", "Sunset": format_datetime(ends, usegmt=True), "Warning": '299 - "use v2"'}


def test_announcements_are_stored_with_crawl_snapshot_and_comparison_and_shown_by_status(played: Any) -> None:
    with played(events=30) as home:
        home.sim.faults.add("headers", "/*", headers=announcing(60))
        for read in (snapshot, compared, universe):
            read(home)
        with home.facts as facts:
            paths = {line.split(": ")[0].removeprefix("sim.invalid") for line in facts.announced}
            assert paths == {"/value", "/user-pnl", "/v1/leaderboard", "/positions", "/activity", "/events/keyset"}
            status = status_of(facts)
            assert any("/positions: Warning 299: use v2" in notice for notice in status.notices)
            assert not any("announce" in reason for reason in status.reasons), "a notice degrades nothing"
            assert "notice: Polymarket announces sim.invalid/value: Deprecation 2026-10-01" in as_text(status)
        page = json.loads(home.ask("SELECT notes FROM position_summaries"))["announced"]
        assert "sim.invalid/positions: Sunset " in page


def test_path_that_ends_soon_degrades_the_status(played: Any) -> None:
    with played() as home:
        home.sim.faults.add("headers", "/value", headers=announcing(20))
        snapshot(home)
        with home.facts as facts:
            ends = f"{now() + timedelta(days=20):%Y-%m-%d}"
            assert f"Polymarket announced that sim.invalid/value ends on {ends}: update polypipe" in (
                status_of(facts).reasons
            )


BLOCKS: dict[str, tuple[dict[str, Any], str]] = {
    "page with 200": ({"kind": "html", "body": NOTICE}, 'HTTP 200 from sim.invalid with the page "Access denied by the'),
    "302 to a notice": (
        {"kind": "status", "status": 302, "headers": {"Location": "http://blocked.example/"}, "body": ""},
        "HTTP 302 from sim.invalid redirects to blocked.example",
    ),
    "451": (
        {"kind": "status", "status": 451, "body": NOTICE, "headers": {"content-type": "text/html"}},
        'HTTP 451 from sim.invalid with the page "Access denied by the provider"',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("asset", ["positions", "wallet_pnl", "sports_events"])
def test_block_fails_the_asset_and_is_named_with_host_status_and_title(played: Any, block: str, asset: str) -> None:
    fault, found = BLOCKS[block]
    read, path = READS[asset]
    with played(events=30) as home:
        home.sim.faults.add(path=path, **fault)
        with pytest.raises(PolymarketError) as error:
            read(home)
        assert f"{INTERCEPTED}: {found}" in str(error.value)
        assert "update polypipe" not in str(error.value)


@pytest.mark.parametrize("block", BLOCKS)
def test_block_is_the_reason_of_the_numbers_that_a_snapshot_lacks(played: Any, block: str) -> None:
    fault, found = BLOCKS[block]
    with played() as home:
        home.sim.faults.add(path="/value", **fault)
        snapshot(home)
        value, reasons = home.ask("SELECT user2_value, reasons FROM snapshots")
        assert value is None
        assert f"{INTERCEPTED}: {found}" in json.loads(reasons)["user2_value"]
        with home.facts as facts:
            assert INTERCEPTED in failing(BY_NAME["source_silent"].run(facts))[0]
            shape = next(one for one in BY_NAME["contract_drift"].run(facts) if one.key == "shape snapshots")
            assert shape.state == "unknown", "a block says nothing about the API's shape"


@pytest.mark.slow
def test_block_is_the_description_of_the_failed_run(played: Any) -> None:
    with played() as home:
        home.sim.faults.add("html", "/positions", body=NOTICE)
        (failure,) = home.run(positions).get_step_failure_events()
        assert INTERCEPTED in failure.step_failure_data.user_failure_data.description


def test_tls_handshake_that_is_closed_is_named_by_asset_and_finding(played: Any) -> None:
    with played() as home, closed_handshake() as url:
        hosts = Hosts(gamma=url, data=url, pnl=url, clob=url)
        home.polymarket = Polymarket(hosts, client=lambda h: PolymarketHttp(h, attempts=1))
        named = f"{INTERCEPTED}: TLS handshake closed by 127.0.0.1"
        for read in (compared, activity, universe):
            with pytest.raises(PolymarketError) as error:
                read(home)
            assert named in str(error.value)
        snapshot(home)
        assert named in json.loads(home.ask("SELECT reasons FROM snapshots"))["user1_value"]
        assert named in home.ask("SELECT error FROM crawls")
