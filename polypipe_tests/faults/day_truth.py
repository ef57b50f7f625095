"""Checks the files of a day against the exchange at the instants between which they were read."""

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from polypipe.caches.categories import category_from_wording
from polypipe.sim.clock import Clock
from polypipe.sim.gamma import Gamma
from polypipe.warehouse import Warehouse
from polypipe_tests.oracle import six_files
from polypipe_tests.sim.server import SimServer

STEP = 10  # seconds between the checked instants


@dataclass(frozen=True)
class Span:
    """When a crawl read the exchange, in epoch seconds."""

    start: float
    end: float

    def instants(self) -> Iterable[float]:
        """The instants of the span, including both ends."""
        count = int((self.end - self.start) // STEP)
        return [*(self.start + STEP * n for n in range(count + 1)), self.end]


class World:
    """The expected content of the six files at an instant."""

    def __init__(self, sim: SimServer) -> None:
        self.sim = sim
        self.gamma = Gamma(sim.world, Clock(0, 0))
        self.at = cache(self._at)

    def _at(self, second: int) -> dict[str, Any]:
        events = self.sim.world.open_events(second)
        return six_files([self.gamma.event_json(event, second) for event in events], wording=category_from_wording)

    def check(self, name: str, content: Any, universe: Span, live: Span | None) -> None:
        """Check that a file has all ids that were listed throughout, no others, and each with a value that it had."""
        source = ".atp_token_categories.json" if name == ".atp_categorized.json" else name
        if name == ".atp_categorized.json":
            content = {token: category for category, ids in content["categories"].items() for token in ids}
        values = content if isinstance(content, dict) else dict.fromkeys(content, True)
        whole = Span(universe.start, live.end if live else universe.end)
        worlds = [as_map(self.at(int(instant))[source]) for instant in whole.instants()]
        must = set.intersection(*map(set, worlds))
        may = set.union(*map(set, worlds))
        assert must <= values.keys(), f"{name}: {len(must - values.keys())} of {len(must)} ids are missing"
        assert values.keys() <= may, f"{name}: {len(values.keys() - may)} ids were not listed then"
        if live:  # the games in play change, and this file is read separately
            worlds = [as_map(self.at(int(instant))[source]) for instant in live.instants()]
        for token, value in values.items():
            had = {world[token] for world in worlds if token in world}
            assert not had or value in had, f"{name}: {token} is {value!r}, it was {had}"


def as_map(content: Any) -> dict[str, Any]:
    return content if isinstance(content, dict) else dict.fromkeys(content, True)


def check_files(world: World, warehouse: Warehouse, kept: Path) -> int:
    """Compare every version that the watcher kept with the exchange. Returns their number."""
    with warehouse.read() as con:
        crawls = {
            crawl: (kind, Span(start.timestamp(), end.timestamp()))
            for crawl, kind, start, end in con.execute(
                "SELECT crawl_id, kind, started_at, finished_at FROM crawls WHERE complete"
            ).fetchall()
        }
        published = {
            (name, sha): (crawl, time.timestamp())
            for name, sha, crawl, time in con.execute(
                "SELECT file, sha256, crawl_id, time FROM publications WHERE accepted AND rewritten ORDER BY time DESC"
            ).fetchall()
        }
    universes = sorted((span.end, span) for kind, span in crawls.values() if kind == "universe")
    checked = 0
    for directory in sorted(kept.iterdir()):
        (path,) = directory.iterdir()
        name = path.name.removesuffix(".gz") + ".json" if path.suffix == ".gz" else path.name
        key = (name, directory.name)
        if key not in published:  # replaced by a run that was killed before it recorded this: the next version is checked
            continue
        crawl, time = published[key]
        kind, span = crawls[crawl]
        content = json.loads(gzip.decompress(path.read_bytes()))
        if kind == "universe":
            world.check(name, content, span, span if name == ".live_cache.json" else None)
        else:
            stored = [universe for end, universe in universes if end <= time]
            # The newest stored universe, or the one before it if the newest was stored while the file was built.
            world.check(name, content, stored[-2] if len(stored) > 1 else stored[-1], span)
        checked += 1
    return checked
