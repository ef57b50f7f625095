"""Support for the fault tests: the expected files, reading files and tables, and runs that announce their steps.

Expected files are computed from the exchange by other code than polypipe's. A run announces each step, so that it can be
killed in a known one.
"""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polypipe.caches.categories import category_from_wording
from polypipe_tests.oracle import open_events, read_like_serde, six_files

ROOT = Path(__file__).parents[2]
FILES = (
    ".live_cache.json",
    ".clob_market_cache.json",
    ".clob_slug_cache.json",
    ".atp_token_categories.json",
    ".atp_categorized.json",
    ".ligue1_tokens.json",
)

Truth = dict[str, Any]
"""File name -> expected content. Of `.atp_categorized.json` only the categories; the rest is checked separately."""


# ------------------------------------------------------------------------------ files


def truth(url: str) -> Truth:
    """The expected content of all six files, from the exchange's current raw answers."""
    contents = six_files(open_events(url), wording=category_from_wording)
    categories: dict[str, list[str]] = {}
    for token, category in sorted(contents[".atp_token_categories.json"].items()):
        categories.setdefault(category, []).append(token)
    return contents | {".atp_categorized.json": categories}


def world_of(path: Path, *worlds: Truth | None) -> int:
    """Index of the world that the file matches. A missing file matches the world None.

    Fails if the bot could not read the file, if it is incomplete or mixes worlds, or if other users could not read it.
    """
    if not path.exists():
        assert None in worlds, f"{path.name} is missing"
        return worlds.index(None)
    content = read_like_serde(path)
    if path.name == ".atp_categorized.json":
        content = {category: ids for category, ids in content["categories"].items() if ids}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    for number, world in enumerate(worlds):
        if world is not None and content == world[path.name]:
            return number
    raise AssertionError(f"{path.name} matches none of the {len(worlds)} worlds: {len(content)} entries")


# ------------------------------------------------------------------------------ tables

# Runs in its own process and shares only the names of files and tables with polypipe.
_LOOK = """
import duckdb, hashlib, json, pathlib, sys
home = pathlib.Path(sys.argv[1])
def rows(con, source):
    # Parquet does not keep the sign of a zero.
    found = con.execute(f"SELECT * FROM {source}").fetchall()
    return sorted(repr([value + 0.0 if isinstance(value, float) else value for value in row]) for row in found)
seen = {"live": None, "published": None}
memory = duckdb.connect()
memory.execute("SET TimeZone = 'UTC'")
def describe(con, sources):
    def query(text):
        return con.execute(text.format(**sources)).fetchall()
    tokens = query("SELECT token_id, neg_risk, slug FROM {tokens}")
    return {
        "tokens": {token: [neg_risk, slug] for token, neg_risk, slug in tokens},
        "token_rows": len(tokens),
        "crawls_behind_tokens": query("SELECT count(DISTINCT crawl_id) FROM {tokens}")[0][0],
        "publications": [n for (n,) in query("SELECT publication_id FROM {publications} ORDER BY 1")],
        "crawls": [n for (n,) in query("SELECT crawl_id FROM {crawls} ORDER BY 1")],
        "snapshots": [n for (n,) in query("SELECT id FROM {snapshots} ORDER BY 1")],
        "digest": {
            name: hashlib.sha256("".join(rows(con, source)).encode()).hexdigest() for name, source in sources.items()
        },
    }
pointer = home / "CURRENT.json"
if pointer.exists():
    current = json.loads(pointer.read_bytes())
    sources = {}
    for name, table in current["tables"].items():
        files = [str(home / file["path"]) for file in table["files"]]
        for file, entry in zip(files, table["files"]):
            (count,) = memory.execute("SELECT count(*) FROM read_parquet(?)", [file]).fetchone()
            assert count == entry["rows"], (file, count, entry)
        text = ", ".join(f"'{file}'" for file in files)
        # A table without rows has no files.
        empty = "(SELECT NULL token_id, NULL neg_risk, NULL slug, NULL crawl_id, NULL publication_id, NULL id WHERE false)"
        sources[name] = f"read_parquet([{text}], union_by_name=true)" if files else empty
    seen["published"] = describe(memory, sources)
    seen["tables"] = {name: table["rows"] for name, table in current["tables"].items()}
database = home / "polypipe.duckdb"
if database.exists() and sys.argv[2] == "live":
    con = duckdb.connect(str(database), read_only=True)
    con.execute("SET TimeZone = 'UTC'")
    names = {n for (n,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "tokens" in names:
        own = sorted(seen.get("tables") or names - {"merged_batches", "partitions"})
        seen["live"] = describe(con, {name: name for name in own if name in names})
json.dump(seen, sys.stdout)
"""


@dataclass(frozen=True)
class Tables:
    """Tables as a new process read them. `digest` is a hash of all rows of each table."""

    tokens: dict[str, list[Any]]
    token_rows: int
    crawls_behind_tokens: int
    publications: list[str]
    crawls: list[str]
    snapshots: list[int]
    digest: dict[str, str]


@dataclass(frozen=True)
class StoredTables:
    """The live file and the published files; None if they do not exist yet."""

    live: Tables | None
    published: Tables | None


def read_tables(home: Path, live: bool = True) -> StoredTables:
    """Open the DuckDB file and the published files in a new process, without polypipe's code.

    No other process may have the live file open; it is not opened unless `live`.
    """
    command = [sys.executable, "-c", _LOOK, str(home), "live" if live else "published"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    return StoredTables(*(Tables(**found[name]) if found[name] else None for name in ("live", "published")))


def world_of_tables(tables: Tables | None, *worlds: Truth | None) -> int:
    """Index of the world that the table of tokens matches. A table without rows matches the world None."""
    if tables is None or not tables.tokens:
        assert None in worlds, "the tokens are missing"
        return worlds.index(None)
    assert len(tables.tokens) == tables.token_rows
    assert tables.crawls_behind_tokens == 1
    for ids in (tables.publications, tables.crawls, tables.snapshots):
        assert len(set(ids)) == len(ids), "a row is stored twice"
    for number, world in enumerate(worlds):
        if world is not None:
            slugs = world[".clob_slug_cache.json"]
            if tables.tokens == {token: [neg, slugs[token]] for token, neg in world[".clob_market_cache.json"].items()}:
                return number
    raise AssertionError(f"the tokens are of none of the {len(worlds)} worlds: {len(tables.tokens)}")


# ------------------------------------------------------------------------------ runs that announce their steps

CRAWL, TRANSACTION, PUBLISH = "crawl", "DuckDB transaction", "file publish"
PHASES = (CRAWL, TRANSACTION, PUBLISH)

# Forks a process for each run, so that a run needs no imports; each executes all of `polypipe refresh`.
_DRIVER = """
import os, sys
import polypipe.cli.dagster_refresh
from polypipe.cli.main import main
from polypipe_tests.faults.support import announce_steps
for line in sys.stdin:
    run = os.fork()
    if run == 0:
        os.environ["POLYPIPE_HOME"], sys.argv = line.strip(), ["polypipe", "refresh"]
        announce_steps(line.strip())
        main()
    os.write(1, f"pid {run}\\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(run, 0)[1])
    os.write(1, f"end {code}\\n".encode())
"""


def announce_steps(home: str) -> None:
    """Print `step PHASE: WHAT` before each step of this process that a kill could interrupt.

    An audit hook sees Python's steps and a wrapped connection DuckDB's, so polypipe's code is unchanged.
    """
    import duckdb

    def announce(step: str) -> None:
        os.write(1, f"step {step}\n".encode())

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            announce(f"{CRAWL}: request")
        elif what := _what(event, arguments):
            where = str(arguments[1] if event == "os.rename" else arguments[0])
            if where.startswith(home) and (phase := _phase(where[len(home) + 1 :])):
                announce(f"{phase}: {what}")

    class Connection:
        def __init__(self, con: Any) -> None:
            self._con = con

        def __getattr__(self, name: str) -> Any:
            return getattr(self._con, name)

        def execute(self, sql: str, *more: Any) -> Any:
            announce(f"{TRANSACTION}: {' '.join(sql.split()[:2])[:40]}")
            return self._con.execute(sql, *more)

        def close(self) -> None:
            announce(f"{TRANSACTION}: close")
            self._con.close()

    connect = duckdb.connect

    def wrapped(database: str, *more: Any, **options: Any) -> Any:
        con = connect(database, *more, **options)
        return con if database == ":memory:" else Connection(con)

    duckdb.connect = wrapped  # type: ignore[assignment]
    sys.addaudithook(hook)


def _what(event: str, arguments: tuple[Any, ...]) -> str | None:
    """What an audit event does to a file; None if a kill could not interrupt it."""
    if event == "open":
        _, mode, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR):
            return "write"
        return "fsync" if mode is None else None  # polypipe opens files for reading by `os.open` only to sync them
    return {"os.rename": "rename", "os.mkdir": "mkdir", "os.remove": "remove", "os.rmdir": "rmdir"}.get(event)


def _phase(path: str) -> str | None:
    """The phase of a path below the home."""
    top, _, rest = path.partition("/")
    if top in ("bot", "run") or rest.endswith("/publications.ndjson"):
        return PUBLISH
    if top == "spool" and rest.endswith(".ndjson"):
        return CRAWL
    if top in ("spool", "published", "polypipe.lock") or top.startswith("CURRENT.json"):
        return TRANSACTION
    return None


@dataclass(frozen=True)
class Target:
    """When to kill: `delay` seconds after a run announces `step` for the `nth` time."""

    step: str
    nth: int
    delay: float

    @property
    def phase(self) -> str:
        return self.step.partition(":")[0]


@dataclass(frozen=True)
class Run:
    """A run that ended. `steps` are (seconds since its start, step); `code` is -9 if it was killed."""

    code: int
    steps: list[tuple[float, str]]
    output: list[str]

    def phase(self) -> str:
        """The phase of the last announced step."""
        return self.steps[-1][1].partition(":")[0]

    def target(self, phase: str, chance: random.Random) -> Target:
        """A random moment within a random step of this phase, with the steps of this run."""
        candidates = [i for i, (_, step) in enumerate(self.steps[:-1]) if step.startswith(f"{phase}:")]
        chosen = chance.choice(candidates)
        began, step = self.steps[chosen]
        nth = sum(1 for _, other in self.steps[: chosen + 1] if other == step)
        return Target(step, nth, chance.uniform(0, self.steps[chosen + 1][0] - began))


class Runs:
    """Context manager for runs of `polypipe refresh` in the environment `env`."""

    def __init__(self, env: dict[str, str], directory: Path) -> None:
        self._driver = subprocess.Popen(
            [sys.executable, "-c", _DRIVER],
            env=env | {"PYTHONPATH": str(ROOT)},
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Runs":
        return self

    def __exit__(self, *_exc: object) -> None:
        self._driver.kill()
        self._driver.wait()

    def run(self, home: Path, target: Target | None = None) -> Run:
        """Run on this home to the end, or kill the run at the target."""
        assert self._driver.stdin
        assert self._driver.stdout
        self._driver.stdin.write(f"{home}\n")
        self._driver.stdin.flush()
        began, pid, reached = time.monotonic(), 0, 0
        steps: list[tuple[float, str]] = []
        output: list[str] = []
        for line in self._driver.stdout:
            kind, _, rest = line.rstrip("\n").partition(" ")
            if kind == "pid":
                pid = int(rest)
            elif kind == "end":
                return Run(int(rest), steps, output)
            elif kind == "step":
                steps.append((time.monotonic() - began, rest))
                if target and rest == target.step:
                    reached += 1
                    if reached == target.nth:
                        time.sleep(target.delay)  # the random moment
                        os.kill(pid, signal.SIGKILL)
            else:
                output.append(line)
        raise AssertionError("the driver of the runs ended")
