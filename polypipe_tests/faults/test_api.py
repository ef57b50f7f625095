"""APIs that misbehave: errors, hangs, storms of 429, an hour of outage, a changed contract.

The last good files stay, stale data is shown with its age, the next cycle after the fault succeeds, and requests stay below
the published rate limits throughout.
"""

import json
import re
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from polypipe.warehouse import Warehouse
from polypipe_tests.faults.day import FAKETIME, START, Dashboard, FakeClock, Worker, contents, utc
from polypipe_tests.sim.control import LoggedRequest
from polypipe_tests.sim.server import SimServer
from polypipe_tests.support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

LISTING = "/events/keyset"
# Published limits, requests in 10 s: host, paths (None: all paths of the host), limit. Copied from the documentation, not
# from polypipe's table. The simulator serves all hosts on one port; the first part of a path identifies the host.
HOSTS = {
    "gamma": ("events", "markets", "tags", "sports", "status"),
    "data": ("value", "positions", "activity", "trades", "v1", "closed-positions"),
    "pnl": ("user-pnl",),
    "clob": ("prices-history", "batch-prices-history", "midpoint", "book", "price"),
}
LIMITS = (
    ("gamma", None, 4000), ("gamma", "events", 500), ("gamma", "markets", 300), ("gamma", "tags", 200),
    ("data", None, 1000), ("data", "trades", 200), ("data", "positions", 150), ("data", "closed-positions", 150),
    ("pnl", None, 200), ("clob", None, 9000), ("clob", "prices-history", 1000),
)  # fmt: skip


def busiest(requests: Sequence[LoggedRequest]) -> float:
    """The largest share of a published limit that was used in any 10 s. Fails if a limit was exceeded."""
    times: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for seen in requests:
        first = seen.path.split("/")[1]
        host = next(name for name, parts in HOSTS.items() if first in parts)
        times[host, None].append(seen.at)
        times[host, first].append(seen.at)
    worst = 0.0
    for host, part, limit in LIMITS:
        at = sorted(times.get((host, part), []))
        most = max((n + 1 - bisect_left(at, last - 10) for n, last in enumerate(at)), default=0)
        assert most <= limit, f"{most} requests to {host} {part or ''} in 10 s, the limit is {limit}"
        worst = max(worst, most / limit)
    return worst


@dataclass
class Case:
    """One kind of misbehaviour: the simulator's faults, and the expected result of each task meanwhile.

    `crawl` and `live` are words that their errors must contain, None if they must succeed. `unknown` are the columns of the
    snapshot that must be null, each with a reason that contains `reason`.
    """

    name: str
    faults: list[dict[str, Any]]
    work: str
    short_work: str = ""  # whether the short version includes it
    crawl: str | None = None
    live: str | None = None
    unknown: tuple[str, ...] = ()
    reason: str = ""


EVERYTHING = ("user1_value", "user1_pnl", "user1_rank", "user2_value", "user2_pnl", "user2_rank", "expected_pnl")
GIVEN_UP = r"no complete response within|ReadTimeout"
BLOCKED = "something between you and Polymarket answers instead of it"


def field(kind: str, path: str, name: str, value: Any = None) -> dict[str, Any]:
    return {"kind": kind, "path": path, "field": name, "value": value}


def cases(hang: float, retry_after: int) -> list[Case]:
    """All cases. `hang` is how long a response hangs, `retry_after` the value in a 429; both in seconds."""
    storm = {"kind": "status", "path": "*", "status": 429, "headers": {"Retry-After": str(retry_after)}}
    stuck = {"kind": "hang", "path": "*", "seconds": hang}
    every = "crawl live snapshot"
    html = {"kind": "html", "path": "*"}
    torn = {"kind": "truncate", "path": "*", "share": 0.1}
    no_ids = field("rename_field", LISTING, "clobTokenIds", "ids")
    no_p, no_rank = (
        field("rename_field", "/user-pnl", "p", "pnl"),
        field("rename_field", "/v1/leaderboard", "rank", "place"),
    )
    pnl = ("user1_pnl", "user2_pnl", "expected_pnl", "pnl_vs_expected")
    rank = ("user1_rank", "user2_rank", "user1_volume")
    return [
        Case("10 % errors", [{"kind": "status", "path": "*", "share": 0.1}], every, "live snapshot"),
        Case("10 % torn answers", [torn], every),
        Case("two of a crawl hang", [stuck | {"nth": [2, 4]}], "crawl"),
        Case("everything hangs", [stuck], every, "snapshot", GIVEN_UP, GIVEN_UP, EVERYTHING, GIVEN_UP),
        Case("a burst of 429", [storm | {"times": 2}], "live", "live"),
        Case("429 storm", [storm], every, "snapshot", "429", "429", EVERYTHING, "429"),
        Case("HTML with 200", [html], every, "", BLOCKED, BLOCKED, EVERYTHING, BLOCKED),
        Case("missing key", [{"kind": "missing_key", "path": LISTING}], "crawl live", "live", "`events`", "`events`"),
        Case("rows as text", [{"kind": "wrong_type", "path": LISTING}], "crawl live", "", "array", "array"),
        Case("no ids", [no_ids], "crawl", "crawl", "have no usable token ids"),
        Case("new version", [field("set_field", LISTING, "version", "v3")], "crawl", "", "unknown version 'v3'"),
        Case("renamed live", [field("rename_field", LISTING, "live", "inPlay")], "live", "", live="has `live`"),
        Case("renamed tags", [field("rename_field", LISTING, "tags", "labels")], "live", "", live="has `tags`"),
        Case("no slugs", [field("drop_field", LISTING, "slug")], "crawl live", "", "`slug`", "`slug`"),
        Case("no active", [field("drop_field", LISTING, "active")], "crawl", "", "traded market"),
        Case("renamed PnL", [no_p], "snapshot", "snapshot", unknown=pnl, reason="value `p`"),
        Case("renamed rank", [no_rank], "snapshot", "", unknown=rank, reason="no rank"),
    ]


@dataclass(frozen=True)
class Running:
    """The exchange and a worker that has done every task once. `clock` is None without libfaketime."""

    sim: SimServer
    worker: Worker
    clock: FakeClock | None
    patience: float  # scales the deadlines, and the 30 s allowed for a response

    @property
    def bot(self) -> Path:
        return self.worker.home / "bot"


@pytest.fixture(scope="module")
def running(chaos, tmp_path_factory) -> Iterator[Running]:
    """One for all tests of this file, because its start takes longest in the short version."""
    directory, patience = tmp_path_factory.mktemp("api"), 1.0 if chaos else 0.1
    clock = FakeClock(directory, START) if FAKETIME.exists() else None
    with (
        SimServer(events=30, seed=3, start=utc(clock.now()) if clock else datetime.now(UTC), speed=1) as sim,
        Worker(directory / "home", sim.url, clock, patience) as worker,
    ):
        for first in (worker.crawl, worker.live, worker.snapshot):
            assert first().ok, worker.tail()
        yield Running(sim, worker, clock, patience)


def newest_snapshot(warehouse: Warehouse) -> tuple[dict[str, Any], dict[str, str]]:
    """The last row and the reasons of its nulls."""
    with warehouse.read() as con:
        con.execute("SELECT * FROM snapshots ORDER BY id DESC LIMIT 1")
        names = [column[0] for column in con.description]
        row = dict(zip(names, con.fetchone(), strict=True))
    return row, json.loads(row["reasons"])


def retry_waits(requests: Sequence[LoggedRequest], retry_after: int) -> None:
    """Check that no request is repeated before the Retry-After of its 429 has passed."""
    refused: dict[tuple[str, str], float] = {}
    for seen in sorted(requests, key=lambda seen: seen.at):
        key = (seen.path, seen.query)
        if key in refused:
            assert seen.at - refused[key] >= retry_after - 0.05, f"{seen.path} again after {seen.at - refused[key]:.2f} s"
        refused.pop(key, None)
        if seen.status == 429:
            refused[key] = seen.at


def test_misbehaving_apis_leave_the_last_good_files_unchanged(running, chaos, figures):
    sim, worker, warehouse = running.sim, running.worker, Warehouse(running.worker.home)
    retry_after = 7 if chaos else 1
    injected, slowest = 0, 0.0
    for case in cases(45 * running.patience, retry_after):
        work = (case.work if chaos else case.short_work).split()
        if not work:
            continue
        before = contents(running.bot)
        for fault in case.faults:
            sim.faults.add(**fault)
        began = len(sim.requests)
        for name in work:
            done = getattr(worker, name)()
            expected = getattr(case, name, None)
            if name == "snapshot":
                row, reasons = newest_snapshot(warehouse)
                assert done.ok, (case.name, done.reasons)
                nulls = {column for column in EVERYTHING if row[column] is None}
                assert nulls >= set(case.unknown) & set(EVERYTHING), (case.name, row)
                assert case.unknown or not nulls, (case.name, reasons)
                for column in case.unknown:
                    assert re.search(case.reason, reasons[column]), (case.name, reasons)
            elif expected:
                assert not done.ok, case.name
                assert re.search(expected, done.why), (case.name, done.why)
                assert all("\n" not in reason for reason in done.reasons), done.reasons
            else:
                assert done.ok, (case.name, done.why)
        if case.crawl or case.live:
            assert contents(running.bot) == before, case.name
        contents(running.bot)
        injected += sum(fault.hits for fault in sim.faults.active)
        assert all(fault.hits for fault in sim.faults.active), f"{case.name}: the fault was never hit"
        sim.faults.clear()
        if "429" in case.name:
            retry_waits(sim.requests[began:], retry_after)
        cleared = time.monotonic()
        for name in work:
            done = getattr(worker, name)()
            assert done.ok, f"after {case.name}: {done.why}"
        slowest = max(slowest, time.monotonic() - cleared)
        if "snapshot" in work:
            assert not set(newest_snapshot(warehouse)[1]) - {"pnl_efficiency", "loss_share"}, case.name
    share = busiest(sim.requests)
    requests = len(sim.requests)
    held = (
        f"last good files to the byte, each error in one line, {requests:,} requests: at most {share:.0%} of a rate limit"
    )
    figures.add(3, "API: errors, hangs, 429 storms, changed contracts", injected, held, slowest)


def test_an_hour_of_outage_leaves_the_last_good_files_and_shows_their_ages(running, chaos, figures):
    """The worker's clock is advanced between the tries, as if the hour had passed."""
    sim, worker, clock = running.sim, running.worker, running.clock
    if clock is None:
        pytest.skip("libfaketime is not installed (Debian: faketime)")
    sim.faults.clear()
    step = 300 if chaos else 1800
    before, ended, tries, began = contents(running.bot), clock.now() + 3600, 0, len(sim.requests)
    with Dashboard(worker) as page:
        sim.faults.add("reset", "*")
        while clock.now() < ended:
            clock.jump(step)
            sim.clock.advance(step)
            done = worker.live()
            assert not done.ok
            assert "ReadError" in done.why, done.why
            assert worker.snapshot().skipped.startswith("no source of either wallet answered"), worker.tail()
            assert contents(running.bot) == before
            tries += 2
        shown = newest_snapshot(Warehouse(worker.home))[0]["timestamp"].timestamp()
        wait_until(lambda: datetime.fromisoformat(page.get("/api/latest")[1]["timestamp"]).timestamp() >= shown)
        status, health = page.get("/healthz")
        files = page.get("/api/caches")[1]["files"]
        latest = page.get("/api/latest")[1]
    sim.faults.clear()
    cleared = time.monotonic()
    for again in (worker.crawl, worker.live, worker.snapshot):
        assert again().ok, worker.tail()
    recovery = time.monotonic() - cleared
    row, reasons = newest_snapshot(Warehouse(worker.home))
    assert not set(reasons) - {"pnl_efficiency", "loss_share"}
    assert row["timestamp"].timestamp() == pytest.approx(clock.now(), abs=60)
    contents(running.bot)
    busiest(sim.requests[began:])
    # ages are shown
    assert status == 503
    old = r"(6\d|7\d) min"
    assert any(re.search(f"live_cache.json was last confirmed {old} ago", text) for text in health["reasons"]), health
    assert any(re.search(f"Polymarket last returned the copier's value {old} ago", text) for text in health["reasons"]), (
        health
    )
    assert {file["state"] for file in files} == {"stale"}
    assert latest["user1_value"] is None
    held = "last good files to the byte, page and /healthz showed the ages, snapshots null with the reason"
    figures.add(3, "API: an hour of outage (tries)", tries, held, recovery)


def test_requests_stay_below_the_published_rate_limits_in_a_storm_of_429(chaos, figures, tmp_path):
    """A large universe, and a third of all responses are 429 without Retry-After: the maximum number of requests."""
    if not chaos:
        pytest.skip("in full only: run with --chaos")
    with (
        SimServer(events=3000, seed=3, start=datetime.now(UTC), speed=1) as sim,
        Worker(tmp_path / "home", sim.url) as one,
        Worker(tmp_path / "home", sim.url, name="other") as other,
    ):
        sim.faults.add("status", "*", status=429, share=0.3)
        for _ in range(3):
            one.send("job", "crawl")  # concurrently, like the crawl and the small jobs of a real day
            small = [work() for work in (other.snapshot, other.live, other.snapshot, other.snapshot)]
            assert one.wait().ok, one.tail()
            assert all(done.ok for done in small if done.kind == "sensor"), other.tail()
        share = busiest(sim.requests)
        refused = sum(seen.status == 429 for seen in sim.requests)
        held = f"{len(sim.requests):,} requests: at most {share:.0%} of a published limit in any 10 s; crawls succeed"
    figures.add(3, "API: 30 % answered with 429", refused, held)
