"""Listings that lag, end early or come from a cache: alerts that rest on fills are unknown, over HTTP."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from polypipe.alerts.rules import load_rules
from polypipe.alerts.store import AlertState
from polypipe.alerts.tick import Sources, evaluate
from polypipe.bot.ingest import ingest
from polypipe.bot.logs import OWN_FILLS, TRADE_LOG
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.history.activity import load_activity
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import YES, Script
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import settings_for
from polypipe_tests.health.support import states
from polypipe_tests.sim.in_process import URL, in_process
from polypipe_tests.sim.server import SimServer

WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.1)
FILL_RULES = ("missed_copy", "bot_silent")


class Watched:
    """A home whose alerts are evaluated against an exchange that plays a script."""

    def __init__(self, home: Path, sim: SimServer, now: datetime) -> None:
        self.sim, self.now = sim, now
        self.settings = settings_for(
            URL,
            POLYPIPE_HOME=str(home),
            POLYPIPE_BOT_DIR=str(home),
            POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
            POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
            POLYPIPE_SCALING_RATIO="0.1",
        )
        self.warehouse = Warehouse(home)

    def findings(self, rule: str) -> dict[str, str]:
        sources = Sources(self.settings, self.warehouse, in_process(self.sim))
        found = evaluate(sources, AlertState(watching_since=self.now), load_rules(self.settings), self.now).findings
        return states(found[rule])

    def store_yesterday(self) -> None:
        midnight = self.now.replace(hour=0, minute=0, second=0)
        load_activity(
            in_process(self.sim), self.warehouse, WALLETS, midnight - timedelta(days=1), midnight, clock=lambda: self.now
        )


@pytest.fixture
def now() -> datetime:
    """At noon, so that yesterday and the last hour are different days."""
    return datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def watched(tmp_path: Path, now: datetime) -> Any:
    @contextmanager
    def watch(script: Script) -> Iterator[Watched]:
        with ExitStack() as stack:
            sim = SimServer(1, script=script, start=now)
            stack.push(sim)
            yield Watched(tmp_path, sim, now)

    return watch


def copied(script: Script, now: datetime) -> None:
    """An old copied fill, one of yesterday, and one eight minutes ago that was copied in time."""
    market = script.market("Will it rain?", 0.5)
    for ago in (timedelta(days=3), timedelta(hours=20), timedelta(minutes=8)):
        script.copy(script.buy(WHALE_ADDRESS, now - ago, market, YES, 10_000, 0.5), 1_000)


def test_copies_that_are_listed_are_not_missed(watched: Any, now: datetime) -> None:
    script = Script()
    copied(script, now)
    with watched(script) as home:
        home.store_yesterday()
        assert home.findings("missed_copy") == {}


Spoil = Callable[[SimServer], object]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (
            lambda sim: sim.faults.add("lag", "/activity", query={"user": COPIER_ADDRESS}, seconds=2 * 86_400),
            "the listing of the copier's activity lags: its newest row is of 2026-11-20",
        ),
        (
            lambda sim: sim.faults.add("lag", "/activity", seconds=2 * 86_400),
            "the listing of the whale's activity lags: its newest row is of 2026-11-20",
        ),
        (
            lambda sim: sim.faults.add("newest", "/activity", value=1),
            "the listing of the whale's activity ends at 2026-11-23 11:52:00 UTC, although older rows are stored",
        ),
        (
            lambda sim: sim.faults.add("empty_page", "/activity", query={"user": COPIER_ADDRESS}),
            "the listing of the copier's activity lags: it is empty",
        ),
        (
            lambda sim: sim.faults.add("headers", "/activity", headers={"Age": "290"}),
            "the listing of the whale's fills came from a cache and is 4 min",
        ),
        (
            lambda sim: sim.faults.add("mutate", "/activity", mutate=lambda rows: rows[::-1]),
            "not sorted newest first",
        ),
    ],
)
def test_listing_that_stored_activity_contradicts_leaves_missed_copies_unknown(
    watched: Any, now: datetime, spoil: Spoil, why: str
) -> None:
    script = Script()
    copied(script, now)
    with watched(script) as home:
        home.store_yesterday()
        spoil(home.sim)
        found = home.findings("missed_copy")
        assert set(found) == {"unknown"}
        assert why in found["unknown"]


def test_copies_of_the_bots_own_log_that_are_not_listed_leave_missed_copies_unknown(watched: Any, now: datetime) -> None:
    script = Script()
    copied(script, now)
    with watched(script) as home:
        at = (now - timedelta(minutes=8)).isoformat(" ", timespec="milliseconds").removesuffix("+00:00")
        line = f"{at},1,{'1' * 70},500.00,1000,0.5000,BUY_FILL,{','.join(['N/A'] * 8)},0x{'ab' * 32}"
        (home.settings.bot_dir / OWN_FILLS.file).write_text(f"{OWN_FILLS.header}\n{line}\n")
        ingest(home.warehouse, OWN_FILLS, home.settings.bot_dir / OWN_FILLS.file)
        assert home.findings("missed_copy") == {}
        home.sim.faults.add("lag", "/activity", query={"user": COPIER_ADDRESS}, seconds=3_600)
        assert home.findings("missed_copy") == {
            "unknown": "the exchange's listing lags: its newest fill of the copier is of 16:00:04 UTC, the bot's logs have "
            "one of 11:52:00 UTC"
        }


def test_silent_bot_is_unknown_while_the_listing_lags(watched: Any, now: datetime) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.5)
    for minutes in (*range(1_000, 1_010), 60, 50, 40, 30, 20, 10):
        script.buy(WHALE_ADDRESS, now - timedelta(minutes=minutes), market, YES, 100, 0.5)
    with watched(script) as home:
        home.store_yesterday()
        (home.settings.bot_dir / TRADE_LOG.file).write_text(f"{TRADE_LOG.header}\n")
        written = (now - timedelta(minutes=65)).timestamp()
        os.utime(home.settings.bot_dir / TRADE_LOG.file, (written, written))
        assert home.findings("bot_silent") == {"": "failing"}
        home.sim.faults.add("lag", "/activity", seconds=2 * 86_400)
        assert set(home.findings("bot_silent")) == {"unknown"}


def test_exit_without_a_listed_sale_is_unknown_for_an_hour(watched: Any, now: datetime) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.5)
    script.copy(script.buy(WHALE_ADDRESS, now - timedelta(days=2), market, YES, 10_000, 0.5), 1_000)
    script.sell(WHALE_ADDRESS, now - timedelta(minutes=3), market, YES, 10_000, 0.5)
    with watched(script) as home:
        home.sim.clock.set((now - timedelta(minutes=6)).timestamp())
        refresh_positions(in_process(home.sim), home.warehouse, WALLETS, clock=lambda: now - timedelta(minutes=6))
        home.sim.clock.set(now.timestamp())
        home.sim.faults.add("lag", "/activity", seconds=600)
        refresh_positions(in_process(home.sim), home.warehouse, WALLETS, clock=lambda: now)
        (found,) = home.findings("uncopied_exit").items()
        assert found == (market.token(YES), "unknown")
        home.sim.faults.clear()
        refresh_positions(in_process(home.sim), home.warehouse, WALLETS, clock=lambda: now)
        assert home.findings("uncopied_exit") == {market.token(YES): "failing"}
