"""`.live_cache.json`: which tokens are in play now. The only file that queries Polymarket itself, for one or two pages."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from polypipe.caches.formats import BOOL_MAP
from polypipe.caches.spec import Built, CacheSpec, Sources, latest_universe
from polypipe.caches.universe import crawl_and_store, crawl_row, record_failure
from polypipe.caches.universe_rows import token_rows
from polypipe.limits import LIVE_FILE_AGE
from polypipe.polymarket import CrawlReport, Event, crawl_live
from polypipe.warehouse import Append

MAX_UNIVERSE_AGE = timedelta(minutes=60)
"""An older universe lacks too many new markets: then everything is crawled, which includes what is live."""

LIVE_DEADLINE_SECONDS = 120.0
PREVIEW_EVENTS = 10


LiveLine = tuple[datetime | None, str, str]
"""(start, title, slug) of an event in play."""


@dataclass
class LiveEvents:
    """The events in play now, collected page by page: their tokens, and a line for each in the run's metadata."""

    crawl_id: str
    tokens: dict[str, set[str]] = field(default_factory=dict)
    lines: list[LiveLine] = field(default_factory=list)

    def add(self, events: Sequence[Event]) -> None:
        """Add one page of events, all of them in play."""
        for event in events:
            self.tokens[event.id] = {row["token_id"] for row in token_rows(event, self.crawl_id)}
            self.lines.append((event.start_time, event.title, event.slug))

    def newest(self) -> list[LiveLine]:
        """The events that started last, newest first."""
        unknown = datetime.min.replace(tzinfo=UTC)
        return sorted(self.lines, key=lambda line: (line[0] or unknown, *line[1:]), reverse=True)[:PREVIEW_EVENTS]


def live_content(
    stored: Sequence[tuple[str, str, str]], live: Mapping[str, set[str]], unread: Collection[str] = ()
) -> dict[str, bool]:
    """Token id -> in play, for the stored universe joined with the events in play.

    `stored` is (token id, event id, market id); `live` maps the id of each event in play to its current tokens. These
    replace the stored tokens of the same event: new tokens are added at once, tokens of closed markets are removed. Markets
    in `unread`, whose ids could not be read now, keep their stored tokens.
    """
    content = {token_id: False for token_id, event_id, _ in stored if event_id not in live}
    for token_id, event_id, market_id in stored:
        if event_id in live and market_id in unread:
            content[token_id] = True
    for token_ids in live.values():
        content |= dict.fromkeys(token_ids, True)
    return content


def build(sources: Sources) -> Built:
    """Query what is live and join it with the stored universe; crawl everything if that is missing or too old."""
    with sources.warehouse.read() as con:
        universe = latest_universe(con)
        fresh_enough = universe is not None and universe.age <= MAX_UNIVERSE_AGE
        stored = con.execute("SELECT token_id, event_id, market_id FROM tokens").fetchall() if fresh_enough else []
        in_play = [id_ for (id_,) in con.execute("SELECT event_id FROM events WHERE live").fetchall()]
    if universe is None or not fresh_enough:
        return _build_from_full_crawl(sources)

    crawl_id, started_at = uuid4().hex, datetime.now(UTC)
    live = LiveEvents(crawl_id)
    try:
        report = sources.polymarket.run(
            lambda http: crawl_live(http, live.add, deadline=LIVE_DEADLINE_SECONDS, known=in_play)
        )
    except Exception as error:
        record_failure(sources.warehouse, crawl_id, "live", started_at, error)
        raise
    with sources.warehouse.batch("live_crawl") as batch:  # merged together with the row of the publication
        batch.add("crawls", [crawl_row(crawl_id, report)])
        batch.commit({"crawls": Append()})
    known = {token_id for token_id, _, _ in stored}
    unread = {problem.id for problem in (*report.skipped, *report.dropped) if problem.kind == "market"}
    new = sum(len(token_ids - known) for token_ids in live.tokens.values())
    return Built(
        live_content(stored, live.tokens, unread),
        crawl_id,
        report.observed_at,
        _notes(report, len(live.tokens), live.newest()) | {"tokens_not_in_universe_yet": new},
    )


def _build_from_full_crawl(sources: Sources) -> Built:
    stored = crawl_and_store(sources.polymarket, sources.warehouse)
    with sources.warehouse.read() as con:
        content = dict(con.execute("SELECT token_id, live FROM tokens ORDER BY live").fetchall())
        lines = con.execute(
            f"SELECT start_time, title, slug FROM events WHERE live ORDER BY start_time DESC LIMIT {PREVIEW_EVENTS}"  # noqa: S608
        ).fetchall()
        (events,) = con.execute("SELECT count(*) FROM events WHERE live").fetchone() or (0,)
    notes = _notes(stored.report, events, lines)
    return Built(content, stored.crawl_id, stored.report.observed_at, notes | {"full_crawl": True})


def _notes(report: CrawlReport, live_events: int, newest: Sequence[LiveLine]) -> dict[str, Any]:
    return {
        "requests": report.requests,
        "live_events": live_events,
        "filter_ignored_by_server": report.filter_ignored,
        "newest_live_events": list(newest),
    }


SPEC = CacheSpec(
    asset="live_cache",
    file=".live_cache.json",
    format=BOOL_MAP,
    description=(
        "Which tokens are in play now. The bot lets the last retry of a purchase rest 61 s if true, 1800 s if false (some "
        "forks their sales too), and reloads the file every 30 minutes. Stale after 5 minutes."
    ),
    build=build,
    expected=lambda settings: "SELECT token_id FROM tokens",
    value_column=("in_play", "boolean"),
    fresh_within=LIVE_FILE_AGE,
    cron="*/2 * * * *",
)
