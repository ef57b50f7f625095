"""Traces of what only the copier holds, as the positions asset stores them over HTTP: limits, failures, kills."""

import json
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from polypipe.cli.status_text import as_text, to_json
from polypipe.dashboard.app import build_app
from polypipe.dashboard.store import Store
from polypipe.divergence import position_traces
from polypipe.health.status import read_status
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import YES, Script
from polypipe.sim.wallets import DEPOSIT_ADDRESS
from polypipe_tests.divergence.support import HOUR, Compared, T, rows
from polypipe_tests.support import wait_until


def traced_markets(compared: Compared) -> list[str]:
    """Markets whose traces were requested, in the order of the requests."""
    return [seen.params["market"] for seen in compared.sim.requests if "market" in seen.params]


def condition(script: Script, number: int) -> str:
    """Condition id of the market of the script's event `number`."""
    return script.events[number].build(script.events[number])[0].condition_id  # type: ignore[no-any-return]


def lone(script: Script, count: int) -> list[str]:
    """Tokens that only the copier holds: the whale sold every second one and never held the others."""
    tokens = []
    for n in range(count):
        market = script.market(f"Market {n}", 0.5)
        if n % 2 == 0:
            script.buy(WHALE_ADDRESS, T, market, YES, 1_000, 0.50)
            script.sell(WHALE_ADDRESS, T + 60, market, YES, 1_000, 0.50)
        script.buy(COPIER_ADDRESS, T + 4, market, YES, 100 + n, 0.50)
        tokens.append(market.token(YES))
    return tokens


def test_traces_are_limited_stored_and_continued(played, monkeypatch) -> None:
    script = Script()
    tokens = lone(script, 10)
    monkeypatch.setattr(position_traces, "TRACES", 4)
    with played(script) as compared:
        for traced, progress in (
            (4, "traces 4 of 10, complete in about 10 min"),
            (8, "traces 8 of 10, complete in about 5 min"),
        ):
            statuses = compared.statuses()
            assert sum(status == "unknown" for status in statuses.values()) == 10 - traced
            assert compared.notes() == {"traces": progress}
            orphans, missed, orphan_usd, reasons = compared.summary("orphan + manual, missed, orphan_usd, reasons")
            assert (orphans, missed, orphan_usd) == (traced, 0, None)
            assert "may be orphans: its history is not traced yet" in json.loads(reasons)["orphan_usd"]
        assert compared.statuses() == {token: "manual" if n % 2 else "orphan" for n, token in enumerate(tokens)}
        assert compared.notes() == {}
        assert len(traced_markets(compared)) == len(set(traced_markets(compared))) == 10


@pytest.mark.slow
def test_traces_that_take_too_long_keep_what_was_read(played, monkeypatch) -> None:
    script = Script()
    slow, *others = lone(script, 5)
    monkeypatch.setattr(position_traces, "TRACE_SECONDS", 1.5)
    with played(script) as compared:
        compared.sim.faults.add("hang", "/activity", query={"market": condition(script, 0)})
        statuses = compared.statuses()
        assert [statuses[token] for token in (slow, *others)] == ["unknown", "manual", "orphan", "manual", "orphan"]
        compared.sim.faults.clear()
        assert compared.statuses()[slow] == "orphan"


def test_one_refused_filter_leaves_one_row_unknown(played) -> None:
    script = Script()
    refused, *others = lone(script, 5)
    with played(script) as compared:
        compared.sim.faults.add("status", "/activity", query={"market": condition(script, 0)}, status=400)
        statuses = compared.statuses()
        assert [statuses[token] for token in (refused, *others)] == ["unknown", "manual", "orphan", "manual", "orphan"]
        assert "(HTTP 400)" in compared.row(refused, "reason")[0]
        assert compared.notes() == {}, "nothing is left to trace"


@pytest.mark.slow
def test_progress_is_in_the_status_the_page_and_the_metadata(played, monkeypatch) -> None:
    script = Script()
    lone(script, 5)
    monkeypatch.setattr(position_traces, "TRACES", 2)
    progress = "traces 2 of 5, complete in about 10 min"
    with played(script) as compared:
        (event,) = compared.run().asset_materializations_for_node("positions")
        assert event.metadata["traces"].value == progress
        status = read_status(compared.settings)
        assert f"positions: {progress}" in as_text(status).splitlines()
        assert json.loads(to_json(status))["traces"] == progress
        with (
            Store(compared.warehouse, compared.settings, poll_seconds=3600) as store,
            TestClient(build_app(compared.settings, store), base_url="http://127.0.0.1:8765") as page,
        ):
            store.refresh()
            assert page.get("/api/positions/rows").json()["notes"] == {"traces": progress}
        assert not any("trace" in reason for reason in status.reasons), "tracing is not a fault"
        compared.run()
        (event,) = compared.run().asset_materializations_for_node("positions")
        assert "traces" not in event.metadata
        assert read_status(compared.settings).traces is None


@pytest.mark.slow
def test_failing_trace_leaves_one_row_unknown_and_is_requested_again_later(played, monkeypatch) -> None:
    script = Script()
    failing, *others = lone(script, 5)
    expected = ["manual", "orphan", "manual", "orphan"]
    with played(script) as compared:
        compared.sim.faults.add("status", "/activity", query={"market": condition(script, 0)}, status=503)
        statuses = compared.statuses()
        assert [statuses[token] for token in (failing, *others)] == ["unknown", *expected]
        assert compared.row(failing, "reason") == ("its history cannot be read: HTTP 503",)
        assert compared.notes() == {"traces": "1 of 5 traces failed, requested again after 15 min"}
        assert json.loads(compared.summary("reasons"))["orphan_usd"].startswith("1 position may be orphans: its history")
        compared.sim.requests.clear()
        assert compared.statuses() == statuses, "the failure and its reason are stored"
        assert traced_markets(compared) == []
        compared.sim.faults.clear()
        monkeypatch.setattr(position_traces, "RETRY", timedelta(0))
        assert [compared.statuses()[token] for token in (failing, *others)] == ["orphan", *expected]
        assert traced_markets(compared) == [condition(script, 0)]
        assert compared.notes() == {}


@pytest.mark.slow
def test_activity_that_fails_altogether_costs_few_requests_and_no_comparison(played, monkeypatch) -> None:
    script = Script()
    tokens = lone(script, 60)
    held = script.market("Both hold it", 0.5)
    script.copy(script.buy(WHALE_ADDRESS, T, held, YES, 1_000, 0.50), 100)
    with played(script) as compared:
        compared.sim.faults.add("status", "/activity", status=500)
        statuses = compared.statuses()
        assert statuses == dict.fromkeys(tokens, "unknown") | {held.token(YES): "on_target"}
        assert compared.summary("missed, coverage, orphan_usd") == (0, 100, None)
        assert "none was answered in this comparison" in compared.notes()["traces"]
        assert len(set(traced_markets(compared))) < position_traces.GIVE_UP + 8
        compared.sim.faults.clear()
        monkeypatch.setattr(position_traces, "RETRY", timedelta(0))
        statuses = compared.statuses()
        assert {statuses[token] for token in tokens} == {"orphan", "manual"}


@pytest.mark.slow
def test_traces_that_are_never_answered_do_not_keep_the_others_waiting(played, monkeypatch) -> None:
    script = Script()
    *others, first, second = lone(script, 6)
    monkeypatch.setattr(position_traces, "TRACES", 2)
    monkeypatch.setattr(position_traces, "TRACE_SECONDS", 0.5)
    with played(script) as compared:
        for number in (4, 5):  # the most valuable ones, which are requested first
            compared.sim.faults.add("hang", "/activity", query={"market": condition(script, number)})
        assert set(compared.statuses().values()) == {"unknown"}
        assert compared.notes()["traces"] == "traces 0 of 6, none was answered in this comparison"
        for _ in range(2):
            statuses = compared.statuses()
        assert [statuses[token] for token in others] == ["orphan", "manual", "orphan", "manual"]
        assert [statuses[token] for token in (first, second)] == ["unknown", "unknown"]


@pytest.mark.slow
def test_list_that_takes_nearly_all_its_time_leaves_the_traces_theirs(played, monkeypatch) -> None:
    script = Script()
    lone(script, 3)
    monkeypatch.setattr("polypipe.divergence.position_refresh.LISTS_DEADLINE_SECONDS", 1.0)
    with played(script) as compared:
        compared.sim.faults.add("hang", "/positions", seconds=0.7, times=1)
        compared.sim.faults.add("hang", "/activity", seconds=0.7)
        assert set(compared.statuses().values()) == {"orphan", "manual"}


def test_conversions_that_cannot_be_read_leave_only_neg_risk_rows_unknown(played, monkeypatch) -> None:
    script = Script()
    plain, _ = lone(script, 2)
    a, _b = script.event("Who wins?", {"A": 0.3, "B": 0.7})
    script.buy(WHALE_ADDRESS, T, a, YES, 1_000, 0.30)
    script.sell(WHALE_ADDRESS, T + 60, a, YES, 1_000, 0.30)
    script.buy(COPIER_ADDRESS, T, a, YES, 100, 0.30)
    with played(script) as compared:
        compared.sim.faults.add("status", "/activity", query={"type": "CONVERSION"}, status=500)
        statuses = compared.statuses()
        assert (statuses[plain], statuses[a.token(YES)]) == ("orphan", "unknown")
        assert compared.row(a.token(YES), "reason") == ("its history cannot be read: the whale's conversions: HTTP 500",)
        compared.sim.faults.clear()
        monkeypatch.setattr(position_traces, "RETRY", timedelta(0))
        assert compared.statuses()[a.token(YES)] == "orphan"


def test_dust_counts_in_the_progress_until_it_is_traced(played, monkeypatch) -> None:
    script = Script()
    lone(script, 2)
    dust = script.market("Dust", 0.5)
    script.buy(COPIER_ADDRESS, T, dust, YES, 1, 0.50)
    monkeypatch.setattr(position_traces, "TRACES", 2)
    with played(script) as compared:
        assert compared.statuses()[dust.token(YES)] == "below_minimum"
        assert compared.row(dust.token(YES), "whale_exit, traced_at") == ("unknown", None)
        assert compared.notes() == {"traces": "traces 2 of 3, complete in about 5 min"}
        assert compared.statuses()[dust.token(YES)] == "below_minimum"
        assert compared.row(dust.token(YES), "whale_exit") == ("never",)
        assert compared.notes() == {}


@pytest.mark.slow
def test_exit_that_is_traced_late_is_of_the_comparison_that_first_missed_it(played, monkeypatch) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.40)
    script.buy(DEPOSIT_ADDRESS, T, market, YES, 5_000, 0.30, held_by=WHALE_ADDRESS)  # its activity does not name it
    script.buy(COPIER_ADDRESS, T, market, YES, 500, 0.30)
    script.migrate(WHALE_ADDRESS, DEPOSIT_ADDRESS, T + HOUR, market, YES, 5_000, silent=True)
    with played(script, T + 60) as compared:
        assert compared.statuses() == {market.token(YES): "on_target"}
        compared.sim.clock.set(T + 2 * HOUR)
        compared.sim.faults.add("status", "/activity", status=503)
        assert compared.statuses() == {market.token(YES): "unknown"}
        (missed_at,) = compared.row(market.token(YES), "compared_at")
        compared.sim.faults.clear()
        monkeypatch.setattr(position_traces, "RETRY", timedelta(0))
        assert compared.statuses() == {market.token(YES): "moved"}, "not manual: the whale was seen to hold it"
        assert compared.row(market.token(YES), "whale_out_since") == (missed_at,)
        compared.sim.faults.add("status", "/activity", status=503)
        assert compared.statuses() == {market.token(YES): "moved"}, "a failing request does not unlearn it"
        assert compared.row(market.token(YES), "whale_out_since") == (missed_at,)


_TICKS = """
import sys
from polypipe.dashboard.app import build_app
from polypipe.dashboard.store import Store
from polypipe.divergence import position_traces
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import load_settings
from polypipe.warehouse import Warehouse
settings = load_settings()
position_traces.TRACES = 4
refresh_positions(Polymarket.of(settings), Warehouse(settings.home), settings.wallets)
print("compared", flush=True)
refresh_positions(Polymarket.of(settings), Warehouse(settings.home), settings.wallets)
"""


@pytest.mark.slow
def test_traces_of_a_completed_comparison_survive_a_kill_during_the_next_one(played, monkeypatch) -> None:
    script = Script()
    tokens = lone(script, 10)
    with played(script) as compared:
        settings = compared.settings
        for name, value in {
            "POLYPIPE_HOME": str(settings.home), "POLYPIPE_DATA_URL": settings.data_url,
            "POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS,
            "POLYPIPE_SCALING_RATIO": "0.1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        with subprocess.Popen([sys.executable, "-c", _TICKS], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            # The second comparison traces two of its four, then hangs.
            for number in (2, 3):
                compared.sim.faults.add("hang", "/activity", query={"market": condition(script, number)})
            assert child.stdout.readline() == "compared\n"
            wait_until(lambda: len(traced_markets(compared)) == 8)
            child.send_signal(signal.SIGKILL)
        stored = dict(rows(compared.warehouse, "SELECT token_id, status FROM positions"))
        assert sorted(stored[token] for token in tokens) == ["manual"] * 2 + ["orphan"] * 2 + ["unknown"] * 6
        compared.sim.faults.clear()
        before, compared.sim.requests[:] = set(traced_markets(compared)[:4]), []
        assert compared.statuses() == {token: "manual" if n % 2 else "orphan" for n, token in enumerate(tokens)}
        assert len(traced_markets(compared)) == 6
        assert before.isdisjoint(traced_markets(compared)), "what the first comparison traced is not requested again"
