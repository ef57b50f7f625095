"""`polypipe watch`: poll both wallets, show the gap, save every sample.

Imports neither DuckDB nor Dagster, so that it starts fast and needs no database.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TextIO

from polypipe.clock import Clock, utc_now
from polypipe.divergence.sources import DEADLINE_SECONDS, fetch
from polypipe.divergence.watch_sample import LabelledWallet, Sample, WatchedPair, json_line, sample_of
from polypipe.divergence.watch_session import Session
from polypipe.divergence.watch_view import block, live_panel, summary
from polypipe.errors import PolypipeError
from polypipe.files import flush
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketHttp
from polypipe.polymarket.errors import one_line
from polypipe.settings import Settings

MIN_PAUSE = 0.05  # seconds between updates, even after a slow one: signals are handled in it

LEAST_SECONDS = 1.0
"""Seconds that an update may take even if the watch ends before: a healthy API answers in less."""

Show = Callable[[Sample], None]


@dataclass(frozen=True)
class Options:
    """`interval` and `duration` in seconds; without `duration` it runs until interrupted."""

    interval: float = 60.0
    duration: float | None = None
    once: bool = False
    as_json: bool = False
    save: Path | None = None


def watch(
    settings: Settings,
    options: Options,
    out: TextIO,
    err: TextIO,
    polymarket: Polymarket | None = None,
    clock: Clock = utc_now,
) -> int:
    """Watch until the duration ends, Ctrl-C or SIGTERM; return the exit code.

    A terminal shows a panel, other outputs get a block of text per update. With `as_json` each update is one line of
    JSON, and text for people goes to `err`. The exit code is 1 only if no source answered with `once`.
    Raises PolypipeError: a wallet is not set, or the file to save to cannot be written.
    """
    pair = pair_of(settings)
    session = Session(pair, options.interval, clock())
    file = _open(options.save) if options.save else None
    with file or nullcontext(), _showing(session, options, out, clock) as show:

        def take(sample: Sample) -> None:
            session.add(sample)
            if file and options.save:
                _append(file, options.save, json_line(sample, pair))
                session.saved += 1
            show(sample)

        with suppress(asyncio.CancelledError):  # by a signal: the ordinary end of a watch
            (polymarket or Polymarket.of(settings)).run(lambda http: _updates(http, session, options, take, clock))
    if not options.once:
        print(summary(session, options.save), file=err if options.as_json else out, flush=True)
    return 1 if options.once and session.outages else 0


def pair_of(settings: Settings) -> WatchedPair:
    """The pair from the settings. Raises PolypipeError naming the missing options."""
    copier, whale = settings.copier_address, settings.whale_address
    missing = [
        f"--{who} or {name}"
        for who, name, address in (
            ("copier", "POLYPIPE_COPIER_ADDRESS", copier),
            ("whale", "POLYPIPE_WHALE_ADDRESS", whale),
        )
        if address is None
    ]
    if copier is None or whale is None:
        raise PolypipeError(f"no wallets to compare: set {' and '.join(missing)}")
    return WatchedPair(
        LabelledWallet(one_line(settings.copier_label), copier),
        LabelledWallet(one_line(settings.whale_label), whale),
        settings.scaling_ratio,
        settings.simulated,
    )


async def _updates(http: PolymarketHttp, session: Session, options: Options, take: Show, clock: Clock) -> None:
    """Fetch, pass on, wait. Updates start `interval` apart, or as soon as the last one is done."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    pair = session.pair
    due = time.monotonic()
    ends_at = None if options.duration is None else due + options.duration
    while True:
        left = DEADLINE_SECONDS if ends_at is None else max(LEAST_SECONDS, ends_at - time.monotonic())
        seconds = min(left, DEADLINE_SECONDS)  # retries of an outage would run past the end
        fetched = await fetch(http, pair.copier.address, pair.whale.address, clock, seconds)
        before = session.samples[-1].answered if session.samples else {}
        take(sample_of(fetched, pair.ratio, before))
        due = max(due + options.interval, time.monotonic() + MIN_PAUSE)
        if options.once:
            return
        if ends_at is not None and due >= ends_at:
            await asyncio.sleep(max(0.0, ends_at - time.monotonic()))
            return
        await asyncio.sleep(due - time.monotonic())


@contextmanager
def _showing(session: Session, options: Options, out: TextIO, clock: Clock) -> Iterator[Show]:
    """The function that shows a sample: as JSON, as text, or in a panel."""

    def line(sample: Sample) -> None:
        print(json_line(sample, session.pair), file=out, flush=True)

    def text(sample: Sample) -> None:
        print(block(sample, session.pair), end="\n\n", file=out, flush=True)

    if options.as_json:
        yield line
    elif options.once or not out.isatty():
        yield text
    else:
        with live_panel(session, out, clock) as live:
            yield lambda _: live.refresh()


def _open(path: Path) -> FileIO:
    """Open the file to append to, positioned at the start of a line. Raises PolypipeError."""
    try:
        file = path.open("a+b", buffering=0)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                file.write(b"\n")  # a crash cut the last line; only that one is lost
        return file
    except OSError as error:
        raise PolypipeError(f"{path} cannot be written: {error.strerror}") from error


def _append(file: FileIO, path: Path, line: str) -> None:
    """Append one line and sync it before the next update. Raises PolypipeError."""
    data = line.encode() + b"\n"
    try:
        if file.write(data) < len(data):
            raise PolypipeError(f"{path} cannot be written: the disk is full")
        flush(file.fileno())
    except OSError as error:
        raise PolypipeError(f"{path} cannot be written: {error.strerror}") from error
