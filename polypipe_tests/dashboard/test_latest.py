"""The newest snapshot: each wrong answer of the old tool (D13, D16, D19, D24) and the right one, computed by hand."""

from datetime import datetime, timedelta
from statistics import stdev

import pytest

from polypipe.divergence.pnl_gap import measure_gap
from polypipe.divergence.snapshot import snapshot_row
from polypipe.divergence.sources import Fetched, WalletFacts
from polypipe.facts import Fact
from polypipe.intervals import student
from polypipe.polymarket.wallet_models import Standing
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.copying_rows import quality_row
from polypipe_tests.dashboard.support import COPIER, WHALE, now, outage, put_snapshots, replace_table, snapshot

OLD_FIELDS = {
    "id", "timestamp", "user1_value", "user1_pnl", "user1_volume", "user1_rank", "user2_value", "user2_pnl", "user2_volume",
    "user2_rank", "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "scaling_ratio",
}  # fmt: skip


def test_latest_before_the_first_snapshot_is_unknown_with_the_reason(dashboard):
    body = dashboard.json("/api/latest")
    assert body.keys() >= OLD_FIELDS
    assert all(body[name] is None for name in OLD_FIELDS)
    assert body["verdict"] == "unknown"
    assert body["verdict_reason"] == body["reasons"]["user1_pnl"] == "no snapshot is stored yet"


def test_latest_without_wallets_says_what_to_set(open_dashboard):
    body = open_dashboard(settings_for(NOWHERE)).json("/api/latest")
    assert "POLYPIPE_COPIER_ADDRESS" in body["verdict_reason"]


def test_old_fields_have_the_stored_values(dashboard, warehouse):
    row = snapshot(now(), copier_pnl=25.0, whale_pnl=312.5)
    put_snapshots(warehouse, [snapshot(now() - timedelta(minutes=1), 1.0, 1.0), row])
    body = dashboard.json("/api/latest")
    assert {name: body[name] for name in OLD_FIELDS - {"timestamp"}} == {
        name: row[name] for name in OLD_FIELDS - {"timestamp"}
    }
    assert (body["expected_pnl"], body["pnl_vs_expected"], body["pnl_efficiency"]) == (25.0, 0.0, 100.0)
    assert body["verdict"] == "unknown"  # one moment has no interval
    none = "an interval needs 6 days, which are independent of each other; there are 0"
    assert body["verdict_reason"] == body["reasons"]["gap_low"] == body["reasons"]["gap_high"] == none
    assert body["complete"] is True


@pytest.mark.parametrize(
    ("gaps", "verdict"),
    [
        ([2.0, -2.0, 2.0, -2.0, 2.0, -2.0, 2.0], "behind"),
        ([-40.0, 40.0, -40.0, 40.0, -40.0, 40.0, -40.0], "not_distinguishable"),
        ([2.0, -2.0, 2.0, -2.0, 2.0], "unknown"),
    ],
)
def test_verdict_follows_the_interval_from_the_spread_of_earlier_days(dashboard, warehouse, gaps, verdict):
    """The gap is -$40.00, far beyond the guard of $5.00: behind only if days do not differ by as much by chance."""
    put_snapshots(warehouse, [snapshot(now(), copier_pnl=-120.0, whale_pnl=-1000.0)])
    window_start = dashboard.json("/api/latest")["window_start"]
    first = datetime.fromisoformat(window_start).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = [quality_row(first - n * timedelta(days=1), gap=gap) for n, gap in enumerate(gaps, 1)]
    late = [
        quality_row(first, gap=9999.0),
        quality_row(first - timedelta(days=40), gap=9999.0),
        quality_row(first - timedelta(days=1), 7, gap=9999.0),
    ]
    replace_table(warehouse, "copy_quality_daily", [*rows, *late])
    body = dashboard.json("/api/latest")
    assert (body["pnl_vs_expected"], body["gap_interval_days"]) == (pytest.approx(-40.0), len(gaps))
    assert body["verdict"] == verdict
    if verdict == "unknown":
        assert body["verdict_reason"].endswith("there are 5")
        assert body["gap_low"] is body["gap_high"] is None
    else:
        half = student(6) * stdev(gaps)
        assert (body["gap_low"], body["gap_high"]) == (pytest.approx(-40 - half), pytest.approx(-40 + half))


def test_d13_outage_is_unknown_never_on_target(dashboard, warehouse):
    time = now()
    put_snapshots(warehouse, [snapshot(time - timedelta(minutes=1)), outage(time, age=660.0)])
    body = dashboard.json("/api/latest")
    assert body["verdict"] == "unknown"
    assert "503" in body["verdict_reason"]
    assert body["complete"] is False
    for name in ("user1_pnl", "user2_pnl", "pnl_vs_expected", "pnl_efficiency", "user1_value"):
        assert body[name] is None
        assert "503" in body["reasons"][name]
    answered = {source["answered_at"] for source in body["sources"].values()}
    assert answered == {(time - timedelta(seconds=660)).isoformat().replace("+00:00", "Z")}


def test_d16_larger_loss_than_expected_is_a_loss_share_not_an_efficiency(dashboard, warehouse):
    put_snapshots(warehouse, [snapshot(now(), copier_pnl=-120.0, whale_pnl=-1000.0)])
    body = dashboard.json("/api/latest")
    assert body["pnl_efficiency"] is None
    assert body["loss_share"] == pytest.approx(150.0)
    assert body["pnl_vs_expected"] == pytest.approx(-40.0)
    assert body["reasons"]["pnl_efficiency"] == "the whale lost: see loss share"


def test_d16_share_of_almost_zero_is_unknown(dashboard, warehouse):
    put_snapshots(warehouse, [snapshot(now(), copier_pnl=-15.0, whale_pnl=0.1)])
    body = dashboard.json("/api/latest")
    assert (body["pnl_efficiency"], body["loss_share"]) == (None, None)
    assert "zero" in body["reasons"]["pnl_efficiency"]
    assert body["pnl_vs_expected"] == pytest.approx(-15.008)


def stored_from(time, copier, whale):
    """The row that polypipe stores for two hourly series."""

    def wallet(series):
        return WalletFacts(Fact(500.0), Fact(series), Fact(Standing(rank=1, volume=1.0, pnl=None, user_name=None)))

    fetched = Fetched(time, wallet(copier), wallet(whale))
    comparison = measure_gap(Fact(copier), Fact(whale), Fact(500.0), 0.08, time)
    return snapshot_row(fetched, comparison, Wallets(COPIER, WHALE, 0.08), {})


def test_d19_single_point_is_unknown_not_zero(dashboard, warehouse):
    hour = now().replace(minute=0, second=0)
    hours = [hour - timedelta(hours=n) for n in range(25)]
    whale = {t: 960.0 - 40 * n for n, t in enumerate(hours)}
    put_snapshots(warehouse, [stored_from(now(), {hour: 5.0}, whale)])
    body = dashboard.json("/api/latest")
    assert (body["user1_pnl"], body["pnl_vs_expected"], body["verdict"]) == (None, None, "unknown")
    assert "2 are needed" in body["verdict_reason"]


def test_d19_pnl_of_two_hours_is_not_compared_with_that_of_24(dashboard, warehouse):
    hour = now().replace(minute=0, second=0)
    hours = [hour - timedelta(hours=n) for n in range(25)]
    series = {t: float(n) for n, t in enumerate(hours)}
    short = {t: series[t] for t in hours[:3]}
    put_snapshots(warehouse, [stored_from(now(), short, series)])
    body = dashboard.json("/api/latest")
    assert (body["user1_pnl"], body["user2_pnl"], body["verdict"]) == (None, None, "unknown")
    assert "2 of 24 h" in body["verdict_reason"]


def test_d24_ratio_comes_from_the_row_and_the_settings(open_dashboard, settings, warehouse):
    put_snapshots(warehouse, [snapshot(now(), copier_pnl=20.0, whale_pnl=1000.0, ratio=0.02)])
    other = settings_for(
        NOWHERE, POLYPIPE_COPIER_ADDRESS=COPIER, POLYPIPE_WHALE_ADDRESS=WHALE, POLYPIPE_SCALING_RATIO="0.02"
    )
    dashboard = open_dashboard(other)
    body = dashboard.json("/api/latest")
    assert (body["expected_pnl"], body["pnl_vs_expected"], body["scaling_ratio"]) == (20.0, 0.0, 0.02)
    assert dashboard.json("/api/config")["scaling_ratio"] == 0.02
    assert "at 2 %" in dashboard.get("/").text
    assert "8 %" not in dashboard.get("/").text


def test_failed_reload_keeps_the_old_numbers_and_reports_the_error(dashboard, warehouse: Warehouse):
    put_snapshots(warehouse, [snapshot(now(), copier_pnl=30.0)])
    assert dashboard.json("/api/latest")["reload_error"] is None
    warehouse.layout.pointer.write_text("{")
    body = dashboard.json("/api/latest")
    assert body["user1_pnl"] == 30.0
    assert "cannot be read" in body["reload_error"]
    assert dashboard.get("/healthz").status_code == 503


def test_unchanged_answer_is_304_until_the_next_publication(dashboard, warehouse):
    put_snapshots(warehouse, [snapshot(now())])
    first = dashboard.get("/api/latest")
    tag = first.headers["etag"]
    again = dashboard.client.get("/api/latest", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    put_snapshots(warehouse, [snapshot(now() + timedelta(seconds=1))])
    dashboard.store.refresh()
    assert dashboard.client.get("/api/latest", headers={"If-None-Match": tag}).status_code == 200


def test_requests_do_not_need_the_database_file(dashboard, warehouse):
    put_snapshots(warehouse, [snapshot(now())])
    warehouse.layout.database.unlink()
    assert dashboard.json("/api/latest")["user1_pnl"] == 24.0
    assert not warehouse.layout.database.exists()


def test_a_bot_without_a_constant_ratio_is_said_beside_the_numbers(open_dashboard):
    settings = settings_for(
        NOWHERE, POLYPIPE_COPIER_ADDRESS=COPIER, POLYPIPE_WHALE_ADDRESS=WHALE,
        POLYPIPE_BOT_PROFILE="strategies,strategy=FIXED", POLYPIPE_SCALING_RATIO="0.1",
    )  # fmt: skip
    board = open_dashboard(settings)
    note = settings.bot_profile.sizing_note(0.1)
    assert note is not None
    bodies = [board.json(path) for path in ("/api/latest", "/api/config", "/api/positions", "/api/history")]
    assert [body["ratio_note"] for body in bodies] == [note] * 4
    assert board.json("/api/quality/copying", days=1)["warning"] == note
    assert note in board.get("/").text
