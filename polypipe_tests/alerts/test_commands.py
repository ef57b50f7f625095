"""`polypipe alert`: what its commands print, and their exit codes."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from polypipe.alerts.state import Alert
from polypipe.alerts.store import AlertState, read_mutes, save_state
from polypipe.cli.main import main
from polypipe.runtime.ports import free_port
from polypipe_tests.alerts.support import TOKEN, inbox


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")  # `check` sets it in its process, which here is ours
    return tmp_path / "home"


def run(*arguments, **environ):
    return CliRunner().invoke(main, ["alert", *arguments], env=environ, catch_exceptions=False)


def test_test_command_reports_each_channel(home):
    with inbox() as channel:
        dead = f"json://127.0.0.1:{free_port()}/{TOKEN}"
        good = run("test", POLYPIPE_ALERT_URLS=channel.url)
        assert (good.exit_code, good.output) == (0, "json-1: ok\n")
        mixed = run("test", POLYPIPE_ALERT_URLS=f"{channel.url},{dead},tgram://{TOKEN}")
        assert mixed.exit_code == 1
        assert mixed.output.splitlines()[:2] == ["json-1: ok", "json-2: failed: no connection"]
        assert mixed.output.splitlines()[2].startswith("tgram-1: failed: ")
        assert TOKEN not in mixed.output
        run("test", POLYPIPE_ALERT_URLS=channel.url, POLYPIPE_SIMULATED="1")
        assert [title[:9] for title in channel.titles] == ["polypipe ", "polypipe ", "SIMULATED"]


def test_test_command_without_channels_says_what_to_set(home):
    result = run("test")
    assert result.exit_code == 1
    assert "POLYPIPE_ALERT_URLS" in result.output


def test_muted_rule_is_listed_until_it_is_unmuted(home):
    now = datetime.now(UTC)
    entry = Alert(rule="disk_low", key="x", phase="firing", since=now - timedelta(hours=1), text="1 GB", sent="sent")
    save_state(home, AlertState(watching_since=now, alerts=[entry]))
    (home / "alerts.toml").write_text("[missed_copy]\nusd = 250\ndry_run = true\n")
    muted = run("mute", "disk_low", "--for", "2h")
    assert muted.exit_code == 0
    assert timedelta(hours=1, minutes=59) < read_mutes(home, now)["disk_low"] - now < timedelta(hours=2, minutes=1)
    listed = {line.split()[0]: line for line in run("list").output.splitlines() if line}
    assert "1 firing" in listed["disk_low"]
    assert "until" in listed["disk_low"]
    assert "usd 250" in listed["missed_copy"]
    assert "dry run" in listed["missed_copy"]
    assert "alerts.toml" in listed["missed_copy"]
    assert listed["firing"].endswith("1 GB")
    assert "at 00:40 UTC" in listed["digest"]
    assert run("unmute", "disk_low").output == "disk_low is not muted any more\n"
    assert run("unmute", "disk_low").output == "disk_low was not muted\n"
    assert read_mutes(home, now) == {}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("mute", "disk", "--for", "2h"), "disk_low"),
        (("mute", "disk_low", "--for", "2"), "2h"),
        (("mute", "disk_low", "--for", "400d"), "at most 366d"),
        (("unmute", "disk"), "disk_low"),
    ],
)
def test_invalid_argument_is_one_line_that_names_what_is_allowed(home, arguments, named):
    result = run(*arguments)
    assert result.exit_code == 1
    assert named in result.output
    assert result.output.count("\n") == 1


def test_check_prints_what_would_be_sent_and_stores_nothing(home):
    home.mkdir()
    (home / "alerts.toml").write_text("[disk_low]\ngigabytes = 1000000\n[oops]\n")
    bad = run("list")
    assert "alerts.toml is invalid (alerts.toml: unknown rule 'oops'" in bad.output
    (home / "alerts.toml").write_text("[disk_low]\ngigabytes = 1000000\n")
    result = run("check", POLYPIPE_ALERT_URLS=f"json://127.0.0.1:9/{TOKEN}")
    assert result.exit_code == 0
    assert "failing  disk_low: " in result.output
    assert "ok       run_failed" in result.output
    assert "would be sent: CRITICAL: The disk is nearly full\n" in result.output
    assert not (home / "alerts").exists()
    assert TOKEN not in result.output
