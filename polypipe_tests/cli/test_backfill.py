"""`polypipe backfill` without servers, in this process: what is loaded, and the exit codes."""

import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from polypipe.attribution.stored_days import STORED_DAYS
from polypipe.cli.main import main
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import settings_for
from polypipe_tests.history.support import asked

pytestmark = pytest.mark.filterwarnings("ignore:Asset job .* varying BackfillPolicies")

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()
THREE = f"3 days ({YESTERDAY - timedelta(days=2)} to {YESTERDAY}) are complete\n"


@pytest.fixture
def settings(sim):
    sim.clock.set(datetime.now(UTC).timestamp())
    return settings_for(sim.url, POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS, POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS)


@pytest.fixture
def backfill(settings, monkeypatch):
    """Runs the command in this process; returns the result of click's runner."""
    monkeypatch.setenv("DAGSTER_HOME", "")  # restored afterwards: the command sets it

    def run(*arguments, **environ):
        return CliRunner().invoke(main, ["backfill", *arguments], env=settings.to_env() | environ, catch_exceptions=False)

    return run


@pytest.mark.slow
def test_missing_days_are_loaded_once_and_all_of_them_again_on_request(backfill, sim, settings) -> None:
    planned = backfill("--days", "3", "--dry-run")
    assert planned.exit_code == 3
    assert {line.split(" of ")[0] for line in planned.stdout.splitlines()} == {
        f"{YESTERDAY - timedelta(days=2)} to {YESTERDAY}: 3 days"
    }
    assert not asked(sim, "/activity")

    first = backfill("--days", "3")
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout.endswith(THREE)
    assert asked(sim, "/user-pnl") == 2
    with Warehouse(settings.home).read() as con:
        assert con.execute("SELECT count(*) FROM gap_attribution WHERE gap IS NOT NULL").fetchall() == [(3,)]

    seen = len(sim.requests)
    second = backfill("--days", "3")
    assert (second.exit_code, second.stdout) == (0, f"nothing to load: {THREE}")
    assert len(sim.requests) == seen

    again = backfill("wallet_pnl", "--days", "2", "--again")
    assert again.exit_code == 0
    assert asked(sim, "/user-pnl") == 4
    assert again.stdout.endswith(f"2 days of wallet_pnl ({YESTERDAY - timedelta(days=1)} to {YESTERDAY}) are complete\n")


@pytest.mark.slow
def test_a_failure_is_told_with_its_days_and_the_next_backfill_loads_only_what_is_left(backfill, sim) -> None:
    broken = sim.faults.add("status", "/activity", status=404, query={"user": WHALE_ADDRESS})
    failed = backfill("--days", "2")
    assert failed.exit_code == 1
    lines = failed.stdout.splitlines()
    assert "FAILED: wallet_activity: these days were not stored" in lines[0]
    span = f"{YESTERDAY - timedelta(days=1)} to {YESTERDAY}"
    assert lines[2] == "4 ranges not complete:"
    assert lines[3].startswith(f"  wallet_activity, {span}: these days were not stored: ")
    assert lines[4:] == [
        f"  copy_fills, {span}: not computed, because wallet_activity failed",
        f"  copy_metrics_daily, {span}: not computed, because copy_fills failed",
        f"  gap_attribution, {span}: not computed, because copy_fills failed",
    ]
    assert broken.hits
    sim.faults.clear()
    healed = backfill("--days", "2")
    assert healed.exit_code == 0
    assert healed.stdout.startswith(f"{span}: wallet_activity: 2 days, ")
    assert asked(sim, "/user-pnl") == 2  # PnL was complete


@pytest.mark.slow
def test_ctrl_c_ends_the_backfill_and_not_only_one_of_its_runs(backfill, sim, monkeypatch) -> None:
    def press(*_) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(5)

    with monkeypatch.context() as patch:
        patch.setattr("polypipe.history.assets.load_pnl", press)
        ended = backfill("--days", "2")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("polypipe: interrupted: ")
    assert not asked(sim, "/activity")


@pytest.mark.slow
def test_an_asset_without_its_upstream_fails_and_stores_nothing(backfill, settings) -> None:
    alone = backfill("copy_quality_daily", "--days", "60")
    assert alone.exit_code == 1
    assert "wallet_pnl is missing for 60 days: " in alone.stdout
    assert "run `polypipe backfill --from " in alone.stdout
    with Warehouse(settings.home).read() as con:
        assert con.execute("SELECT count(*) FROM copy_quality_daily").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--days", "3", "--to", "2026-11-01"], "--days and --to exclude each other"),
        (["live_cache"], "live_cache has no past days; choose from wallet_pnl, "),
        (["wallet_pln"], "unknown asset 'wallet_pln'"),
        (["--days", "9999"], "is before the first day of history"),
        (["--to", "2099-01-01"], "is not over yet"),
        (["--from", "2999-01-01"], "a day is in the years"),
    ],
)
def test_a_bad_option_is_one_line_with_a_remedy(backfill, arguments, message) -> None:
    refused = backfill(*arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    line, *hint = refused.stderr.splitlines()
    assert message in line
    assert len(hint) <= 1


def test_without_wallets_the_setting_to_set_is_named(backfill) -> None:
    refused = backfill(POLYPIPE_WHALE_ADDRESS="")
    assert refused.exit_code == 1
    assert "set POLYPIPE_WHALE_ADDRESS" in refused.stderr


def test_every_asset_of_past_days_can_be_backfilled(settings) -> None:
    from polypipe.definitions import build_defs

    graph = build_defs(settings=settings).resolve_asset_graph()
    assert {key.to_user_string() for key in graph.materializable_asset_keys if graph.get(key).is_partitioned} == set(
        STORED_DAYS
    )
    order = list(STORED_DAYS)
    for key in graph.materializable_asset_keys:
        if (asset := key.to_user_string()) in STORED_DAYS:
            assert all(order.index(parent.to_user_string()) < order.index(asset) for parent in graph.get(key).parent_keys)
