"""The watcher of a day: a process at real time, without polypipe's code, that reads the files of the bot and the page.

`python -m polypipe_tests.faults.day_watch HOME OUT` checks each of the six files and `CURRENT.json` about a hundred times a
second and reads every new version like the bot. It keeps contents in OUT by hash, for a later comparison with the exchange.
On SIGTERM it prints one JSON object with the number of reads, versions by file and violations.
"""

import gzip
import hashlib
import json
import signal
import sys
import time
from pathlib import Path

import duckdb

from polypipe_tests.faults.support import FILES
from polypipe_tests.oracle import read_like_serde

COUNT_EVERY = 2.0  # seconds between counts of the published snapshots


class Watch:
    """Observations so far."""

    def __init__(self, home: Path, out: Path) -> None:
        self.home, self.out = home, out
        self.known: dict[str, tuple[int, int]] = {}
        self.versions = dict.fromkeys((*FILES, "CURRENT.json"), 0)
        self.violations: list[str] = []
        self.reads = 0
        self.published_version = 0
        self.snapshots = 0

    def changed(self, path: Path) -> bool:
        """True if the file was replaced. A missing file is a violation."""
        self.reads += 1
        try:
            stat = path.stat()
        except FileNotFoundError:
            self.violations.append(f"{time.time():.3f} {path.name} is gone")
            return False
        identity = (stat.st_ino, stat.st_mtime_ns)
        if self.known.get(path.name) == identity:
            return False
        self.known[path.name] = identity
        self.versions[path.name] += 1
        return True

    def file(self, name: str) -> None:
        """Read a new version of a file like the bot, and keep it."""
        path = self.home / "bot" / name
        if not self.changed(path):
            return
        try:
            payload = path.read_bytes()
            copy = self.out / hashlib.sha256(payload).hexdigest() / name
            if copy.parent.exists():
                return
            copy.parent.mkdir()
            copy.write_bytes(payload)
            read_like_serde(copy)
            copy.with_suffix(".gz").write_bytes(gzip.compress(payload, 1))
            copy.unlink()
        except (AssertionError, ValueError) as error:
            self.violations.append(f"{time.time():.3f} {name}: {error!r} in {payload[:100]!r} ({len(payload)} bytes)")

    def pointer(self) -> None:
        """Check that every file named in a new `CURRENT.json` exists and that its version grows."""
        path = self.home / "CURRENT.json"
        if not self.changed(path):
            return
        try:
            current = json.loads(path.read_bytes())
            for name, table in current["tables"].items():
                assert table["rows"] == sum(file["rows"] for file in table["files"]), name
                for file in table["files"]:
                    assert (self.home / file["path"]).stat().st_size > 0, file
            assert current["version"] > self.published_version, (current["version"], self.published_version)
            self.published_version = current["version"]
        except (AssertionError, ValueError, OSError) as error:
            self.violations.append(f"{time.time():.3f} CURRENT.json: {error!r}")

    def count(self) -> None:
        """Check that no published snapshot disappears or is stored twice."""
        try:
            current = json.loads((self.home / "CURRENT.json").read_bytes())
            files = [str(self.home / file["path"]) for file in current["tables"]["snapshots"]["files"]]
            if not files and not self.snapshots:
                return
            with duckdb.connect() as con:
                query = f"SELECT count(*), count(DISTINCT id) FROM read_parquet({files})"
                ((rows, ids),) = con.execute(query).fetchall()
            assert rows == ids == current["tables"]["snapshots"]["rows"], (rows, ids)
            assert rows >= self.snapshots, f"{rows} snapshots, down from {self.snapshots}"
            self.snapshots = rows
        except (AssertionError, ValueError, OSError, duckdb.Error) as error:
            self.violations.append(f"{time.time():.3f} snapshots: {error!r}")


def main(home: Path, out: Path) -> None:
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    watch, counted = Watch(home, out), time.monotonic()
    while not stopping:
        for name in FILES:
            watch.file(name)
        watch.pointer()
        if time.monotonic() - counted > COUNT_EVERY:
            watch.count()
            counted = time.monotonic()
        time.sleep(0.005)
    print(json.dumps({"reads": watch.reads, "versions": watch.versions, "violations": watch.violations[:50]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
