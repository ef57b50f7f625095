"""Support for the tests of API, disk, clock and day: a faked clock for real processes, a worker, and its dashboard."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from polypipe.runtime.ports import free_port
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe_tests.faults.support import FILES, ROOT
from polypipe_tests.oracle import read_like_serde

SITE = Path(__file__).parent / "day_site"
# Debian's path, for any architecture.
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), Path("/usr/lib/faketime/libfaketimeMT.so.1"))
WAIT_SECONDS = 170.0
START = datetime(2026, 11, 25, 17, 30, tzinfo=UTC)
"""Start time of the small exchanges, from which they have Ligue 1 games and games in play for hours. At other times they
may have no Ligue 1 game, and the guard refuses the empty file."""
CATCH_UP = 2.0  # maximum ratio to its speed while a clock catches up after it was held

needs_faketime = pytest.mark.skipif(
    not FAKETIME.exists(), reason="Debian's libfaketime is not installed (package faketime)"
)


# ------------------------------------------------------------------------------ clock


class FakeClock:
    """The wall clock of processes started with `env()`: the real one plus an offset that can change at any time.

    Their monotonic clock, and so every timeout, stays real. `run(speed)` advances the clock in steps of 50 ms, because a
    rate set in libfaketime would shorten the waits for sockets as well.
    """

    def __init__(self, directory: Path, start: datetime | None = None, speed: float = 1.0) -> None:
        self.file = directory / "clock"
        self.speed = speed
        self.offset = 0.0
        self.jump(start.timestamp() - time.time() if start else 0.0)

    def now(self) -> float:
        """Faked epoch seconds."""
        return time.time() + self.offset

    def jump(self, seconds: float) -> None:
        """Move the clock by these seconds, forward or back."""
        self.offset += seconds
        new = self.file.with_suffix(".new")
        new.write_text(f"{self.offset:+.3f}\n")
        new.replace(self.file)

    def env(self) -> dict[str, str]:
        """Variables that make a process use this clock."""
        line = {"DAY_LINE": f"{self.speed} {time.time() - time.monotonic()}"} if self.speed != 1 else {}
        return line | {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": os.pathsep.join([str(SITE), str(ROOT)]),
        }

    @contextlib.contextmanager
    def running(self, held: Callable[[], bool]) -> Iterator[None]:
        """Run the clock at its speed on average during the block.

        While `held()` is true it runs at real speed, and catches up afterwards at no more than `CATCH_UP` times its speed.
        """
        stop = threading.Event()
        start, began = self.now(), time.monotonic()

        def step() -> None:
            last = began
            while not stop.wait(0.05):
                passed, last = time.monotonic() - last, time.monotonic()
                behind = start + self.speed * (last - began) - self.now()
                if not held():
                    self.jump(max(0.0, min(behind, passed * (CATCH_UP * self.speed - 1))))

        thread = threading.Thread(target=step, name="clock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


# ------------------------------------------------------------------------------ worker


@dataclass
class Done:
    """The result of a task. Times are epoch seconds of the worker's clock; `seconds` are real."""

    kind: str
    name: str
    ok: bool
    reasons: list[str]
    began: float
    ended: float
    seconds: float
    skipped: str | None = None
    asked: list[Any] = field(default_factory=list)
    result: Any = None

    @property
    def why(self) -> str:
        """All reasons in one text."""
        return "; ".join(self.reasons)


class Worker:
    """Context manager for a `day_worker` process on one home, killed at the end if it still runs."""

    def __init__(
        self, home: Path, url: str, clock: FakeClock | None = None, patience: float = 1.0, name: str = "worker", **env: str
    ) -> None:
        self.home = home
        self.log = home.parent / f"{home.name}-{name}.log"
        hosts = {f"POLYPIPE_{name}_URL": url for name in ("GAMMA", "DATA", "PNL", "CLOB")}
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home.parent),
            "PYTHONPATH": str(ROOT),
            "POLYPIPE_HOME": str(home),
            "POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS,
            "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS,
            "DAY_PATIENCE": str(patience),
            **hosts,
            **(clock.env() if clock else {}),
            **env,
        }
        self.lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.start()

    def start(self) -> None:
        """Start or restart the process."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "polypipe_tests.faults.day_worker"],
                env=self.env,
                cwd=self.home.parent,  # not in a directory with a developer's .env
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self.lines), daemon=True).start()

    def _read(self, process: "subprocess.Popen[str]", lines: "queue.Queue[dict[str, Any] | None]") -> None:
        assert process.stdout
        for line in process.stdout:
            lines.put(json.loads(line))
        lines.put(None)

    def next_line(self, timeout: float = WAIT_SECONDS) -> dict[str, Any] | None:
        """The worker's next message; None if it has ended. Fails after `timeout` real seconds without one."""
        try:
            return self.lines.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"nothing heard for {timeout} s: {self.tail()}") from None

    def send(self, kind: str, name: str = "", **arguments: Any) -> None:
        """Start a task without waiting for it."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"kind": kind, "name": name, "arguments": arguments}) + "\n")
        self.process.stdin.flush()

    def wait(self) -> Done:
        """Wait for the current task. Returns its result."""
        began: dict[str, Any] | None = None
        while True:
            line = self.next_line()
            assert line is not None, f"the worker died: {self.tail()}"
            if line["event"] == "begin":
                began = line
            elif line["event"] == "end":
                assert began is not None
                return done(began, line)

    def ask(self, kind: str, name: str = "", **arguments: Any) -> Done:
        """Run a task. Returns its result."""
        self.send(kind, name, **arguments)
        return self.wait()

    def crawl(self) -> Done:
        """Refresh the universe and the files built from it."""
        return self.ask("job", "crawl")

    def live(self) -> Done:
        """Refresh `.live_cache.json`."""
        return self.ask("job", "live_cache_refresh")

    def snapshot(self) -> Done:
        """Run one tick of the snapshot sensor."""
        return self.ask("sensor", "divergence_snapshot_sensor")

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-3000:]

    def kill(self) -> None:
        """kill -9, and reap."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def done(began: dict[str, Any], ended: dict[str, Any]) -> Done:
    """The result of a task, from the messages at its start and end."""
    return Done(
        kind=ended["kind"],
        name=ended["name"],
        ok=ended["ok"],
        reasons=ended["reasons"],
        began=began["at"],
        ended=ended["at"],
        seconds=ended["monotonic"] - began["monotonic"],
        skipped=ended.get("skipped"),
        asked=ended.get("asked") or [],
        result=ended.get("result"),
    )


class Dashboard:
    """Context manager for a dashboard process on the worker's home and clock."""

    def __init__(self, worker: Worker) -> None:
        self.port = free_port()
        self.log = worker.home.parent / f"{worker.home.name}-dashboard.log"
        self.env = worker.env | {"POLYPIPE_DASHBOARD_PORT": str(self.port)}
        with self.log.open("a") as log:
            command = [sys.executable, "-m", "polypipe.cli", "dashboard"]
            self.process = subprocess.Popen(command, env=self.env, cwd=worker.home.parent, stdout=log, stderr=log)

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON of a response; waits until the dashboard listens."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=30, trust_env=False)
                return answer.status_code, answer.json()
            except httpx.TransportError:
                assert self.process.poll() is None, self.log.read_text()[-3000:]
                assert time.monotonic() < deadline, self.log.read_text()[-3000:]
                time.sleep(0.1)

    def __enter__(self) -> "Dashboard":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


# ------------------------------------------------------------------------------ files


def contents(bot: Path) -> dict[str, bytes]:
    """The bytes of the six files. Fails if the bot could not read one of them."""
    for name in FILES:
        read_like_serde(bot / name)
    return {name: (bot / name).read_bytes() for name in FILES}


def check_pointer(home: Path) -> int:
    """Check that every file named in `CURRENT.json` exists. Returns its version, 0 before the first publication."""
    pointer = home / "CURRENT.json"
    if not pointer.exists():
        return 0
    current = json.loads(pointer.read_bytes())
    for name, table in current["tables"].items():
        assert table["rows"] == sum(file["rows"] for file in table["files"]), name
        for file in table["files"]:
            assert (home / file["path"]).stat().st_size > 0, file
    return int(current["version"])


# ------------------------------------------------------------------------------ disks


FULL = ("No space left on device", "database or disk is full", "disk I/O error")  # messages of a full disk


def utc(seconds: float) -> datetime:
    """Epoch seconds as an instant."""
    return datetime.fromtimestamp(seconds, UTC)
