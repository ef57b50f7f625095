"""Every rendering agrees on what is stale: at each age around each limit, for each interval of the snapshots."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import psutil
import pytest

from polypipe.alerts.rules import load_rules
from polypipe.alerts.store import AlertState
from polypipe.alerts.tick import Sources, evaluate
from polypipe.caches.registry import CACHES
from polypipe.dashboard.api.caches import file_states
from polypipe.dashboard.api.health import unhealthy
from polypipe.dashboard.api.latest import latest_body
from polypipe.dashboard.context import Context
from polypipe.dashboard.store import Store
from polypipe.definitions import build_defs
from polypipe.health.dagster_adapter import CHECKS, FILE_CHECKS, check_results
from polypipe.health.facts import Facts
from polypipe.health.records import LastTick, NewestFills, Servers, TicksAndRuns, WalletFills
from polypipe.health.status import DEGRADED, HEALTHY, status_of
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.support import (
    COPIER,
    SOURCES,
    WHALE,
    all_files,
    now,
    outage,
    publication,
    put_positions,
    put_publications,
    put_snapshots,
    snapshot,
)
from polypipe_tests.doctor.support import inputs_of, results
from polypipe_tests.health.support import EVER

MINUTE, SECOND, DAY = timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)
SNAPSHOT_LIMITS = {10: 5 * MINUTE, 60: 5 * MINUTE, 3600: 180 * MINUTE}
POSITIONS_LIMIT = 20 * MINUTE
REFUSED, NEVER = CACHES[-1].file, CACHES[-2].file
AGES = sorted(
    limit + step
    for limit in {*SNAPSHOT_LIMITS.values(), POSITIONS_LIMIT, *(spec.fresh_within for spec in CACHES)}
    for step in (-2 * SECOND, 2 * SECOND)
)


def settings_with(interval: int) -> Settings:
    return settings_for(
        NOWHERE,
        POLYPIPE_COPIER_ADDRESS=COPIER,
        POLYPIPE_WHALE_ADDRESS=WHALE,
        POLYPIPE_SNAPSHOT_SECONDS=str(interval),
    )


JUST_NOW = TicksAndRuns([LastTick("alerts", "sensor", "skipped", 5.0, None, 60.0, True)])


class Exchange:
    """An exchange without fills."""

    def run(self, _work: Any) -> NewestFills:
        return NewestFills(WalletFills(EVER, []), WalletFills(EVER, []))


class Renderings:
    """What every rendering says of one home at an instant."""

    def __init__(self, settings: Settings, warehouse: Warehouse, store: Store, at: datetime) -> None:
        with Facts(settings, at, warehouse=warehouse) as facts:
            vars(facts).update(up=psutil.Process(), servers=Servers(os.getpid(), 600.0), ticks_and_runs=JUST_NOW)
            status = status_of(facts)
            checks = {
                asset: {one.check_name: one for one in check_results(CHECKS[asset], facts)}
                for asset in ("divergence_snapshot", "positions")
            }
            self.file_check = {
                spec.file: next(check_results([FILE_CHECKS[-1]], Facts(settings, at, warehouse=warehouse, specs=(spec,))))
                for spec in CACHES
            }
        self.status = [reason for reason in status.reasons if reason != "not running"]
        self.exit_code = status.exit_code
        self.failed_checks = {
            f"{asset}.{name}" for asset, found in checks.items() for name, one in found.items() if not one.passed
        }
        self.failed_checks |= {file for file, one in self.file_check.items() if not one.passed}
        self.snapshot_check = checks["divergence_snapshot"]["recent"]
        self.positions_check = checks["positions"]["recent"]
        with store.at_once() as view:
            context = Context(settings, view)
            self.healthz = unhealthy(context, at)
            latest = latest_body(context)
            self.page_stale = (at - latest["timestamp"]).total_seconds() > latest["stale_after_seconds"]
            self.page_files = {file["file"]: file["state"] for file in file_states(context, at)}
        self.doctor = {name: result.status for name, result in results(inputs_of(settings, now=at), "ages").items()}
        rules = load_rules(settings)
        sources = Sources(settings, warehouse, Exchange())  # type: ignore[arg-type]
        found = evaluate(sources, AlertState(watching_since=at - DAY), rules, at).findings
        self.alerts = {
            (rule, one.key): one.text for rule, group in found.items() for one in group if one.state == "failing"
        }


@pytest.fixture
def began() -> datetime:
    return now()


@pytest.fixture
def home(began: datetime) -> Warehouse:
    """A home in which everything was stored at `began`; one file is refused and one was never published."""
    warehouse = Warehouse(settings_with(60).home)
    put_snapshots(warehouse, [snapshot(began)])
    put_positions(warehouse, [], [])
    fresh = [row for row in all_files(began) if row["file"] != NEVER]
    refused = publication(REFUSED, began + SECOND, accepted=False, rewritten=False, reason="it would lose half")
    put_publications(warehouse, [*fresh, refused])
    return warehouse


@pytest.mark.slow
@pytest.mark.parametrize("interval", SNAPSHOT_LIMITS)
def test_all_renderings_agree_at_every_age(interval, home, began):
    settings = settings_with(interval)
    with Store(home, settings, poll_seconds=3600) as store:
        store.refresh()
        for age in AGES:
            said = Renderings(settings, home, store, began + age)
            stale = age > SNAPSHOT_LIMITS[interval]
            assert said.status == said.healthz, age  # the same sentences
            assert said.page_stale == stale, age
            assert (said.snapshot_check.passed, said.doctor["snapshots"]) == (not stale, "warning" if stale else "ok"), age
            assert (("source_stale", "snapshots") in said.alerts) == stale, age
            assert any(text.startswith("The newest snapshot was taken") for text in said.healthz) == stale, age
            sent = {text for identity, text in said.alerts.items() if identity != ("source_stale", "universe")}
            assert sent <= set(said.status), age

            old = age > POSITIONS_LIMIT
            assert (said.positions_check.passed, said.doctor["positions"]) == (not old, "warning" if old else "ok"), age
            assert any(text.startswith("The positions were last compared") for text in said.status) == old, age

            for spec in CACHES:
                stale = spec.file == NEVER or age > spec.fresh_within
                assert (("file_old", spec.file) in said.alerts) == stale, (spec.file, age)
                assert said.file_check[spec.file].passed != stale, (spec.file, age)
                state = "never" if spec.file == NEVER else "stale" if stale else "fresh"
                refused = spec.file == REFUSED
                assert said.page_files[spec.file] == ("refused" if refused and not stale else state), (spec.file, age)
                assert (("file_refused", spec.file) in said.alerts) == refused


@dataclass(frozen=True)
class Situation:
    """What happened until `after`, when everything was well before, and what every rendering must say then.

    `alerts`: those that fire. `checks`: asset checks that fail. `doctor`: the lines about ages that warn.
    """

    after: timedelta
    happened: Callable[[Warehouse, datetime, datetime], None]
    alerts: frozenset[tuple[str, str]] = frozenset()
    checks: frozenset[str] = frozenset()
    doctor: frozenset[str] = frozenset()


def _all_well(home: Warehouse, began: datetime, at: datetime) -> None:
    put_snapshots(home, [snapshot(began + n * MINUTE) for n in range(1, (at - began) // MINUTE + 1)])
    put_publications(home, all_files(at - 2 * SECOND))


def _outage(home: Warehouse, began: datetime, at: datetime) -> None:
    """Snapshots are taken and files confirmed, but no source of the snapshots answers."""
    put_publications(home, all_files(at))
    times = [began + n * MINUTE for n in range(1, (at - began) // MINUTE + 1)]
    put_snapshots(home, [outage(time, age=(time - began).total_seconds()) for time in times])


def _stopped(home: Warehouse, began: datetime, at: datetime) -> None:
    """Nothing runs and nothing is written."""


def _refused(home: Warehouse, began: datetime, at: datetime) -> None:
    _all_well(home, began, at)
    put_publications(home, [publication(REFUSED, at - SECOND, accepted=False, rewritten=False, reason="too few")])


LIVE = next(spec.file for spec in CACHES if spec.asset == "live_cache")
SITUATIONS = {
    "all is well": Situation(8 * MINUTE, _all_well),
    "a total outage of eight minutes": Situation(
        8 * MINUTE,
        _outage,
        frozenset(("source_stale", source) for source in SOURCES),
        frozenset({"divergence_snapshot.complete"}),
        frozenset({"snapshots"}),
    ),
    "nothing is written for eight minutes": Situation(
        8 * MINUTE,
        _stopped,
        frozenset({("source_stale", "snapshots"), ("file_old", LIVE)}),
        frozenset({"divergence_snapshot.recent", "divergence_snapshot.gaps", LIVE}),
        frozenset({"snapshots"}),
    ),
    "a file is refused": Situation(8 * MINUTE, _refused, frozenset({("file_refused", REFUSED)})),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_rendering_agrees_on_the_situation(name, began):
    situation, settings, home = SITUATIONS[name], settings_with(60), Warehouse(settings_with(60).home)
    at = began + situation.after
    put_snapshots(home, [snapshot(began)])
    put_positions(home, [], [])
    put_publications(home, all_files(began))
    situation.happened(home, began, at)
    with Store(home, settings, poll_seconds=3600) as store:
        store.refresh()
        said = Renderings(settings, home, store, at)
    fresh = {identity for identity in said.alerts if identity[0] in ("source_stale", "file_old", "file_refused")}
    assert fresh - {("source_stale", "universe")} == situation.alerts  # no crawl is stored here
    assert said.failed_checks == situation.checks
    assert {line for line, state in said.doctor.items() if state == "warning"} - {"universe"} == situation.doctor
    assert said.status == said.healthz
    assert said.exit_code == (DEGRADED if situation.alerts else HEALTHY)
    assert {said.alerts[identity] for identity in situation.alerts} <= set(said.status)
    if name == "a total outage of eight minutes":
        assert len([text for text in said.healthz if text.startswith("Polymarket last returned")]) == 6


@pytest.mark.parametrize("interval", SNAPSHOT_LIMITS)
def test_freshness_of_the_asset_is_the_limit_of_the_snapshots(interval):
    graph = build_defs(settings=settings_with(interval)).resolve_asset_graph()
    policy = graph.get(dg.AssetKey("divergence_snapshot")).freshness_policy
    assert policy.fail_window.to_timedelta() == SNAPSHOT_LIMITS[interval]


def test_limit_in_alerts_toml_wins_unless_the_interval_makes_it_impossible(home, began):
    for interval, minutes, limit in ((60, 15, 15), (60, 2, 3), (3600, 15, 180), (3600, 240, 240), (10, 2, 2)):
        settings = settings_with(interval)
        (settings.home / "alerts.toml").write_text(f"[source_stale]\nminutes = {minutes}\n")
        sources, rules = Sources(settings, home, Exchange()), load_rules(settings)  # type: ignore[arg-type]
        for step, firing in ((-2 * SECOND, False), (2 * SECOND, True)):
            at = began + limit * MINUTE + step
            found = evaluate(sources, AlertState(watching_since=began - DAY), rules, at).findings["source_stale"]
            assert {one.key: one.state == "failing" for one in found}["snapshots"] == firing, (interval, minutes)
