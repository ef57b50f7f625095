"""One tick of the alerts: read what is, judge it, remember it together with the letters it calls for, send what is due,
call the outside service. Bounded to about 35 s, of the 60 that a sensor has.

The order is what makes it safe: nothing is sent that is not remembered, and the ping comes last, so that it says that all
of this worked. When judging fails, letters that wait are still sent, but there is no ping.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from polypipe.alerts import SENSOR
from polypipe.alerts.channels import Channels
from polypipe.alerts.deliveries import Sent, deliver, enqueue, failing_channels, recover
from polypipe.alerts.digest import compose_digest, due_digest
from polypipe.alerts.messages import Message, compose
from polypipe.alerts.ping import ping
from polypipe.alerts.rules import DIGEST, Rules, load_rules
from polypipe.alerts.state import Entry, step
from polypipe.alerts.store import Book, only_one, read_book, read_mutes, save_book, set_aside
from polypipe.clock import Clock, utc_now
from polypipe.errors import PolypipeError
from polypipe.health import machine
from polypipe.health import tables as stored
from polypipe.health.copying import COPYING
from polypipe.health.dagster_adapter import read_failing
from polypipe.health.facts import Look, Situation
from polypipe.health.finding import Reading
from polypipe.health.newest_fills import look
from polypipe.health.pipeline import PIPELINE, evaluate
from polypipe.health.quality import QUALITY
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import Settings
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb

SENDING_ENDS = 14.0
"""Seconds after the start of a tick at which no further sending begins; one that has begun may take 15 s more."""


@dataclass(frozen=True)
class Place:
    """Where the alerts look."""

    settings: Settings
    warehouse: Warehouse
    polymarket: Polymarket
    instance: dg.DagsterInstance
    repository: dg.RepositoryDefinition


@dataclass(frozen=True)
class Judged:
    """What came of judging: the readings, what is to be remembered, and the messages that are to be sent (the digest among
    them), or only shown because of a dry run or for want of channels."""

    rules: Rules
    readings: Sequence[Reading]
    entries: list[Entry]
    digested: str
    looked_at: datetime | None
    messages: Sequence[Message]
    dry: Sequence[Message]


@dataclass
class Tick:
    """What a tick did, for its log. `ping_failed` is None when the service was called, or none is set."""

    judged: Judged
    sent: list[Sent] = field(default_factory=list)
    waiting: int = 0
    ping_failed: str | None = None


def run_tick(place: Place, clock: Clock = utc_now) -> Tick:
    """One whole tick. Raises `Locked` while another one is at work, and whatever reading the situation raises."""
    began = time.monotonic()
    settings, home = place.settings, place.settings.home
    channels = Channels(settings.alert_urls, settings.simulated)
    with only_one(home):
        now = clock()
        book, damage = read_book(home, now)
        recover(book, now)

        def send_what_is_due() -> list[Sent]:
            return deliver(
                book,
                channels.send,
                lambda: save_book(home, book),
                clock,
                lambda: time.monotonic() - began < SENDING_ENDS,
            )

        try:
            judged = judge(place, book, load_rules(home, remember=True), now, damage)
            if damage is not None:
                set_aside(home, now)
            book.entries, book.digested, book.looked_at = judged.entries, judged.digested, judged.looked_at
            enqueue(book, judged.messages, channels.names, now)
            save_book(home, book)
        except Exception:
            send_what_is_due()
            raise
        tick = Tick(judged, send_what_is_due(), len(book.letters))
    if settings.ping_url is not None:
        tick.ping_failed = ping(settings.ping_url)
    return tick


def judge(place: Place, book: Book, rules: Rules, now: datetime, damage: str | None = None) -> Judged:
    """Read and judge everything. Nothing is sent or stored, and the book stays as it is."""
    settings = place.settings
    mutes = read_mutes(settings.home, now)
    audible = bool(settings.alert_urls)
    wallets = settings.wallets
    seen, blind = _look(place.polymarket, wallets, now)  # before the tables are opened: it may take seconds
    with place.warehouse.read() as con:
        situation = _situation(con, place, rules, book, now, damage, seen, blind)
        readings = evaluate(situation, rules.rules, (*PIPELINE, *COPYING, *QUALITY))
        entries, transitions = step(book.entries, readings, rules.rules, mutes, now, audible)
        messages = compose((one for one in transitions if not one.dry), rules.rules, now)
        dry = compose((one for one in transitions if one.dry), rules.rules, now)
        digested, day = due_digest(book.digested, rules.digest, now)
        if day is not None and not rules.digest.mute and DIGEST not in mutes:
            told = messages if audible and not rules.digest.dry_run else dry
            down = failing_channels(book)
            told.append(compose_digest(con, wallets, day, situation, entries, dict(rules.rules), down))
    return Judged(rules, readings, entries, digested, situation.looked_at, messages, dry)


def _look(polymarket: Polymarket, wallets: Wallets | None, now: datetime) -> tuple[Look | None, str]:
    if wallets is None:
        return None, ""
    try:
        return look(polymarket, wallets, now), ""
    except PolypipeError as error:
        return None, str(error)


def _situation(
    con: "duckdb.DuckDBPyConnection",
    place: Place,
    rules: Rules,
    book: Book,
    now: datetime,
    damage: str | None,
    seen: Look | None,
    blind: str,
) -> Situation:
    wallets = place.settings.wallets
    pipeline = Situation(
        now=now,
        watching_since=min(book.watching_since, now),
        wallets=wallets,
        rules_error=rules.error,
        state_error=damage,
        failing=read_failing(place.instance, place.repository, SENSOR),
        files=stored.read_files(con, now),
        crawls=stored.read_crawls(con, now),
        versions=stored.read_versions(con),
        log=machine.read_log(con, place.settings, now),
        look=seen,
        look_failed=blind,
        looked_at=now if seen is not None else book.looked_at and min(book.looked_at, now),
        free=machine.free_bytes(place.settings),
    )
    if wallets is None:
        return pipeline
    gap_days = int(rules.rules["copy_gap"].limit("days"))
    peak, last, pnl_at = stored.read_pnl(con, wallets, now, rules.rules["drawdown"].limit("days"))
    return replace(
        pipeline,
        snapshot=stored.read_snapshot(con, wallets, now),
        quality=stored.read_quality(con, wallets, gap_days),
        positions=stored.read_positions(con, wallets),
        copied=stored.read_copied(con, wallets, now),
        pairs=stored.read_pairs(con, wallets, now),
        peak_pnl=peak,
        last_pnl=last,
        pnl_at=pnl_at,
    )
