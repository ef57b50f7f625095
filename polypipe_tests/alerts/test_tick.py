"""End to end: a failing exchange, a sensor tick, a message at a local channel, and one for the recovery."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo

from polypipe.alerts import SENSOR
from polypipe.alerts.automation import alerts
from polypipe.alerts.dagster_failures import paces, read_failures
from polypipe.alerts.deliveries import pause_after
from polypipe.alerts.store import only_one, read_state
from polypipe.alerts.tick import Sources, run_tick
from polypipe.caches.universe import crawl_and_store
from polypipe.definitions import build_defs
from polypipe.polymarket import PolymarketError
from polypipe.runtime.instance import open_instance
from polypipe.runtime.ports import free_port
from polypipe.settings import Settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Warehouse
from polypipe_tests.alerts.support import MINUTE, TOKEN, Inbox, inbox
from polypipe_tests.conftest import NOWHERE, impatient, settings_for
from polypipe_tests.sim.server import SimServer

CONFIG = "[crawl_incomplete]\nfailures = 1\n[run_failed]\nfailures = 1\n"


@dataclass(frozen=True)
class Deployment(Sources):
    """The sources of a tick, and the Dagster instance behind them."""

    instance: dg.DagsterInstance | None = None
    repository: dg.RepositoryDefinition | None = None


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimServer]:
    with SimServer(events=60, seed=3, start=datetime.now(UTC)) as server:
        server.ledger.reach(server.clock.now())
        yield server


@pytest.fixture
def sim(exchange: SimServer) -> Iterator[SimServer]:
    began = exchange.clock.now()
    yield exchange
    exchange.faults.clear()
    exchange.clock.set(began)


@pytest.fixture
def channel() -> Iterator[Inbox]:
    with inbox() as opened:
        yield opened


@pytest.fixture
def settings(sim: SimServer, channel: Inbox) -> Settings:
    return settings_for(
        sim.url,
        POLYPIPE_ALERT_URLS=channel.url,
        POLYPIPE_PING_URL=channel.ping_url,
        POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
        POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
        POLYPIPE_SCALING_RATIO="0.08",
    )


@pytest.fixture(scope="module")
def repository() -> dg.RepositoryDefinition:
    """Built once: only its names matter here."""
    return build_defs(settings=settings_for(NOWHERE)).get_repository_def()


@pytest.fixture(scope="module")
def instance(tmp_path_factory) -> Iterator[dg.DagsterInstance]:
    with open_instance(tmp_path_factory.mktemp("dagster")) as opened:
        yield opened


@pytest.fixture
def sources(settings: Settings, repository: dg.RepositoryDefinition, instance: dg.DagsterInstance) -> Deployment:
    settings.home.mkdir()
    (settings.home / "alerts.toml").write_text(CONFIG)
    return Deployment(
        settings,
        Warehouse(settings.home),
        impatient(settings),
        lambda: read_failures(instance, repository, SENSOR),
        instance,
        repository,
    )


def evaluate(sources: Deployment) -> str:
    """One tick of the real sensor. Returns its line in the list of ticks."""
    resources = {"settings": sources.settings, "warehouse": sources.warehouse, "polymarket": sources.polymarket}
    with dg.build_sensor_context(
        instance=sources.instance, repository_def=sources.repository, resources=resources
    ) as context:  # fmt: skip
        data = alerts.evaluate_tick(context)
    assert not data.run_requests
    return data.skip_message or ""


@pytest.mark.slow
def test_fault_of_the_exchange_is_sent_once_and_so_is_its_recovery(sources, sim, channel):
    resources = {"settings": sources.settings, "warehouse": sources.warehouse, "polymarket": sources.polymarket}
    job = build_defs(**resources).resolve_job_def("crawl")

    def crawl():
        asset = [dg.AssetKey("sports_events")]
        job.execute_in_process(instance=sources.instance, raise_on_error=False, asset_selection=asset)

    crawl()
    said = evaluate(sources)
    assert "firing: nothing" in said
    assert channel.messages == []
    assert channel.pings == 1

    sim.faults.add("status", "/events/keyset", status=429)
    crawl()
    said = evaluate(sources)
    assert "crawl_incomplete (1)" in said
    assert channel.titles == [
        "polypipe CRITICAL: A job keeps failing",
        "polypipe WARNING: Crawls are incomplete",
    ]
    assert "Job crawl has failed" in channel.messages[0]["message"]
    assert "HTTP 429" in channel.messages[0]["message"]
    assert "rate limited" in channel.messages[1]["message"]
    assert "2 messages sent, 0 wait" in said

    evaluate(sources)
    assert len(channel.messages) == 2  # sent once
    sim.faults.clear()
    crawl()
    evaluate(sources)
    assert channel.titles[2:] == [
        "polypipe RECOVERED: A job keeps failing",
        "polypipe RECOVERED: Crawls are incomplete",
    ]
    evaluate(sources)
    assert len(channel.messages) == 4
    assert channel.pings == 5


@pytest.mark.slow
def test_no_output_or_file_contains_a_secret(sources, sim, channel, capfd, caplog):
    sim.faults.add("status", "/events/keyset", status=500)
    with pytest.raises(PolymarketError):
        crawl_and_store(sources.polymarket, sources.warehouse)
    for channel.answer in (500, 200, -1):
        said = [evaluate(sources)]
    (sources.settings.home / "alerts" / "state.json").write_bytes(b"{")
    said.append(evaluate(sources))
    printed = capfd.readouterr()
    assert TOKEN not in "".join(said) + printed.out + printed.err + repr(sources.settings)
    for path in sources.settings.home.rglob("*"):
        assert TOKEN not in path.name
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN not in json.dumps([record.message for record in caplog.records if record.name.startswith("dagster")])


@pytest.mark.slow
def test_delivery_delayed_by_a_failing_channel_says_so(sources, sim, channel):
    sim.faults.add("status", "/events/keyset", status=500)
    with pytest.raises(PolymarketError):
        crawl_and_store(sources.polymarket, sources.warehouse)
    channel.answer = 503
    now = datetime.now(UTC)
    for n in range(6):
        run_tick(sources, lambda n=n: now + n * MINUTE)
    assert channel.messages == []
    deliveries = read_state(sources.settings.home, now)[0].deliveries
    assert len(deliveries) == 1
    assert 2 <= deliveries[0].attempts <= 4
    channel.answer = 200
    run_tick(sources, lambda: now + 7 * MINUTE + pause_after(4))
    (message,) = channel.messages
    assert "late: raised" in message["message"].splitlines()[0]


def test_failed_evaluation_still_sends_deliveries_but_no_ping(sources, sim, channel):
    sim.faults.add("status", "/events/keyset", status=500)
    with pytest.raises(PolymarketError):
        crawl_and_store(sources.polymarket, sources.warehouse)
    channel.answer = 503
    evaluate(sources)
    pointer = sources.warehouse.layout.pointer
    good = pointer.read_bytes()
    pointer.write_bytes(b"{")
    channel.answer = 200
    pings = channel.pings
    with pytest.raises(Exception, match=r"CURRENT\.json"):
        run_tick(sources, lambda: datetime.now(UTC) + MINUTE)
    assert channel.titles == ["polypipe WARNING: Crawls are incomplete"]
    assert channel.pings == pings
    pointer.write_bytes(good)
    evaluate(sources)
    assert channel.pings == pings + 1


def test_damaged_state_is_reported_once_and_kept(sources, channel):
    evaluate(sources)
    path = sources.settings.home / "alerts" / "state.json"
    path.write_bytes(b'{"watching_since": 5}')
    evaluate(sources)
    assert channel.titles == ["polypipe WARNING: The state of the alerts was lost"]
    (kept,) = path.parent.glob("state.bad-*.json")
    assert kept.read_bytes() == b'{"watching_since": 5}'
    evaluate(sources)
    evaluate(sources)
    assert channel.titles[1:] == ["polypipe RECOVERED: The state of the alerts was lost"]


def test_invalid_rules_are_reported_and_the_last_valid_ones_stay(sources, channel):
    evaluate(sources)
    (sources.settings.home / "alerts.toml").write_text("[crawl_incomplete]\nfailures = 0\n")
    assert "alerts.toml is invalid" in evaluate(sources)
    assert channel.titles == ["polypipe WARNING: alerts.toml is invalid"]
    assert "crawl_incomplete.failures: 0 is not a number from 1 to 1000" in channel.messages[0]["message"]
    (sources.settings.home / "alerts.toml").write_text(CONFIG)
    evaluate(sources)
    assert channel.titles[1:] == ["polypipe RECOVERED: alerts.toml is invalid"]


def test_second_tick_at_once_does_nothing(sources, channel):
    with only_one(sources.settings.home):
        assert evaluate(sources) == "another process is evaluating the alerts"
    assert channel.pings == 0


def test_alert_without_channels_is_sent_when_one_is_configured(sources, sim, channel):
    mute = replace(sources, settings=replace(sources.settings, alert_urls=(), ping_url=None))
    sim.faults.add("status", "/events/keyset", status=500)
    with pytest.raises(PolymarketError):
        crawl_and_store(sources.polymarket, sources.warehouse)
    assert "no alert channels configured; set POLYPIPE_ALERT_URLS" in evaluate(mute)
    assert channel.paths == []
    evaluate(sources)
    assert channel.titles == ["polypipe WARNING: Crawls are incomplete"]


def test_digest_is_sent_once_a_day(sources, channel):
    morning = datetime.now(UTC).replace(hour=0, minute=41) + timedelta(days=1)
    run_tick(sources, lambda: morning - timedelta(hours=12))
    for minutes in (0, 1, 2):
        run_tick(sources, lambda minutes=minutes: morning + minutes * MINUTE)
    digests = [title for title in channel.titles if "digest" in title]
    assert digests == [f"polypipe digest of {(morning - timedelta(days=1)).date()} (UTC)"]


def test_digest_names_a_failing_channel_to_the_others(sources, channel):
    dead = f"json://127.0.0.1:{free_port()}/{TOKEN}"
    both = replace(sources, settings=replace(sources.settings, alert_urls=(channel.url, dead)))
    (sources.settings.home / "alerts.toml").write_text("[disk_low]\ngigabytes = 1000000\n")
    morning = datetime.now(UTC).replace(hour=0, minute=41) + timedelta(days=1)
    run_tick(both, lambda: morning - timedelta(hours=12))
    run_tick(both, lambda: morning)
    (digest,) = [message for message in channel.messages if "digest" in message["title"]]
    assert "\nChannel failing: json-2 failed 1 time in a row: no connection; messages waiting: 1" in digest["message"]
    assert TOKEN not in digest["message"]


def test_missed_copies_of_the_simulated_whale_are_found_and_no_others(sources, sim, channel):
    """The simulator knows which fills its copier missed: exactly those above the limit are found."""
    truths = [truth for truth in sim.copy_truth() if truth.whale.side == "BUY"]
    missed = [truth for truth in truths if truth.copy is None and truth.whale.size * truth.whale.price >= 150]
    copies = [one.whale for one in truths if one.copy is not None]
    alone = [
        truth
        for truth in missed  # but not where the copier copied another fill of the same token about then
        if not any(one.token == truth.whale.token and abs(one.at - truth.whale.at) < 1200 for one in copies)
    ]
    truth = alone[-1]
    sim.clock.set(truth.whale.at + 360)
    here = replace(sources, warehouse=Warehouse(sources.settings.home / "empty"))

    def now():
        return datetime.fromtimestamp(sim.clock.now(), UTC)

    tick = run_tick(here, now)
    window = [one for one in truths if sim.clock.now() - 1200 <= one.whale.at <= sim.clock.now() - 240]
    expected = {f"{one.whale.token} BUY" for one in window if one.copy is None and one.whale.size * one.whale.price >= 150}
    copied = {f"{one.whale.token} BUY" for one in window if one.copy is not None}
    found = {one.key for one in tick.evaluation.findings["missed_copy"] if one.state == "failing"}
    assert f"{truth.whale.token} BUY" in expected - copied
    assert expected - copied <= found
    assert not found & copied
    (message,) = [one for one in channel.messages if "The whale traded" in one["title"]]
    assert "no copy within 3 min" in message["message"]
    sim.clock.advance(1200)
    run_tick(here, now)
    assert any(title.startswith("polypipe RECOVERED: The whale traded") for title in channel.titles)


def test_newest_fills_take_two_small_requests_and_their_failure_is_unknown(sources, sim):
    sim.requests.clear()
    run_tick(sources)
    assert [request.path for request in sim.requests] == ["/activity"] * 2
    sim.faults.add("status", "/activity", status=500)
    (finding,) = run_tick(sources).evaluation.findings["missed_copy"]
    assert (finding.state, finding.text) == ("unknown", "HTTP 500")


def test_fills_unread_for_longer_than_the_limit_are_sent(sources, sim, channel):
    now = datetime.now(UTC)
    run_tick(sources, lambda: now)
    sim.faults.add("status", "/activity", status=403)
    for minutes in (1, 4, 6, 10):
        assert not any("newest fills" in message["message"] for message in channel.messages)
        run_tick(sources, lambda minutes=minutes: now + minutes * MINUTE)
    (sent,) = [message for message in channel.messages if "newest fills" in message["message"]]
    assert sent["title"] == "polypipe WARNING: A source is stale (2)"  # and no snapshot was taken
    assert "returned the newest fills of both wallets 10 min ago; limit 5 min: HTTP 403" in sent["message"]


def test_job_with_a_daily_schedule_is_daily_and_every_other_is_minute(sources):
    found = paces(sources.repository)
    assert found["crawl"] == found["catch_up"] == found["trade_log_read"] == "minute"
    assert found["history"] == found["history_schedule"] == found["attribution"] == "daily"
    assert not any(name.startswith("__") for name in found)


def test_run_that_dagster_ended_itself_is_reported_with_its_reason(sources, tmp_path):
    @dg.job(name="crawl")
    def never_begun():
        pass

    def reason(own):
        return next(one.error for one in read_failures(own, sources.repository, "alerts") if one.name == "crawl")

    with open_instance(tmp_path) as own:
        own.report_run_failed(own.create_run_for_job(never_begun))
        assert "from outside" in reason(own)  # no better reason is stored
        run = own.create_run_for_job(never_begun)
        inner = SerializableErrorInfo("grpc: many lines", [], "RpcError", None)
        error = SerializableErrorInfo("Could not reach user code server", [], "DagsterError", inner)
        own.report_engine_event("Unexpected error in IPC client", run, EngineEventData.engine_error(error))
        own.report_engine_event("Process for run exited", run)
        own.report_run_failed(run)
        assert reason(own) == "Could not reach user code server"
        run = own.create_run_for_job(never_begun)
        own.report_run_failed(run, "polypipe was killed")
        assert reason(own) == "polypipe was killed"


def test_failing_ticks_count_for_sensors_that_are_on(sources):
    origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("polypipe"), "__repository__")
    inner = SerializableErrorInfo("ValueError: the first cause", [], "ValueError", None)
    error = SerializableErrorInfo("wrapped by Dagster", [], "DagsterError", inner)
    for name, on in (("catch_up", True), ("trade_log_sensor", False), ("alerts", True), ("gone", True)):
        status = InstigatorStatus.RUNNING if on else InstigatorStatus.STOPPED
        state = InstigatorState(
            origin.get_instigator_origin(name), InstigatorType.SENSOR, status, SensorInstigatorData()
        )  # fmt: skip
        sources.instance.add_instigator_state(state)
        for n, outcome in enumerate([TickStatus.SUCCESS, TickStatus.FAILURE, TickStatus.FAILURE, TickStatus.STARTED]):
            sources.instance.create_tick(
                TickData(
                    instigator_origin_id=state.instigator_origin_id,
                    instigator_name=name,
                    instigator_type=InstigatorType.SENSOR,
                    selector_id=state.selector_id,
                    status=outcome,
                    timestamp=1000.0 + n,
                    run_ids=[],
                    error=error if outcome == TickStatus.FAILURE else None,
                )
            )
    ticks = [one for one in read_failures(sources.instance, sources.repository, "alerts") if one.kind == "sensor"]
    assert [(one.name, one.failures, one.error) for one in ticks] == [("catch_up", 2, "ValueError: the first cause")]
