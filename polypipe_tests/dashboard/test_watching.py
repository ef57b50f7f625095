"""`/healthz` and `/metrics`."""

from datetime import timedelta

from polypipe.caches.registry import CACHES
from polypipe.warehouse import Append
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.support import (
    all_files,
    now,
    outage,
    publication,
    put_positions,
    put_publications,
    put_snapshots,
    snapshot,
)

FIRST = CACHES[0].file


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


def test_metrics_count_waiting_batches(dashboard, warehouse):
    with warehouse.batch("waiting") as batch:
        batch.add("snapshots", [snapshot(now())])
        batch.commit({"snapshots": Append()})
    assert float(metrics(dashboard)["polypipe_lock_waiting_batches"]) == 1


def test_metrics_have_quantiles_of_past_waits(dashboard, warehouse):
    assert not [name for name in metrics(dashboard) if name.startswith("polypipe_lock_waited")]
    put_snapshots(warehouse, [snapshot(now())])
    dashboard.store.refresh()
    found = {name: float(value) for name, value in metrics(dashboard).items() if name.startswith("polypipe_lock_waited")}
    assert list(found) == [f'polypipe_lock_waited_seconds{{quantile="{share}"}}' for share in ("0.5", "0.95", "1")]
    assert 0 <= min(found.values()) <= max(found.values()) < 60
