"""What machines ask for: caches, health, metrics, CSV, copy quality, the description of the API."""

from datetime import timedelta

import pytest
import schemathesis
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from polypipe.caches.registry import CACHES
from polypipe.dashboard.api.caches import file_states
from polypipe.dashboard.app import build_app
from polypipe.dashboard.context import Context
from polypipe.dashboard.routes import describe
from polypipe.dashboard.store import Store
from polypipe.warehouse import Append, Warehouse
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.copying_rows import quality_row
from polypipe_tests.dashboard.support import (
    COPIER,
    WHALE,
    all_files,
    now,
    outage,
    publication,
    put_positions,
    put_publications,
    put_snapshots,
    replace_table,
    snapshot,
    wandering,
)
from polypipe_tests.divergence.support import position

FIRST = CACHES[0].file
# The first is asserted by hand, because /healthz may say 503; that `from` is before `to` no schema can say.
NOT_CHECKED = [not_a_server_error, positive_data_acceptance]


def state_of(dashboard, file=FIRST):
    return next(entry for entry in dashboard.json("/api/caches")["files"] if entry["file"] == file)


def test_before_the_first_publication(dashboard):
    files = dashboard.json("/api/caches")["files"]
    assert [entry["file"] for entry in files] == [spec.file for spec in CACHES]
    assert {entry["state"] for entry in files} == {"never"}
    assert {entry["entries"] for entry in files} == {None}


def test_a_file_and_its_attempts(dashboard, warehouse):
    time = now()
    put_publications(
        warehouse,
        [
            publication(FIRST, time - timedelta(minutes=3), entries=90, added=5, removed=2, changed=1),
            publication(FIRST, time - timedelta(minutes=2), entries=90, added=0, removed=0, changed=0, rewritten=False),
            publication(FIRST, time - timedelta(minutes=1), entries=10, accepted=False, rewritten=False, reason="too few"),
        ],
    )
    entry = state_of(dashboard)
    assert (entry["state"], entry["entries"]) == ("refused", 90)
    assert {name: entry["last_change"][name] for name in ("added", "removed", "changed")} == {
        "added": 5,
        "removed": 2,
        "changed": 1,
    }
    assert [(attempt["reason"], attempt["entries"]) for attempt in entry["refused"]] == [("too few", 10)]
    assert (entry["accepted_count"], entry["refused_count"], entry["rewritten_count"]) == (2, 1, 1)


def test_attempts_of_several_days_are_counted_together(dashboard, warehouse):
    time = now()
    put_publications(warehouse, [publication(FIRST, time - timedelta(days=n)) for n in range(4)])
    assert state_of(dashboard)["accepted_count"] == 4
    assert state_of(dashboard)["state"] == "fresh"


def test_a_file_is_stale_after_its_own_limit(dashboard, warehouse):
    time = now()
    put_publications(warehouse, all_files(time - max(spec.fresh_within for spec in CACHES) - timedelta(minutes=1)))
    assert {entry["state"] for entry in dashboard.json("/api/caches")["files"]} == {"stale"}


def test_how_old_the_bots_view_may_be(dashboard, warehouse, settings):
    time = now()
    put_publications(warehouse, [publication(FIRST, time - timedelta(minutes=minutes)) for minutes in (50, 40, 20, 10)])
    dashboard.store.refresh()

    def state(at):
        with dashboard.store.at_once() as view:
            return next(entry for entry in file_states(Context(settings, view), at) if entry["file"] == FIRST)

    entry = state(time)
    # The bot read at some moment of the last 30 minutes: at worst just before the attempt 20 minutes ago.
    assert entry["bot_sure_since"] == time - timedelta(minutes=40)
    assert entry["bot_observed_at"] == time - timedelta(minutes=40, seconds=20)
    assert entry["bot_is_current"] is False
    assert (
        state(time + timedelta(minutes=21))["bot_is_current"] is True
    )  # nothing has changed since the attempt that it must have read


def test_healthz_names_every_failing_finding(dashboard, warehouse):
    response = dashboard.get("/healthz")
    assert response.status_code == 503
    assert "No snapshot is stored yet; limit 5 min" in response.json()["reasons"]
    put_publications(warehouse, all_files(now()))
    put_positions(warehouse, [], [])
    put_snapshots(warehouse, [snapshot(now())])
    assert dashboard.json("/healthz")["reasons"] == []
    put_snapshots(warehouse, [outage(now() + timedelta(seconds=1), age=900.0)])
    reasons = dashboard.get("/healthz").json()["reasons"]
    assert len(reasons) == 6
    assert all("Polymarket last returned" in reason for reason in reasons)


def test_healthz_fails_for_a_stale_snapshot(dashboard, warehouse):
    put_publications(warehouse, all_files(now()))
    put_snapshots(warehouse, [snapshot(now() - timedelta(minutes=30))])
    (first, *_) = dashboard.get("/healthz").json()["reasons"]
    assert first == "The newest snapshot was taken 30 min ago; limit 5 min"


def test_metrics_have_every_finding_about_stale_data(dashboard, warehouse):
    put_publications(warehouse, all_files(now()))
    put_snapshots(warehouse, [snapshot(now() - timedelta(minutes=30))])
    found = metrics(dashboard)
    assert float(found['polypipe_health_failing{probe="snapshot_old",key="snapshots"}']) == 1
    assert float(found[f'polypipe_health_failing{{probe="file_old",key="{FIRST}"}}']) == 0
    assert 1790 < float(found["polypipe_snapshot_age_seconds"]) < 1900


def test_health_without_wallets_is_about_the_files(open_dashboard, warehouse):
    put_publications(warehouse, all_files(now()))
    assert open_dashboard(settings_for(NOWHERE)).get("/healthz").status_code == 200


def metrics(dashboard):
    lines = dashboard.get("/metrics").text.splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_metrics_leave_out_what_is_unknown(dashboard, warehouse):
    assert "polypipe_gap_usd" not in metrics(dashboard)
    put_snapshots(warehouse, [snapshot(now(), copier_pnl=25.0, whale_pnl=250.0)])
    put_publications(warehouse, [publication(FIRST, now()), publication(FIRST, now(), accepted=False, rewritten=False)])
    found = metrics(dashboard)
    assert float(found["polypipe_gap_usd"]) == 5.0
    assert float(found['polypipe_pnl_usd{wallet="whale"}']) == 250.0
    assert float(found[f'polypipe_publications_refused_total{{file="{FIRST}"}}']) == 1
    assert float(found['polypipe_source_ok{source="user1_pnl"}']) == 1
    assert float(found["polypipe_lock_waiting_batches"]) == 0
    put_snapshots(warehouse, [outage(now() + timedelta(seconds=1))])
    found = metrics(dashboard)
    assert "polypipe_gap_usd" not in found
    assert float(found['polypipe_source_ok{source="user1_pnl"}']) == 0


def test_metrics_tell_of_batches_that_wait(dashboard, warehouse):
    with warehouse.batch("waiting") as batch:
        batch.add("snapshots", [snapshot(now())])
        batch.commit({"snapshots": Append()})
    assert float(metrics(dashboard)["polypipe_lock_waiting_batches"]) == 1


def test_metrics_tell_how_long_batches_waited(dashboard, warehouse):
    assert not [name for name in metrics(dashboard) if name.startswith("polypipe_lock_waited")]
    put_snapshots(warehouse, [snapshot(now())])
    dashboard.store.refresh()
    found = {name: float(value) for name, value in metrics(dashboard).items() if name.startswith("polypipe_lock_waited")}
    assert list(found) == [f'polypipe_lock_waited_seconds{{quantile="{share}"}}' for share in ("0.5", "0.95", "1")]
    assert 0 <= min(found.values()) <= max(found.values()) < 60


def test_csv_is_what_is_shown(dashboard, warehouse):
    time = now()
    put_snapshots(warehouse, [*wandering(time - timedelta(minutes=1), 40), outage(time)])
    asked = {"hours": 3, "fields": "user1_pnl,pnl_vs_expected", "points": 100}
    shown = dashboard.json("/api/history", **asked)["snapshots"]
    rows = dashboard.csv(what="history", **asked)
    assert list(rows[0]) == ["timestamp", "user1_pnl", "pnl_vs_expected", "source"]
    assert [row["source"] for row in rows] == ["snapshots"] * 40 + ["unknown"]
    assert [row["user1_pnl"] for row in rows] == [
        "" if row["user1_pnl"] is None else str(row["user1_pnl"]) for row in shown
    ]
    assert rows[-1]["pnl_vs_expected"] == ""


def test_csv_of_positions_is_filtered_and_has_no_formulas(dashboard, warehouse):
    put_positions(warehouse, [], [position("1", 1000.0, title='=HYPERLINK("http://evil")'), position("2", 1000.0)])
    rows = dashboard.csv(what="positions", sort="title")
    assert [row["title"] for row in rows] == ['\'=HYPERLINK("http://evil")', "Market 2"]
    assert len(dashboard.csv(what="positions", q="market")) == 1


def test_csv_of_the_small_tables(dashboard, warehouse):
    put_positions(warehouse, [], [position("1", 1000.0), position("2", 3000.0)])
    shown = dashboard.json("/api/positions/rows")
    for what, name in (("by_status", "status"), ("by_size", "size")):
        groups = [group for group in shown[what] if group["rows"]]
        rows = dashboard.csv(what=what)
        assert [(row[name], row["rows"], row["verdict"]) for row in rows] == [
            (group[name], str(group["rows"]), group["verdict"] or "") for group in groups
        ]
        assert rows
    orphans = [group for group in shown["by_status"] if group["status"] in ("orphan", "manual", "netted", "resolved")]
    assert [group["cost_of_deviation"] for group in orphans] == [None] * 4
    time = now()
    put_snapshots(warehouse, [snapshot(time - timedelta(hours=2)), snapshot(time - timedelta(hours=1)), outage(time)])
    gaps = dashboard.json("/api/history", hours=3)["gaps"]
    assert [(row["rows"], row["reason"]) for row in dashboard.csv(what="gaps", hours=3)] == [
        (str(gap["rows"]), gap["reason"]) for gap in gaps
    ]
    assert len(gaps) >= 2
    assert dashboard.get("/api/export.csv", what="gaps", points=100).status_code == 400


def test_csv_of_caches_and_quality(dashboard, warehouse):
    put_publications(warehouse, all_files(now()))
    assert len(dashboard.csv(what="caches")) == len(CACHES)
    assert dashboard.csv(what="quality", window=7) == []
    assert dashboard.get("/api/export.csv", what="secrets").status_code == 400
    assert dashboard.get("/api/export.csv", what="caches", q="x").status_code == 400


def test_copy_quality(dashboard, warehouse):
    midnight = now().replace(hour=0, minute=0, second=0)
    days = [midnight - timedelta(days=n) for n in range(1, 6)]
    other = quality_row(days[0], user1_address="0x" + "dd" * 20)
    replace_table(warehouse, "copy_quality_daily", [*(quality_row(day, w) for day in days for w in (1, 7)), other])
    rows = dashboard.json("/api/quality", days=3)["rows"]
    assert [row["day"] for row in rows] == [day.isoformat().replace("+00:00", "Z") for day in reversed(days[:3])]
    assert rows[0]["reasons"] == {"beta_to_ratio": "too few hours"}
    assert len(dashboard.json("/api/quality", window=7)["rows"]) == 5


def test_days_before_the_first_snapshot_are_reconstructed(dashboard, warehouse):
    hour = now().replace(minute=0, second=0) - timedelta(hours=1)
    points = []
    for n in range(72):
        t = hour - timedelta(hours=n)
        points += [
            {"wallet": w, "t": t, "p": p, "fidelity": "1h", "fetched_at": hour}
            for w, p in ((COPIER, -1.0 * n), (WHALE, -10.0 * n))
        ]
    replace_table(warehouse, "wallet_pnl", points)
    put_snapshots(warehouse, list(wandering(now(), 600)))  # ten hours
    found = dashboard.json("/api/history", hours="all", layout="columns")
    rebuilt = found["reconstructed"]
    first = found["t"][0] // 3_600_000
    assert all(t // 3_600_000 < first for t in rebuilt["t"])
    assert len(rebuilt["t"]) == pytest.approx(72 - 24 - 10, abs=2)
    assert set(rebuilt["copier"]) == {24.0}
    assert set(rebuilt["expected"]) == {19.2}  # 8 % of 240
    assert set(rebuilt["gap"]) == {4.8}
    rows = dashboard.csv(what="history", hours="all", fields="expected_pnl,user2_pnl")
    drawn = [row for row in rows if row["source"] == "reconstructed"]
    assert [(row["expected_pnl"], row["user2_pnl"]) for row in drawn] == [("19.2", "")] * len(rebuilt["t"])
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)
    assert {row["source"] for row in dashboard.csv(what="history", hours="all", fields="user2_pnl")} == {"snapshots"}
    assert len(dashboard.json("/api/history", hours="all", points=20, layout="columns")["reconstructed"]["t"]) <= 20


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A client of a dashboard with some of everything, for the fuzzer."""
    settings = settings_for(
        NOWHERE,
        POLYPIPE_HOME=str(tmp_path_factory.mktemp("api")),
        POLYPIPE_COPIER_ADDRESS=COPIER,
        POLYPIPE_WHALE_ADDRESS=WHALE,
    )
    warehouse = Warehouse(settings.home)
    put_snapshots(warehouse, [*wandering(now(), 300), outage(now() - timedelta(hours=9))])
    put_publications(warehouse, all_files(now()))
    put_positions(warehouse, [position("1", 5.0)], [position("1", 400.0), position("2", 900.0)])
    with (
        Store(warehouse, settings, poll_seconds=3600) as store,
        TestClient(build_app(settings, store), base_url="http://127.0.0.1:8765") as client,
    ):
        yield client


@pytest.mark.slow
@schemathesis.openapi.from_dict(describe(build_app(settings_for(NOWHERE)))).parametrize()
@hypothesis_settings(max_examples=60)
def test_no_request_makes_a_5xx_or_an_undescribed_answer(api, case):
    response = api.request(case.method, case.formatted_path, params=case.query, headers=case.headers)
    assert response.status_code < 500 or case.path == "/healthz"
    case.validate_response(Response.from_any(response), excluded_checks=NOT_CHECKED)
