"""`polypipe watch` as a process: piped, on a terminal, through an outage, ended by Ctrl-C and by kill -9."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from polypipe.divergence.watch import Options, watch
from polypipe.errors import PolypipeError
from polypipe.settings import Settings
from polypipe.sim.wallets import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe_tests.conftest import NOWHERE, impatient, settings_for
from polypipe_tests.sim.server import SimServer

DEADLINE = 60.0
WALLETS = {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}


@pytest.fixture
def live() -> Iterator[SimServer]:
    """An exchange at the current time, because the command uses the real clock."""
    with SimServer(events=60, seed=3, start=datetime.now(UTC), speed=1) as server:
        yield server


class Screen(StringIO):
    """Captures output. `then` is called with 1, 2, ... after each shown update, and after the summary."""

    def __init__(self, then: Callable[[int], None]) -> None:
        super().__init__()
        self.then = then
        self.flushes = 0

    def flush(self) -> None:
        super().flush()
        self.flushes += 1
        self.then(self.flushes)


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def ctrl_c_after(updates: int) -> Callable[[int], None]:
    return lambda count: ctrl_c() if count == updates else None


def run_here(
    settings: Settings, options: Options, sim: SimServer, then: Callable[[int], None] = lambda _: None
) -> tuple[int, str]:
    out = Screen(then)
    clock = lambda: datetime.fromtimestamp(sim.clock.now(), UTC)  # noqa: E731
    code = watch(settings, options, out, sys.stderr, impatient(settings), clock)
    return code, out.getvalue()


def command(server: SimServer, *args: str) -> list[str]:
    return [sys.executable, "-m", "polypipe.cli", "watch", "--copier", COPIER_ADDRESS, "--whale", WHALE_ADDRESS, *args]


def environment(server: SimServer) -> dict[str, str]:
    return {
        **os.environ,
        "POLYPIPE_DATA_URL": server.url,
        "POLYPIPE_PNL_URL": server.url,
        "TERM": "xterm",
        "COLUMNS": "100",
    }


@contextmanager
def running(server: SimServer, *args: str, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command(server, *args), env=environment(server), **how)
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE:g} s for {what}"
        time.sleep(0.02)


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_watch_imports_no_heavy_package() -> None:
    heavy = "dagster duckdb pandas numpy starlette uvicorn supervisor"
    code = f"import sys, polypipe.cli, polypipe.divergence.watch; print(sorted(set('{heavy}'.split()) & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code]).strip() == b"[]"


@pytest.mark.slow
def test_once_without_a_terminal_prints_one_block(live: SimServer) -> None:
    done = subprocess.run(command(live, "--once"), env=environment(live), capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (0, "")
    head, copier, whale, empty, *figures = done.stdout.rstrip("\n").split("\n")
    assert head.endswith("+00:00 | INFO |")
    assert copier.startswith("  0xc0b1…0b22: Value: $")
    assert whale.startswith("  0x57a1…11ce: Value: $")
    assert empty == ""
    assert [line.split(":")[0].strip() for line in figures[:3]] == ["Expected PnL (8%)", "Actual PnL", "Gap"]
    assert not any("n/a" in line for line in (copier, whale, *figures[:3]))
    assert "\x1b" not in done.stdout


def test_json_matches_the_exchanges_answers(sim: SimServer) -> None:
    settings = settings_for(sim.url, **WALLETS, POLYPIPE_SCALING_RATIO="0.05", POLYPIPE_WHALE_LABEL="swisstony")
    code, out = run_here(settings, Options(once=True, as_json=True), sim)
    (line,) = out.splitlines()
    body = json.loads(line)
    pnl = {}
    for wallet in (COPIER_ADDRESS, WHALE_ADDRESS):
        points = _get(sim, f"/user-pnl?user_address={wallet}&interval=1d&fidelity=1h")
        pnl[wallet] = points[-1]["p"] - points[0]["p"]
    assert code == 0
    assert body["user1_value"] == _get(sim, f"/value?user={COPIER_ADDRESS}")[0]["value"]
    assert body["user2_rank"] == int(_get(sim, f"/v1/leaderboard?user={WHALE_ADDRESS}&timePeriod=DAY")[0]["rank"])
    assert body["user1_pnl"] == pytest.approx(pnl[COPIER_ADDRESS])
    assert body["expected_pnl"] == pytest.approx(0.05 * pnl[WHALE_ADDRESS])
    assert body["pnl_vs_expected"] == pytest.approx(pnl[COPIER_ADDRESS] - 0.05 * pnl[WHALE_ADDRESS])
    assert (body["user2_label"], body["simulated"]) == ("swisstony", False)


def _get(sim: SimServer, path: str) -> Any:
    return httpx.get(sim.url + path).json()


def test_watch_continues_through_an_outage(sim: SimServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_for(sim.url, **WALLETS)
    save = tmp_path / "samples.jsonl"

    def then(count: int) -> None:
        if count == 1:
            sim.faults.add("status", "/*", status=503)
        if count == 3:
            sim.faults.clear()
        if count == 4:
            ctrl_c()

    code, out = run_here(settings, Options(interval=0.01, as_json=True, save=save), sim, then)
    bodies = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [body["user1_value"] is None for body in bodies] == [False, True, True, False]
    assert [body["expected_pnl"] is None for body in bodies] == [False, True, True, False]
    assert all(
        "HTTP 503" in bodies[1]["reasons"][name] for name in ("user1_value", "user2_pnl", "expected_pnl", "user1_rank")
    )
    assert bodies[3]["reasons"].keys() <= {"pnl_efficiency", "loss_share", "pnl_vs_expected_percent"}
    assert save.read_text().splitlines() == out.splitlines()
    assert "4 updates, 2 without any answer" in capsys.readouterr().err


def test_a_failed_source_does_not_affect_the_others(sim: SimServer) -> None:
    sim.faults.add("html", "/value", query={"user": WHALE_ADDRESS})
    code, out = run_here(settings_for(sim.url, **WALLETS), Options(once=True), sim)
    assert code == 0
    assert "| WARNING |" in out
    assert "Value: n/a (something between you and Polymarket answers instead of it: HTTP 200 from" in out
    assert out.count("n/a (something") == 1
    assert "Gap:               n/a" not in out


def test_once_without_any_answer_is_exit_code_1(sim: SimServer) -> None:
    sim.faults.add("reset", "/*")
    code, out = run_here(settings_for(sim.url, **WALLETS), Options(once=True), sim)
    assert code == 1
    assert out.count("n/a (") == 10
    assert "Session" not in out


@pytest.mark.slow
def test_ctrl_c_ends_with_the_summary(sim: SimServer) -> None:
    code, out = run_here(settings_for(sim.url, **WALLETS), Options(interval=0.01), sim, ctrl_c_after(3))
    assert code == 0
    assert out.count("| INFO |") == 3
    assert "\nSession: " in out
    assert ", 3 updates\n" in out


def test_ctrl_c_interrupts_a_pending_request(sim: SimServer) -> None:
    sim.faults.add("hang", "/*")

    def hangs() -> None:
        until(lambda: len(sim.requests) > 0, "the first request")
        ctrl_c()

    thread = threading.Thread(target=hangs)
    thread.start()
    code, out = run_here(settings_for(sim.url, **WALLETS), Options(), sim)
    thread.join(DEADLINE)
    assert code == 0
    assert out.endswith(", 0 updates\n")


def test_watch_ends_after_its_duration(sim: SimServer) -> None:
    code, out = run_here(settings_for(sim.url, **WALLETS), Options(interval=60, duration=0), sim)
    assert code == 0
    assert ", 1 update\n" in out


def test_retries_of_an_outage_do_not_run_past_the_duration() -> None:
    began = time.monotonic()
    out = StringIO()
    assert watch(settings_for(NOWHERE, **WALLETS), Options(interval=60, duration=1.2), out, out) == 0
    assert 1.2 <= time.monotonic() - began < 3  # five attempts take 10 s
    assert "1 update" in out.getvalue()


@pytest.mark.slow
def test_a_terminal_shows_a_panel_and_ctrl_c_the_summary(live: SimServer) -> None:
    controller, terminal = pty.openpty()
    screen = b""

    def see(what: bytes) -> None:
        nonlocal screen
        deadline = time.monotonic() + DEADLINE
        while what not in screen:
            assert time.monotonic() < deadline, screen.decode(errors="replace")
            if select.select([controller], [], [], 0.1)[0]:
                screen += os.read(controller, 65536)

    with running(live, "--interval", "1", stdin=terminal, stdout=terminal, stderr=terminal) as process:
        see(b"Gap")
        see(b"since the last")
        see(b"3 updates")
        see(b"Age, 0xc0b1")
        process.send_signal(signal.SIGINT)
        see(b"The gap was between")
        assert process.wait(DEADLINE) == 0
    os.close(terminal)
    os.close(controller)
    text = screen.decode(errors="replace")  # the last read may have ended inside a character
    assert "polypipe watch" in text
    assert "Session: " in text
    assert text.rindex("\x1b[?25h") < text.index("Session: ")  # the cursor is shown again
    assert "Traceback" not in text


@pytest.mark.slow
def test_every_shown_sample_is_saved_even_when_killed(live: SimServer, tmp_path: Path) -> None:
    save = tmp_path / "samples.jsonl"
    with running(live, "--interval", "1", "--save", str(save), stdout=subprocess.PIPE) as process:
        until(lambda: lines(save) >= 2, "two saved samples")
        process.kill()
        assert process.wait(DEADLINE) == -signal.SIGKILL
        assert process.stdout is not None
        shown = process.stdout.read().count(b" | ")
    saved = [json.loads(line) for line in save.read_text().splitlines()]
    assert len(saved) >= 2
    assert len(saved) * 5 >= shown  # five bars a block: every shown sample was saved before
    assert all(body["user1_value"] is not None and body["user2_address"] == WHALE_ADDRESS for body in saved)


def test_a_cut_last_line_does_not_affect_other_lines(sim: SimServer, tmp_path: Path) -> None:
    save = tmp_path / "samples.jsonl"
    save.write_text('{"timestamp": "2026-11-20"}\n{"timest')
    run_here(settings_for(sim.url, **WALLETS), Options(once=True, save=save), sim)
    run_here(settings_for(sim.url, **WALLETS), Options(once=True, save=save), sim)
    first, torn, *new = save.read_text().splitlines()
    assert (first, torn) == ('{"timestamp": "2026-11-20"}', '{"timest')
    assert [json.loads(line)["user1_address"] for line in new] == [COPIER_ADDRESS] * 2


def test_an_unwritable_file_fails_before_any_request(sim: SimServer, tmp_path: Path) -> None:
    with pytest.raises(PolypipeError, match=r"missing/x cannot be written: No such file or directory"):
        run_here(settings_for(sim.url, **WALLETS), Options(save=tmp_path / "missing" / "x"), sim)
    assert not sim.requests


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_the_watch_with_one_line(sim: SimServer) -> None:
    with pytest.raises(PolypipeError, match="/dev/full cannot be written: No space left on device"):
        run_here(settings_for(sim.url, **WALLETS), Options(save=Path("/dev/full")), sim)


@pytest.mark.parametrize(
    ("wallets", "missing"),
    [
        ({}, "--copier or POLYPIPE_COPIER_ADDRESS and --whale or POLYPIPE_WHALE_ADDRESS"),
        ({"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS}, "set --whale or POLYPIPE_WHALE_ADDRESS"),
    ],
)
def test_missing_wallets_name_the_options_to_set(sim: SimServer, wallets: dict[str, str], missing: str) -> None:
    with pytest.raises(PolypipeError, match=missing):
        run_here(settings_for(sim.url, **wallets), Options(once=True), sim)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--whale", ""], "--whale: '' is not 40 hex digits"),
        (["--copier", "0x12"], "POLYPIPE_COPIER_ADDRESS: '0x12' is not 40 hex digits"),
        (["--ratio", "0"], "POLYPIPE_SCALING_RATIO: '0' is not a number above 0"),
    ],
)
def test_bad_arguments_are_one_line(live: SimServer, args: list[str], message: str) -> None:
    done = subprocess.run(
        command(live, "--once", *args), env=environment(live), capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"polypipe: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_label_of_the_settings_is_not_put_on_another_wallet(live: SimServer) -> None:
    env = {**environment(live), "POLYPIPE_WHALE_LABEL": "swisstony", "POLYPIPE_COPIER_LABEL": "myself"}
    done = subprocess.run(command(live, "--once"), env=env, capture_output=True, text=True, timeout=DEADLINE)
    assert "swisstony" not in done.stdout
    assert "myself" not in done.stdout
