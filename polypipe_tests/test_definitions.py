"""The definitions as Dagster loads them: what every asset must have, and that they load without heavy imports."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from polypipe.caches.registry import CACHES
from polypipe.definitions import build_defs
from polypipe.errors import SettingError
from polypipe.runtime.instance import open_instance
from polypipe_tests.conftest import settings_for

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def defs(settings):
    return build_defs(settings=settings)


def test_definitions_load_without_heavy_imports(tmp_path):
    """Every run pays for the imports of the code location."""
    code = (
        "import sys; from polypipe.definitions import defs; "
        "heavy = ('pandas', 'duckdb', 'plotly', 'apprise'); "
        "print(len(defs.resolve_all_asset_keys()), [m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    count, _, heavy = out.partition(" ")
    assert int(count) >= 1 + len(CACHES)
    assert heavy.strip() == "[]"


def test_bad_setting_is_an_error_of_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYPIPE_TENNIS_SCOPE", "wta")
    with pytest.raises(SettingError, match="POLYPIPE_TENNIS_SCOPE"):
        build_defs()


def test_unknown_resource_is_refused(settings):
    with pytest.raises(ValueError, match="unknown resources"):
        build_defs(settings=settings, warehous=1)


def test_every_asset_has_owners_a_group_and_a_description(defs):
    for spec in defs.resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert spec.owners, name
        assert spec.group_name not in (None, "default"), name
        assert spec.description, name
        assert len(spec.description) > 60, name


def test_assets_of_the_demo_are_marked_as_simulated(sim):
    for spec in build_defs(settings=settings_for(sim.url, POLYPIPE_SIMULATED="1")).resolve_all_asset_specs():
        assert spec.description.startswith("**SIMULATED DATA**")
        assert "simulated" in spec.kinds


def test_every_asset_has_a_schedule_or_sensor_checks_and_a_freshness_limit(defs):
    """README's first sentence. The dashboard is a node in the graph that nothing materializes."""
    graph, repository = defs.resolve_asset_graph(), defs.get_repository_def()
    automated = {target.job_name for sensor in repository.sensor_defs for target in sensor.targets}
    automated |= {schedule.job_name for schedule in repository.schedule_defs}
    refreshed = {key for name in automated for key in repository.get_job(name).asset_layer.executable_asset_keys}
    for sensor in repository.sensor_defs:
        if sensor.asset_selection is not None:
            refreshed |= sensor.asset_selection.resolve(graph)
    assert len(graph.materializable_asset_keys) == len(graph.get_all_asset_keys()) - 1
    for key in graph.materializable_asset_keys:
        name = key.to_user_string()
        assert key in refreshed, name
        assert graph.get_check_keys_for_assets({key}), name
        assert graph.get(key).freshness_policy is not None, name


def test_every_cache_has_asset_checks_freshness_and_pool(defs):
    graph = defs.resolve_asset_graph()
    for spec in CACHES:
        node = graph.get(dg.AssetKey(spec.asset))
        assert node.pools == {"duckdb_write"}
        assert node.freshness_policy is not None
        assert node.group_name == "markets"
        checks = {key.name for key in graph.get_check_keys_for_assets({dg.AssetKey(spec.asset)})}
        assert {"entries", "coverage", "changes", "age"} <= checks


def test_every_schedule_and_sensor_is_on_by_default(defs):
    repository = defs.get_repository_def()
    for schedule in repository.schedule_defs:
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING, schedule.name
        assert schedule.execution_timezone == "UTC"
    for sensor in repository.sensor_defs:
        if not sensor.name.startswith("default_"):
            assert sensor.default_status == dg.DefaultSensorStatus.RUNNING, sensor.name


def minutes(cron):
    field = cron.split()[0]
    if field.startswith("*/"):
        return set(range(0, 60, int(field[2:])))
    start, _, step = field.partition("/")
    first, _, last = start.partition("-")
    return set(range(int(first), int(last or (59 if step else first)) + 1, int(step or 1)))


def test_crawl_and_live_file_run_at_different_minutes(defs):
    crons = {s.name: s.cron_schedule for s in defs.get_repository_def().schedule_defs}
    assert not minutes(crons["crawl_schedule"]) & minutes(crons["live_cache_refresh_schedule"])


def test_jobs_run_in_process(defs):
    for job in defs.get_repository_def().get_all_jobs():
        assert job.executor_def.name == "in_process", job.name


def test_tick_is_skipped_while_the_job_runs(defs, settings, tmp_path):
    schedule = defs.get_repository_def().get_schedule_def("crawl_schedule")
    with open_instance(tmp_path) as instance:
        with dg.build_schedule_context(instance=instance, resources={"settings": settings}) as context:
            assert schedule.evaluate_tick(context).run_requests
            instance.create_run_for_job(defs.resolve_job_def("crawl"), status=dg.DagsterRunStatus.STARTED)
            tick = schedule.evaluate_tick(context)
        assert not tick.run_requests
        assert "unfinished" in tick.skip_message


def test_no_module_postpones_annotations():
    """`from __future__ import annotations` breaks Dagster's context parameter."""
    for path in (ROOT / "polypipe").rglob("*.py"):
        assert "\nfrom __future__ import" not in "\n" + path.read_text(encoding="utf-8"), path


def test_workspace_yaml_fixes_the_location_name():
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    (entry,) = workspace["load_from"]
    assert entry["python_module"]["module_name"] == "polypipe.definitions"
    assert entry["python_module"]["location_name"] == "polypipe"


def test_client_warehouse_and_runtime_load_without_dagster(tmp_path):
    modules = "polypipe.polymarket polypipe.warehouse polypipe.caches.publish polypipe.caches.registry polypipe.runtime.up"
    code = f"import sys, {', '.join(modules.split())}; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=dict(os.environ), check=False).returncode == 0
