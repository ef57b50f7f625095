"""Memory, CPU, requests and bytes of the crawl and of a whole refresh, compared with plain code.

Each side runs in its own process against the same simulated exchange (5,000 events, about 40,000 markets):

- `crawl`: read the universe completely, decode it, convert it to token rows. `plain crawl`: a simple loop with httpx and
  `json.loads` that keeps every event as a dict, then the same token rows.
- `refresh`: the crawl, stored in DuckDB and published as Parquet, and the five files that are built from it: built,
  validated, guarded, published and recorded. `plain refresh`: the plain crawl, inserted into DuckDB through pandas, and
  five calls of `json.dump`.
- `live`: a refresh of the live file alone.

    python bench/crawl.py [--events 5000] [--rounds 3]

CPU and peak memory are those of the whole process as the operating system accounts them, imports included. Exit code 1
if a target is missed.
"""

import argparse
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEMORY_SHARE, MEMORY_MB, CPU_SHARE = 0.3, 250.0, 0.7
LIVE_REQUESTS, LIVE_BYTES_SHARE = 3, 1 / 20


def crawl(url: str, directory: str) -> None:
    """The client alone; rows are built and counted page by page."""
    from polypipe.caches.universe_rows import token_rows
    from polypipe.polymarket import Hosts, PolymarketHttp, crawl_universe, run

    rows = 0

    def sink(events) -> None:
        nonlocal rows
        rows += sum(len(token_rows(event, "crawl")) for event in events)

    report = run(PolymarketHttp(Hosts(gamma=url)), lambda http: crawl_universe(http, sink))
    assert report.tokens == rows


def refresh(url: str, directory: str) -> None:
    """The crawl, the tables and the files built from it, as the assets do it; without Dagster on either side."""
    from polypipe.caches.registry import CACHES
    from polypipe.caches.universe import crawl_and_store

    settings, warehouse, polymarket = _ours(url, directory)
    crawl_and_store(polymarket, warehouse)
    for spec in CACHES:
        if spec.cron is None:
            _publish(spec, settings, warehouse, polymarket)


def live(url: str, directory: str) -> None:
    """A refresh of the live file alone, from the universe stored by `refresh`."""
    from polypipe.caches.registry import CACHES

    _publish(CACHES[0], *_ours(url, directory))


def _ours(url: str, directory: str):
    from polypipe.orchestration.resources import Polymarket
    from polypipe.settings import load_settings
    from polypipe.warehouse import Warehouse

    settings = load_settings(
        overrides={"POLYPIPE_HOME": directory, "POLYPIPE_BOT_DIR": f"{directory}/bot", "POLYPIPE_GAMMA_URL": url}
    )
    return settings, Warehouse(settings.home), Polymarket.of(settings)


def _publish(spec, settings, warehouse, polymarket) -> None:
    from polypipe.caches.publish import publish_cache
    from polypipe.caches.spec import Sources

    publish_cache(spec, Sources(settings, warehouse, polymarket))


def plain_crawl(url: str, directory: str) -> None:
    """All events as dicts, then the token rows."""
    _token_rows(_events(url))


def plain_refresh(url: str, directory: str) -> None:
    """The plain crawl, stored in DuckDB through pandas, and the files written by `json.dump`."""
    import duckdb
    import pandas as pd

    Path(directory).mkdir(parents=True, exist_ok=True)
    events = _events(url)
    tokens = _token_rows(events)
    fields = ("id", "slug", "title", "seriesSlug", "live", "ended", "negRisk", "startTime")
    event_rows = [{name: event.get(name) for name in fields} for event in events.values()]
    fields = ("id", "conditionId", "question", "slug", "sportsMarketType", "negRisk", "version")
    market_rows = [
        {name: market.get(name) for name in fields} | {"event": event["id"]}
        for event in events.values()
        for market in event["markets"]
    ]
    with duckdb.connect(f"{directory}/plain.duckdb") as con:
        for table, rows in (("events", event_rows), ("markets", market_rows), ("tokens", tokens)):
            frame = pd.DataFrame(rows)
            con.register("frame", frame)
            con.execute(f"CREATE TABLE {table} AS SELECT * FROM frame")
    by_category: dict[str, list[str]] = {}
    men = [row for row in tokens if row["men"]]
    for row in men:
        by_category.setdefault(row["category"], []).append(row["token_id"])
    contents = {
        "neg": {row["token_id"]: row["neg_risk"] for row in tokens},
        "slug": {row["token_id"]: row["slug"] for row in tokens},
        "ligue1": sorted(row["token_id"] for row in tokens if row["ligue1"]),
        "atp": {row["token_id"]: row["category"] for row in men},
        "categorized": by_category,
    }
    for name, content in contents.items():
        with (Path(directory) / f"{name}.json").open("w") as file:
            json.dump(content, file, sort_keys=True)


def _events(url: str) -> dict[str, dict]:
    import httpx

    events: dict[str, dict] = {}
    with httpx.Client(timeout=30, trust_env=False) as client:
        for tag in ("1", "864", "100639", "102070"):
            params = {"limit": 100, "closed": "false", "version": ["v1", "v2"], "order": "id", "tag_id": tag}
            if tag != "1":
                params["exclude_tag_id"] = "1"  # the same thrift as ours
            while True:
                page = json.loads(client.get(f"{url}/events/keyset", params=params).content)
                events |= {event["id"]: event for event in page["events"]}
                if not page.get("next_cursor"):
                    break
                params["after_cursor"] = page["next_cursor"]
    return events


def _token_rows(events: dict[str, dict]) -> list[dict]:
    rows = []
    for event in events.values():
        tags = {tag["id"] for tag in event["tags"]}
        men = event.get("seriesSlug") == "atp" or event["slug"].startswith("atp-") or "101232" in tags
        live = event.get("live") is True and event.get("ended") is not True
        for market in event["markets"]:
            if market.get("active") is not True or market.get("closed") is True:
                continue
            v2 = market.get("version") == "v2"
            ids = market.get("positionIds") if v2 else json.loads(market.get("clobTokenIds") or "[]")
            own = market.get("negRisk")
            for index, token_id in enumerate(ids or []):
                rows.append(
                    {
                        "token_id": token_id,
                        "market": market["id"],
                        "event": event["id"],
                        "index": index,
                        "slug": event["slug"],
                        "live": live,
                        "neg_risk": own if own is not None else bool(event.get("negRisk")),
                        "ligue1": "102070" in tags,
                        "men": "864" in tags and men,
                        "category": market.get("sportsMarketType") or re.sub(r"^.*:", "", market["question"]),
                    }
                )
    return rows


SIDES: dict[str, Callable[[str, str], None]] = {
    "crawl": crawl,
    "plain crawl": plain_crawl,
    "refresh": refresh,
    "plain refresh": plain_refresh,
    "live": live,
}


@contextmanager
def exchange(events: int) -> Iterator[str]:
    """Run the simulated exchange in its own process."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(events, theirs), daemon=True)
    server.start()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


def serve(events: int, pipe: Connection) -> None:
    """In the exchange's process: send its URL, then serve."""
    sys.path.insert(0, str(ROOT))  # the tests' exchange logs its requests
    from polypipe_tests.sim.server import SimServer

    server = SimServer(events, start=datetime.now(UTC), speed=1)
    pipe.send(server.url)
    server.run()


def measured(side: str, url: str, directory: str) -> tuple[float, float, float, int, int]:
    """(CPU seconds, peak MB, wall seconds, requests, bytes on the wire) of one side in a fresh process."""
    import httpx

    before = len(httpx.get(f"{url}/_sim/requests", trust_env=False, timeout=60).json())
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, __file__, "--side", side, "--url", url, "--directory", directory])
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    if status:
        sys.exit(f"{side} failed")
    log = httpx.get(f"{url}/_sim/requests", trust_env=False, timeout=60).json()[before:]
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, wall, len(log), sum(row["sent"] for row in log)


def main() -> int:
    """Run both sides in turn; print the results and whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        SIDES[options.side](options.url, options.directory)
        return 0

    figures: dict[str, list[tuple[float, float, float, int, int]]] = {side: [] for side in SIDES}
    with exchange(options.events) as url, tempfile.TemporaryDirectory() as directory:
        measured("plain crawl", url, directory)  # the exchange generates its world on the first crawl
        for number in range(options.rounds):
            for side in SIDES:
                figures[side].append(measured(side, url, f"{directory}/{number}"))
    median = {side: [statistics.median(column) for column in zip(*rows, strict=True)] for side, rows in figures.items()}

    print(f"{options.events} events, medians of {options.rounds} rounds, whole processes\n")
    print(f"{'':14}{'CPU s':>9}{'peak MB':>10}{'wall s':>9}{'requests':>10}{'MB on the wire':>16}")
    for side, (cpu, memory, wall, requests, sent) in median.items():
        print(f"{side:14}{cpu:9.2f}{memory:10.0f}{wall:9.2f}{requests:10.0f}{sent / 1e6:16.2f}")
    print()
    shares = {
        (side, name): median[side][column] / median[f"plain {side}"][column]
        for side in ("crawl", "refresh")
        for column, name in enumerate(("CPU", "memory"))
    }
    targets = [
        ("crawl: CPU, share of the plain one", shares["crawl", "CPU"], CPU_SHARE),
        ("crawl: peak memory, share of the plain one", shares["crawl", "memory"], MEMORY_SHARE),
        ("refresh: peak memory, share of the plain one", shares["refresh", "memory"], MEMORY_SHARE),
        ("refresh: peak memory, MB", median["refresh"][1], MEMORY_MB),
        ("live: requests", median["live"][3], LIVE_REQUESTS),
        ("live: bytes, share of the plain crawl", median["live"][4] / median["plain crawl"][4], LIVE_BYTES_SHARE),
    ]
    for name, value, limit in targets:
        print(f"{name:50}{value:10.3f}   at most {limit:.3f}   {'ok' if value <= limit else 'MISSED'}")
    print(f"{'refresh: CPU, share of the plain one':50}{shares['refresh', 'CPU']:10.3f}   (no target)")
    return int(any(value > limit for _, value, limit in targets))


if __name__ == "__main__":
    sys.exit(main())
