"""Doctor as a whole: exit codes, both reports, secrets, hostile text, checks that raise."""

import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.doctor import checks as module
from polypipe.doctor.checks import CHECKS, Check, examine, results_of
from polypipe.doctor.report import as_json, lines, write
from polypipe.doctor.result import Result, error, exit_code, inert, ok, overall, skipped, unknown, warning
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import load_settings
from polypipe.sim import WHALE_ADDRESS
from polypipe_tests.conftest import settings_for
from polypipe_tests.dashboard.hostile import HOSTILE
from polypipe_tests.doctor.support import WALLETS, inputs_of
from polypipe_tests.support import POLYPIPE

CANARIES = {
    "PRIVATE_KEY": "canary-private-key",
    "CLOB_API_KEY": "canary-clob-key",
    "POLYPIPE_ALERT_URLS": "tgram://canary-bot-token/1",
    "POLYPIPE_DASHBOARD_TOKEN": "canary-dashboard-token",
}


@pytest.mark.parametrize(
    ("found", "status", "code"),
    [
        ([], "ok", 0),
        ([ok("a", "fine"), skipped("b", "none")], "ok", 0),
        ([ok("a", "fine"), warning("b", "hm", "do")], "warning", 3),
        ([ok("a", "fine"), unknown("b", "?")], "unknown", 3),
        ([unknown("a", "?"), warning("b", "hm", "do")], "warning", 3),
        ([warning("a", "hm", "do"), error("b", "no", "do"), unknown("c", "?")], "error", 1),
    ],
)
def test_exit_code_is_that_of_the_worst_status(found, status, code):
    assert overall(found) == status
    assert exit_code(overall(found)) == code


def run(directory: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Runs `polypipe doctor` with a newcomer's environment."""
    return subprocess.run(
        [POLYPIPE, "doctor", *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def hosts_at(url: str) -> dict[str, str]:
    return {f"POLYPIPE_{name}_URL": url for name in ("GAMMA", "DATA", "PNL", "CLOB")}


@pytest.mark.slow
def test_doctor_works_offline_before_the_first_start_and_prints_no_secret(tmp_path):
    """No host answers; secrets are in the environment and in `.env`."""
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in CANARIES.items()))
    (tmp_path / ".env").chmod(0o600)
    env = CANARIES | hosts_at("http://127.0.0.1:9")
    plain, as_object = run(tmp_path, **env), run(tmp_path, "--json", **env)
    for done in (plain, as_object):
        assert done.returncode == 1, done.stderr
        assert done.stderr == ""
        assert "canary" not in done.stdout
        assert "Traceback" not in done.stdout
        assert "set (a secret: not shown)" in done.stdout
    answer = json.loads(as_object.stdout)
    assert set(answer) == {"status", "simulated", "checks"}
    assert answer["status"] == "error"
    named = {check["name"]: check for check in answer["checks"]}
    assert named["gamma"]["status"] == "error"
    assert named["DuckDB file"]["status"] == "skipped"
    assert all(check["what_to_do"] for check in answer["checks"] if check["status"] in ("error", "warning"))
    assert "\x1b" not in plain.stdout
    assert "ERROR    gamma" in plain.stdout
    assert not (tmp_path / "data").exists()


def test_bad_setting_is_reported_without_its_secret(tmp_path):
    done = run(tmp_path, "--json", POLYPIPE_SCALING_RATIO="-1")
    assert done.returncode == 1
    first, *rest = json.loads(done.stdout)["checks"]
    assert "POLYPIPE_SCALING_RATIO: '-1' is not a number above 0" in first["finding"]
    assert {check["status"] for check in rest} == {"skipped"}
    secret = run(tmp_path, POLYPIPE_DASHBOARD_TOKEN="canary")
    assert secret.returncode == 1
    assert "canary" not in secret.stdout + secret.stderr


@pytest.mark.slow
def test_home_in_order_is_all_good(sim, tmp_path, monkeypatch):
    from polypipe.caches.publish import publish_cache
    from polypipe.caches.registry import CACHES
    from polypipe.caches.spec import Sources
    from polypipe.caches.universe import crawl_and_store
    from polypipe.warehouse import Warehouse

    settings = settings_for(sim.url, POLYPIPE_SIMULATED="1", **WALLETS)
    warehouse, polymarket = Warehouse(settings.home), Polymarket.of(settings)
    crawl_and_store(polymarket, warehouse)
    for spec in CACHES:
        publish_cache(spec, Sources(settings, warehouse, polymarket))
    # Without the checks of this machine and of the clock: the exchange runs in this process, and on a busy machine its
    # `Date` is late.
    chosen = tuple(check for check in CHECKS if check.group != "Machine" and check.name != "clock")
    monkeypatch.setattr(module, "CHECKS", chosen)
    got, found = examine(lambda: settings, tmp_path / ".env", deadline=60)
    assert got is settings
    assert {result.name: result.finding for result in found if result.status not in ("ok", "skipped")} == {}
    assert exit_code(overall(found)) == 0
    assert as_json(found, settings.simulated)["simulated"] is True


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_printed_inert(text):
    result = Result(
        f"n{text}", "warning", f"found {text} \x1b]0;title\x07\x1b[31mred\x1b[0m", f"do {text}", [f"more {text}"]
    )
    out = io.StringIO()
    write([result.fit("G")], out)
    printed = out.getvalue()
    assert all(character.isprintable() or character == "\n" for character in printed)
    assert "red" in printed or len(text) > 300
    assert printed.count("\n") == len(list(lines([result.fit("G")])))


@given(st.text())
def test_inert_text_is_one_printable_line(text):
    assert all(character.isprintable() for character in inert(text))
    assert len(inert(text)) <= 400


@pytest.mark.slow
def test_hostile_answers_never_reach_the_terminal(sim):
    """A name, a version and a type with control characters."""

    def paint(page):
        market = page["events"][0]["markets"][0]
        market |= {
            "active": True,
            "closed": False,
            "version": "v9\x1b[2J\nERROR fake",
            "sportsMarketType": "tennis_\x1b[31m\u202e",
        }
        return page

    sim.faults.add("mutate", "/events/keyset", mutate=paint)
    sim.faults.add("mutate", "/v1/leaderboard", mutate=lambda rows: [rows[0] | {"userName": "\x1b]0;x\x07[bold]you\n"}])
    settings = settings_for(sim.url, POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS)
    _, found = examine(lambda: settings, Path("/nonexistent/.env"), deadline=60)
    out = io.StringIO()
    write(found, out)
    assert "v9" in out.getvalue()
    assert "[bold]you" in out.getvalue()
    assert "\nERROR fake" not in out.getvalue()
    assert all(character.isprintable() or character == "\n" for character in out.getvalue())
    assert "\\u001b" not in json.dumps(as_json(found, False))


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_terminal_gets_our_colours_and_no_foreign_markup(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    found = [
        Result("a", "error", "[bold red]not markup[/] [link=http://evil]x[/link] " + "word " * 40, "do", ["d"], "Group")
    ]
    write(found, out)
    printed = out.getvalue()
    assert "[bold red]not markup[/]" in printed
    assert "\x1b]8;" not in printed  # no link was made
    assert "\x1b[1" in printed  # our own style
    assert max(len(line) for line in printed.splitlines()) < 110  # wrapped


def test_repeated_advice_is_printed_once():
    found = [error("a", "x", "do it"), error("b", "y", "do it"), error("c", "z", "other")]
    text = "\n".join(line.text for line in lines(found))
    assert text.count("do it") == 1
    assert text.index("do it") > text.index("b  ")


def test_exception_in_a_check_is_one_unknown_line():
    def half(_inputs):
        yield ok("first", "fine")
        raise OSError("disk\non fire")

    found = list(results_of(Check("G", "half", half), inputs_of(settings_for("http://127.0.0.1:9"))))
    assert [(result.name, result.status, result.group) for result in found] == [
        ("first", "ok", "G"),
        ("half", "unknown", "G"),
    ]
    assert found[1].finding == "check failed: OSError: disk\\non fire"


def test_settings_are_read_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POLYPIPE_HOME")
    (tmp_path / ".env").write_text("POLYPIPE_HOME=there\nTARGET_WHALE_ADDRESS=" + "a" * 40)
    monkeypatch.setattr(module, "CHECKS", CHECKS[:2])
    _, found = examine(load_settings, Path(".env"), deadline=1)
    assert f"POLYPIPE_HOME = {tmp_path / 'there'}  (.env)" in found[0].details
    assert f"POLYPIPE_WHALE_ADDRESS = 0x{'a' * 40}  (.env)" in found[0].details
    assert "2 settings from it" in found[1].finding
