"""The asset of the bot's logs as Dagster runs it, its checks and its sensor."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from polypipe.bot import automation, ingest
from polypipe.bot.assets import bot_trade_log, evaluate
from polypipe.bot.automation import trade_log_job, trade_log_sensor
from polypipe.bot.grammar import TRADE_LOG_HEADER
from polypipe.bot.own_fills import OWN_FILLS_HEADER
from polypipe.definitions import build_defs
from polypipe.warehouse.gate import gate
from polypipe_tests.bot.corpus import TOKEN, TX, line
from polypipe_tests.bot.support import log_lines, rows, text
from polypipe_tests.conftest import NOWHERE, settings_for

OWN = f"2026-11-20 12:34:56.789,64123456,{TOKEN},12.75,25.000000,0.5100,BUY_FILL,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,{TX}"


@pytest.fixture
def settings(tmp_path):
    settings = settings_for(NOWHERE, POLYPIPE_HOME=str(tmp_path / "home"), POLYPIPE_BOT_DIR=str(tmp_path / "bot"))
    settings.bot_dir.mkdir()
    return settings


@pytest.fixture
def log(settings):
    path = settings.bot_dir / "matches_optimized.csv"
    path.write_text(f"{TRADE_LOG_HEADER}\n{text(log_lines(70))}")
    return path


@pytest.fixture
def materialize(settings, warehouse):
    def run():
        return dg.materialize(
            [bot_trade_log],
            resources={"settings": settings, "warehouse": warehouse},
            run_config=dg.RunConfig(loggers={"console": {"config": {"log_level": "CRITICAL"}}}),
            raise_on_error=False,
        )

    return run


def metadata(result):
    (event,) = result.asset_materializations_for_node("bot_trade_log")
    return {name: value.value for name, value in event.metadata.items()}


def failure(result):
    (event,) = [e for e in result.all_events if e.event_type == dg.DagsterEventType.STEP_FAILURE]
    return event.step_failure_data.user_failure_data.description


def test_run_stores_the_rows_and_shows_their_numbers(materialize, settings, warehouse, log):
    (settings.bot_dir / "my_fills.csv").write_text(f"{OWN_FILLS_HEADER}\n{OWN}\n")
    with log.open("a") as file:
        file.write("<script>*bold*</script>, torn\n2026")
    shown = metadata(materialize())
    assert (shown["rows_new"], shown["own_fills_new"], shown["bytes_held_back"]) == (71, 1, 4)
    assert sum(shown["outcomes"].values()) == 71
    assert shown["unknown"] == shown["outcomes"]["UNKNOWN"] > 0
    assert "&lt;script&gt;\\*bold\\*" in shown["not_understood"]
    assert "<script>" not in shown["not_understood"]
    assert shown["lag_seconds"] > 0
    assert shown["logs_begun"] == "matches_optimized.csv: first, my_fills.csv: first"
    assert shown["cache_misses_24h_fills"] == 0
    assert rows(warehouse, "SELECT count(*) FROM trade_log") == [(71,)]
    again = metadata(materialize())
    assert (again["rows_new"], again["own_fills_new"]) == (0, 0)
    assert "lag_seconds" not in again


def test_run_on_simulated_data_is_marked(settings, warehouse, log):
    marked = settings_for(
        NOWHERE, POLYPIPE_HOME=str(settings.home), POLYPIPE_BOT_DIR=str(settings.bot_dir), POLYPIPE_SIMULATED="1"
    )
    result = dg.materialize([bot_trade_log], resources={"settings": marked, "warehouse": warehouse})
    assert "SIMULATED DATA" in metadata(result)


def test_run_without_a_log_fails_with_the_setting_to_set(materialize):
    assert "POLYPIPE_BOT_DIR" in failure(materialize())


@pytest.mark.slow
def test_own_fills_are_read_without_a_trade_log(materialize, tick, settings, warehouse):
    (settings.bot_dir / "my_fills.csv").write_text(f"{OWN_FILLS_HEADER}\n{OWN}\n")
    assert "my_fills.csv" in tick().run_key
    shown = metadata(materialize())
    assert (shown["rows_new"], shown["own_fills_new"]) == (0, 1)
    assert checks(settings, warehouse)["caught_up"].passed
    assert "no log has changed" in tick().skip_message


def test_unknown_column_fails_the_run_and_is_named(materialize, log):
    log.write_text("timestamp,colour\n1,2\n")
    assert "'colour'" in failure(materialize())


def test_run_on_a_busy_warehouse_fails_and_loses_no_line(materialize, warehouse, log, monkeypatch):
    monkeypatch.setattr(ingest, "MERGE_WAIT_SECONDS", 0.05)
    warehouse.merge()
    with gate(warehouse.layout.lock, float("inf")):
        assert failure(materialize()).startswith(f"reading {log} stopped: ")
    assert metadata(materialize())["rows_new"] == 70


def checks(settings, warehouse):
    return {result.check_name: result for result in evaluate(settings, warehouse)}


@pytest.mark.slow
def test_checks_fail_while_a_line_is_unread_or_unknown(materialize, settings, warehouse, log):
    assert "not read yet" in checks(settings, warehouse)["caught_up"].description
    materialize()
    assert checks(settings, warehouse)["caught_up"].passed
    now = datetime.now(UTC) - timedelta(minutes=1)
    with log.open("a") as file:
        file.write(text([line(time=f"{now:%Y-%m-%d %H:%M:%S}.000"), line("eh?", time=f"{now:%Y-%m-%d %H:%M:%S}.500")]))
    assert not checks(settings, warehouse)["caught_up"].passed
    assert checks(settings, warehouse)["understood"].passed
    materialize()
    understood = checks(settings, warehouse)["understood"]
    assert (understood.passed, understood.description) == (False, "1 of 2 lines are UNKNOWN")
    with log.open("a") as file:
        file.write("no time and no sense\n")
    materialize()
    assert checks(settings, warehouse)["understood"].description == "2 of 3 lines are UNKNOWN"
    log.unlink()
    assert "is missing" in checks(settings, warehouse)["caught_up"].description


@pytest.fixture
def tick(settings, warehouse):
    with dg.DagsterInstance.ephemeral() as instance:

        def evaluate_tick():
            resources = {"settings": settings, "warehouse": warehouse}
            with dg.build_sensor_context(instance=instance, resources=resources) as context:
                return trade_log_sensor(context)

        evaluate_tick.instance = instance
        yield evaluate_tick


@pytest.mark.slow
def test_sensor_requests_a_run_when_a_log_changed(tick, materialize, log):
    first = tick()
    assert isinstance(first, dg.RunRequest)
    assert str(log.stat().st_ino) in first.run_key
    assert str(log.stat().st_size) in first.run_key
    materialize()
    assert "no log has changed" in tick().skip_message
    with log.open("a") as file:
        file.write("torn")
    assert isinstance(tick(), dg.RunRequest)
    materialize()
    assert "no log has changed" in tick().skip_message  # a torn line alone does not count
    (log.parent / "my_fills.csv").write_text(f"{OWN_FILLS_HEADER}\n{OWN}\n")
    assert "my_fills.csv" in tick().run_key


@pytest.mark.slow
def test_sensor_notices_changed_lines_at_the_same_inode_and_size(tick, materialize, log):
    materialize()
    content = log.read_text()
    log.write_text(content[:-5] + content[-5:].upper())
    assert isinstance(tick(), dg.RunRequest)
    materialize()
    assert "no log has changed" in tick().skip_message


@pytest.mark.slow
def test_sensor_notices_the_unread_rest_of_a_rotated_log(tick, materialize, settings, warehouse, log):
    materialize()
    log.rename(log.with_suffix(".csv.1"))
    log.write_text("")
    assert "no log has changed" in tick().skip_message  # it was read to its end, and the new one is empty
    assert checks(settings, warehouse)["caught_up"].passed
    with log.with_suffix(".csv.1").open("a") as file:
        file.write(text(log_lines(1, start=70)))
    assert isinstance(tick(), dg.RunRequest)
    assert metadata(materialize())["rows_new"] == 1
    assert "no log has changed" in tick().skip_message


def test_vanished_rotated_log_is_not_reported_as_a_missing_log(materialize, log, monkeypatch):
    def vanished(*_):
        raise FileNotFoundError(2, "No such file or directory", f"{log}.1")

    monkeypatch.setattr(ingest, "start_of", vanished)
    assert failure(materialize()).startswith(f"reading {log} stopped: ")


@pytest.mark.slow
def test_sensor_notices_a_rotation_to_the_same_size(tick, materialize, log):
    materialize()
    content = log.read_text()
    log.rename(log.with_suffix(".csv.1"))
    log.write_text(content)
    assert isinstance(tick(), dg.RunRequest)


def test_failed_run_is_requested_again_after_ten_minutes(tick, log, monkeypatch):
    monkeypatch.setattr(automation.time, "time", lambda: 6000.0)
    key = tick().run_key
    monkeypatch.setattr(automation.time, "time", lambda: 6500.0)
    assert tick().run_key == key
    monkeypatch.setattr(automation.time, "time", lambda: 6600.0)
    assert tick().run_key != key


def test_unchanged_log_is_read_again_every_6_hours(tick, materialize, log, monkeypatch):
    materialize()
    assert "no log has changed" in tick().skip_message
    tick.instance.report_runless_asset_event(dg.AssetMaterialization("bot_trade_log"))
    last = tick.instance.get_latest_materialization_event(dg.AssetKey("bot_trade_log")).timestamp
    monkeypatch.setattr(automation.time, "time", lambda: last + 6 * 3600 - 1)
    assert "no log has changed" in tick().skip_message
    monkeypatch.setattr(automation.time, "time", lambda: last + 6 * 3600 + 1)
    assert tick().run_key.startswith("unchanged since ")
    log.unlink()
    assert "POLYPIPE_BOT_DIR" in tick().skip_message  # it becomes stale


def test_sensor_skips_without_a_log_and_with_only_a_header(tick, settings):
    assert "POLYPIPE_BOT_DIR" in tick().skip_message
    (settings.bot_dir / "matches_optimized.csv").write_text(f"{TRADE_LOG_HEADER}\n")
    assert "no log has changed" in tick().skip_message


def test_sensor_skips_while_a_run_is_unfinished(tick, settings, log):
    job = build_defs(settings=settings).resolve_job_def(trade_log_job.name)
    tick.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert "unfinished" in tick().skip_message


def test_job_runs_the_asset_and_its_checks(settings, warehouse, log):
    job = build_defs(settings=settings, warehouse=warehouse).resolve_job_def(trade_log_job.name)
    result = job.execute_in_process()
    assert result.success
    assert {evaluation.check_name for evaluation in result.get_asset_check_evaluations()} == {"caught_up", "understood"}
