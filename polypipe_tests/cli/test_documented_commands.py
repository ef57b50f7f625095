"""Every command of README and the documents, with its options at their bounds, in homes of every state.

In-process: what starts servers is replaced where it would leave this process. A failure is one line, never a traceback.
"""

import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from polypipe.cli.common import SIMULATED
from polypipe.cli.main import main
from polypipe.dashboard import serve
from polypipe.legacy.database import TABLE
from polypipe.runtime import detach, logs, supervise, up
from polypipe.runtime.ports import free_port
from polypipe.setting_sources import SIMULATED as SIMULATED_FILE
from polypipe.settings import mark_simulated
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import settings_for, small_exchange
from polypipe_tests.dashboard.copying_rows import known_activity, put_copying, quality_row, replace_tables
from polypipe_tests.dashboard.support import put_positions, put_snapshots, wandering
from polypipe_tests.divergence.support import position
from polypipe_tests.support import SmallDisk

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md", "data/README.md")
] + sorted((ROOT / "docs").glob("**/*.md"))

DAY = timedelta(days=1)
STATES = ("fresh", "filled", "readonly", "file", "broken")

Argv = tuple[str, ...]

READS = {"status", "doctor", "logs", "stop", "quality", "whatif", "watch", "sql", "alert test", "alert list", "alert check"}
"""Commands that create nothing in a home."""

SUCCESS = {"status": {0, 3, 4}, "doctor": {0, 1, 3}, "backfill": {0, 3}, "rebuild": {0, 3}}
"""Exit codes that are an answer and no failure; 0 for the others."""


ENDS = {"watch": ["--once"], "backfill": ["--dry-run"]}
"""Options with which a command ends soon."""

BESIDE = ("hint: ", "alerts.toml is invalid (", "the state of the alerts cannot be read: ")
"""Lines that stand beside the one of a failure: what to do, and other failures of the same home."""

LOADS = {"refresh", "backfill"}
"""Commands that load the definitions for seconds of CPU: of their options only values that are refused are tried."""


# What the documents name


def documented() -> set[str]:
    """The commands in code of the documents, without comments, variables and shell around them."""
    found = set()
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        inline = re.findall(r"`((?:[A-Z_]+=\S+ )*polypipe [^`\n]+)`", text)
        for line in [*re.findall(r"^ {4}(.+)$", text, re.MULTILINE), *inline]:
            for part in re.split(r"&&|\|\||;|#", line):
                if (match := re.search(r"^(?:.*[\s/])?polypipe ([a-z].*)$", part)) and not re.search(
                    "make |useradd ", part
                ):
                    found.add(re.sub(r"[\\>}].*", "", match[1]).strip())
    return found


def command_of(words: Argv) -> tuple[str, click.Command, Argv]:
    """The name of the command in `words`, the command, and its arguments."""
    command, n = main.commands[words[0]], 1
    while isinstance(command, click.Group) and len(words) > n:
        command, n = command.commands[words[n]], n + 1
    return " ".join(words[:n]), command, words[n:]


def runnable(line: str, given: dict[str, str]) -> Argv:
    """The command with all its optional parts, and with values for its placeholders."""
    words = shlex.split(re.sub(r"[\[\]]|\.\.\.", " ", line))
    words += ENDS.get(words[0], [])
    return tuple(given.get(word, word) for word in words)


def test_documents_name_only_commands_and_options_that_exist():
    lines = documented()
    assert len(lines) > 30
    assert {line.split()[0] for line in lines} == set(main.commands)
    for line in lines:
        name, command, arguments = command_of(runnable(line, {}))
        known = {option for param in command.params for option in param.opts}
        assert {word for word in arguments if word.startswith("-")} <= known, line
        assert name in line


# Bounds


def bounds(kind: click.ParamType, places: dict[str, str]) -> list[str]:
    """Values at, beside and far beyond the bounds of an option's type."""
    if isinstance(kind, click.IntRange | click.FloatRange):
        ends = [end for end in (kind.min, kind.max) if end is not None]
        beside = [f"{end + step:g}" for end in ends for step in (-1, 0, 1)]
        return [*beside, "nan", "inf", "-inf", "1e308", "9" * 40, "x", ""]
    if isinstance(kind, click.DateTime):
        return ["2000-01-01", "2200-12-31", "1999-12-31", "2201-01-01", "0001-01-01", "2026-02-30", "x", ""]
    if isinstance(kind, click.Path):
        return [places["missing"], places["directory"], places["file"], ""]
    if kind.name == "integer":
        return ["0", "-1", "9" * 40, "1.5", "x", ""]
    return ["", "x", "-1", "nan", "1e308", "\x1b[31m", "é" * 2000, "0x" + "a" * 40, "UTC", "5:1", "7d", "999d"]


def refused(kind: click.ParamType, value: str) -> bool:
    """True if the type alone refuses the value."""
    try:
        kind.convert(value, None, None)
    except click.UsageError:
        return True
    return False


NEEDED = {"restore": ("FILE",), "import-divergence": ("OLD",), "alert mute": ("missed_copy",), "watch": ("--once",)}
"""Arguments without which the options of a command are not reached."""


def at_bounds(places: dict[str, str], every: bool) -> Iterator[tuple[str, Argv]]:
    """(name, argv) for each option and argument of each command at each bound.

    Without `every` only values that the option's type accepts: others are refused before the home is read, which `watch`
    never reads.
    """
    groups = {name: one for name, one in main.commands.items() if isinstance(one, click.Group)}
    commands = {name: one for name, one in main.commands.items() if name not in groups}
    commands |= {f"{name} {sub}": two for name, one in groups.items() for sub, two in one.commands.items()}
    for name, command in commands.items():
        base = (*name.split(), *(places.get(word, word) for word in NEEDED.get(name, ())))
        for param in command.params:
            values = bounds(param.type, places)
            if isinstance(param, click.Option) and not param.is_flag:
                found = [(*base, param.opts[-1], value) for value in values]
            elif isinstance(param, click.Argument) and name in ("logs", "sql", "alert mute", "alert unmute"):
                found = [(*name.split(), value, *(("--for", "2h") if name == "alert mute" else ())) for value in values]
            else:
                continue
            for value, argv in zip(values, found, strict=True):
                no = refused(param.type, value)
                if (every and (no or name not in LOADS)) or (not every and not no and name not in {*LOADS, "watch"}):
                    yield name, argv


# Homes


class Homes:
    """One home in each state, and the values of placeholders."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory, self.url = directory, url
        self.environ = {f"POLYPIPE_{name}_URL": url for name in ("GAMMA", "DATA", "PNL", "CLOB")} | {
            "POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS,
            "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS,
            "POLYPIPE_WEBSERVER_PORT": str(free_port()),
            "POLYPIPE_DASHBOARD_PORT": str(free_port()),
            "DAGSTER_HOME": "",
        }
        (directory / "there").mkdir()
        (directory / "text").write_text("hello\n")
        old = directory / "divergence_data.db"
        with closing(sqlite3.connect(old)) as db, db:
            db.executescript(TABLE)
            db.execute("INSERT INTO snapshots (timestamp, user1_pnl) VALUES ('2026-05-01T10:00:00', 1.5)")
        self.given = {
            "FILE": str(directory / "text"), "FILE.db": str(old), "OLD": str(old), "ZONE": "Europe/Paris", "NAME": "daemon",
            "DAY": "2026-11-25", "QUERY": "SELECT count(*) FROM crawls", "ASSET": "ligue1_tokens",
            "N": "2", "/mnt/nas": str(directory / "there"),
            "missing": str(directory / "no" / "such"), "directory": str(directory),
            "file": str(directory / "text"),
        }  # fmt: skip
        self.filled = directory / "template"
        self._fill()

    def _fill(self) -> None:
        """The home of a demo with rows in most tables."""
        demo = {"POLYPIPE_HOME": str(self.filled), "POLYPIPE_SIMULATED": "1"} | self.environ
        settings = settings_for(self.url, **{name: value for name, value in demo.items() if name.startswith("POLYPIPE")})
        self.filled.mkdir()
        mark_simulated(settings)
        warehouse, now = Warehouse(self.filled), datetime.now(UTC)
        midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
        days = [midnight - n * DAY for n in range(1, 11)]
        put_copying(warehouse, days)
        replace_tables(
            warehouse,
            copy_quality_daily=[quality_row(day, window) for day in days for window in (1, 7, 30)],
            **known_activity(days),
        )
        put_snapshots(warehouse, wandering(now, 30))
        put_positions(warehouse, [position("1", 5.0)], [position("1", 400.0)])
        (self.filled / "logs").mkdir()
        (self.filled / "logs" / "daemon.log").write_text("a line\n")

    def in_state(self, state: str) -> Path:
        """A home in this state."""
        home = self.directory / state
        if state == "file":
            home.write_text("a file\n")
        elif state == "filled":
            shutil.copytree(self.filled, home)
        elif state == "readonly":
            self.disk = SmallDisk(home, 64)
            shutil.copytree(self.filled, home, dirs_exist_ok=True)
            self.disk.read_only()
        elif state == "broken":
            shutil.copytree(self.filled, home)
        return home

    def restore(self, home: Path, state: str) -> None:
        """Undo what commands did to a home: the demo's settings name a new exchange, and `rebuild` heals what is broken."""
        if state in ("filled", "broken"):
            shutil.copyfile(self.filled / SIMULATED_FILE, home / SIMULATED_FILE)
        if state == "broken":
            (home / "alerts").mkdir(exist_ok=True)
            named = [home / "alerts" / "state.json", home / "alerts" / "mutes.json", home / "alerts.toml"]
            torn = [home / "polypipe.duckdb", home / "CURRENT.json", *home.rglob("*.db"), *home.rglob("*.parquet")]
            for path in (*torn, *named):
                path.write_bytes(b"\xff{garbage" * 1000)

    def run(self, home: Path, *argv: str) -> Result:
        """The finished command on this home."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            return CliRunner().invoke(main, argv, env=self.environ | {"POLYPIPE_HOME": str(home)})
        finally:
            for number, handler in handlers.items():  # `up` sets its own
                signal.signal(number, handler)


class Refused:
    """A detached `polypipe up` that ended at once, with its line in the log."""

    pid, returncode = 0, 1

    def __init__(self, _argv: Any, stdout: Any, **_: Any) -> None:
        stdout.write(b"polypipe: refused here\n")

    def poll(self) -> int:
        return 1


def interrupt(_seconds: float) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    """Nothing here starts a server, waits, or ends in a loop."""
    directory = tmp_path_factory.mktemp("homes")
    with pytest.MonkeyPatch.context() as patch, small_exchange() as exchange:
        patch.chdir(directory)
        patch.setattr(supervise, "supervise", lambda *_: None)
        patch.setattr(up, "_prepare_storage", lambda *_: [])
        patch.setattr(detach, "subprocess", SimpleNamespace(Popen=Refused, DEVNULL=subprocess.DEVNULL))
        patch.setattr(serve, "serve", lambda _settings: None)
        patch.setattr(logs, "time", SimpleNamespace(sleep=interrupt))
        made = Homes(directory, exchange.url)
        yield made
        if hasattr(made, "disk"):
            made.disk.__exit__()


def faults(name: str, argv: Argv, result: Result) -> Iterator[str]:
    """What is wrong with the outcome of a command, whatever the home."""
    said = " ".join(argv)[:100]
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        yield f"{said}: {result.exception!r}"
    if "Traceback" in result.output:
        yield f"{said}: a traceback is printed"
    if result.exit_code in SUCCESS.get(name, {0}):
        return
    if name == "watch" and "--duration" in argv and result.exit_code == 1 and result.stdout:
        return  # no source answered within a second: the update has the reasons
    if result.exit_code not in (1, 2):
        yield f"{said}: exit code {result.exit_code}"
    lines = [line for line in result.stderr.splitlines() if line != SIMULATED and not line.startswith(BESIDE)]
    refresh = name == "refresh" and result.stdout.splitlines()[-1:] and "FAILED" in result.stdout.splitlines()[-1]
    if not refresh and (len(lines) != 1 or not lines[0].startswith("polypipe: ")):
        yield f"{said}: {len(lines)} lines instead of one: {lines[:3]}"


Check = Callable[[str, Argv, Result], Iterator[str]]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("state", STATES)
def test_documented_commands_and_bounds_in_a_home(state: str, homes: Homes) -> None:
    home = homes.in_state(state)
    wrong: list[str] = []
    codes: dict[str, set[int]] = {}
    argvs = [(command_of(argv)[0], argv) for argv in sorted({runnable(line, homes.given) for line in documented()})]
    if state != "filled":  # there all of them run; elsewhere those with the most options
        argvs = [(name, argv) for name, argv in argvs if not any(set(argv) < set(other) for _, other in argvs)]
    plain = len(argvs)
    for n, (name, argv) in enumerate([*argvs, *at_bounds(homes.given, state == "filled")]):
        homes.restore(home, state)
        result = homes.run(home, *argv)
        wrong += faults(name, argv, result)
        if n < plain:
            codes.setdefault(name, set()).add(result.exit_code)
        if state == "fresh" and home.exists():
            if name in READS:
                wrong.append(f"{name} created {sorted(path.name for path in home.iterdir())}")
            shutil.rmtree(home)
    assert not wrong, "\n".join(wrong)
    expectations(state, codes)
    if state == "filled":
        named = set(re.findall(r"`([^`]+)`", (ROOT / "data" / "README.md").read_text("utf-8")))
        unnamed = {path.name + "/" * path.is_dir() for path in home.iterdir()} - named
        assert unnamed == set()


def expectations(state: str, codes: dict[str, set[int]]) -> None:
    """Some form of these commands fails, as the documents write them; all others succeed."""
    failed = {name for name, found in codes.items() if found - SUCCESS.get(name, {0})}
    always = {"alert test", "restore", "up", "restart", "backfill"}  # no channel, not a backup, refused, not a daily asset
    expected = {
        "fresh": always | {"backup", "logs", "quality", "refresh", "whatif"},  # nothing is stored
        "filled": always,
        "readonly": always | {"alert mute", "backup", "demo", "import-divergence", "rebuild", "refresh"},
        "file": set(codes) - {"doctor"},
        "broken": always | {"alert check", "backup", "import-divergence", "quality", "refresh", "sql", "whatif"},
    }[state]
    assert failed == expected
    if state == "file":
        assert set().union(*codes.values()) == {1}
