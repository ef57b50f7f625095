"""What probes look at, as plain values: None or an empty list where nothing is known. Times are UTC, amounts USD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from polypipe.attribution.fills import Fill

Pace = Literal["minute", "daily"]


MANUAL = "manual run of"
"""Kind of a run that a person launched."""


@dataclass(frozen=True)
class FailureStreak:
    """Failures in a row of a job's newest runs, or of a schedule's or sensor's newest ticks, and why the last one failed.

    `pace`: daily when its schedule does not retry within the hour. `kind`: job, schedule, sensor or `MANUAL`.
    """

    kind: str
    name: str
    pace: Pace
    failures: int
    error: str = ""


@dataclass(frozen=True)
class FileState:
    """A file of the bot: its last accepted publication, and why the newest attempt was refused (None: it was accepted).

    `entries` and `sha256` are of the accepted content; None and "" without one.
    """

    name: str
    fresh_within: timedelta
    accepted_at: datetime | None
    refused: str | None
    entries: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class CrawlStreak:
    """Crawls of one kind: incomplete ones in a row, and the error of the newest of these.

    `observed_at`: when the newest complete one began to read; `dropped`: rows that it could not read; `announced`: what the
    API announced to it.
    """

    kind: str
    incomplete: int
    error: str
    observed_at: datetime | None
    dropped: int
    announced: Sequence[str] = ()


@dataclass(frozen=True)
class NewestSnapshot:
    """The newest snapshot. `answered_at` by source (None: never), `reasons` by column; `pnl` is the copier's over 24 h.

    `announced`: what the API announced about the paths of the sources.
    """

    time: datetime
    answered_at: Mapping[str, datetime | None]
    reasons: Mapping[str, str]
    pnl: float | None
    value: float | None
    announced: Sequence[str] = ()


@dataclass(frozen=True)
class SnapshotDay:
    """Times of the snapshots of the last 24 hours, oldest first, and the sources that did not answer the newest one."""

    times: Sequence[datetime]
    silent: Sequence[str]


@dataclass(frozen=True)
class WindowGap:
    """The newest row of copy_quality_daily for one window, which ends at `closes`."""

    closes: datetime
    gap: float | None
    t: float | None
    capital: float | None


@dataclass(frozen=True)
class HeldPosition:
    """A row of table positions."""

    token: str
    title: str
    outcome: str
    status: str
    copier_shares: float
    price: float | None
    whale_out_since: datetime | None
    net_shares: float | None = None
    reason: str = ""
    expected_shares: float | None = None

    @property
    def usd(self) -> float | None:
        """Value of the copier's shares: beyond full sets, or all that can be redeemed."""
        whole = self.status == "resolved" or self.net_shares is None
        shares = self.copier_shares if whole else self.net_shares
        return None if self.price is None or shares is None else shares * self.price


@dataclass(frozen=True)
class ComparedPositions:
    """The newest comparison of both wallets' positions."""

    compared_at: datetime
    rows: Sequence[HeldPosition]
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredExits:
    """The uncopied exits at the end of the newest attributed day: token -> name. `fills_from`: when known fills begin."""

    ends_at: datetime
    fills_from: datetime | None
    tokens: Mapping[str, str]


@dataclass(frozen=True)
class EligibleFill:
    """An eligible fill of the whale, matched with the copier's. Latency in seconds, slippage in cents a share; None where
    nothing was filled. `ambiguous`: the match may be wrong."""

    at: datetime
    latency: float | None
    slippage: float | None
    ambiguous: bool = False


@dataclass(frozen=True)
class CopiedDays:
    """Day -> (copied, eligible) fills of the whale, from `since` to `until`; `ambiguous` of the copied ones. `events`:
    effective number of events."""

    days: Mapping[date, tuple[int, int]]
    ambiguous: int
    events: float
    since: datetime
    until: datetime

    @property
    def copied(self) -> int:
        return sum(copied for copied, _ in self.days.values())

    @property
    def eligible(self) -> int:
        return sum(eligible for _, eligible in self.days.values())


@dataclass(frozen=True)
class CopierPnl:
    """Highest and last value of the copier's cumulative hourly PnL in a window, and the time of the last one."""

    peak: float
    last: float
    at: datetime


@dataclass(frozen=True)
class LogLine:
    """A line of the bot's log of the last hour."""

    at: datetime
    outcome: str
    http_status: int | None
    reason: str
    transaction: str | None
    token: str | None


@dataclass(frozen=True)
class BotLog:
    """The bot's log. `written_at`: when it last grew, None without a file. `read`: no part of it has waited for long to be
    read into its table. `known`: it exists or once did. `copier_fills`: times of the copier's fills of the last hour that
    the bot recorded as filled; an order that was only accepted may rest.
    """

    known: bool
    written_at: datetime | None
    read: bool
    lines: Sequence[LogLine] = ()
    copier_fills: Sequence[datetime] = ()


@dataclass(frozen=True)
class WalletFills:
    """The newest fills of a wallet as the exchange lists them: all since `since`, oldest first.

    `age`: how long a cache had held the listing when it arrived. `newest_row`: time of its newest row of any type.
    `ends_at`: time of its oldest row, where the listing ends as if the wallet had done nothing before.
    """

    since: datetime
    fills: Sequence[Fill]
    age: timedelta = timedelta()
    newest_row: datetime | None = None
    ends_at: datetime | None = None

    @property
    def newest(self) -> datetime | None:
        """Time of the newest fill: how recent the content is, however recent the answer."""
        return datetime.fromtimestamp(self.fills[-1].t, UTC) if self.fills else None


@dataclass(frozen=True)
class NewestFills:
    """The newest fills of both wallets. The whale is read first, so that a copy of its fills is only absent if missed."""

    whale: WalletFills
    copier: WalletFills


@dataclass(frozen=True)
class ProgramHealth:
    """One supervised program. `state` is running, starting (it waits for the code server), stopped by a signal, or gone.

    `memory_bytes` includes its children, None where it cannot be read; `answers` is None where it serves nothing.
    """

    name: str
    state: str
    pid: int | None
    uptime_seconds: float | None
    memory_bytes: int | None
    restarts: int
    answers: bool | None


@dataclass(frozen=True)
class Servers:
    """`polypipe up` on this home (pid None: not running), its programs, and processes left behind by an earlier start."""

    pid: int | None = None
    uptime_seconds: float | None = None
    programs: Sequence[ProgramHealth] = ()
    strays: Sequence[int] = ()


@dataclass(frozen=True)
class LastTick:
    """The last tick of a schedule or sensor; `every_seconds` is None for schedules."""

    name: str
    kind: str
    state: str
    age_seconds: float
    error: str | None
    every_seconds: float | None
    switched_on: bool


@dataclass(frozen=True)
class AbandonedRun:
    """A run that Dagster counts as running although no process works on it."""

    run_id: str
    job: str
    age_seconds: float | None


@dataclass(frozen=True)
class TicksAndRuns:
    """The last tick of each schedule and sensor, and abandoned runs, from Dagster's storage."""

    ticks: Sequence[LastTick] = ()
    abandoned: Sequence[AbandonedRun] = ()


@dataclass(frozen=True)
class RejectedBatch:
    """A batch that cannot be merged, kept in `spool/rejected`."""

    batch: str
    reason: str


@dataclass(frozen=True)
class SpoolState:
    """Batches that wait to be merged, how long each has waited (seconds), rejected batches, and who holds the warehouse."""

    waiting_seconds: Sequence[float] = ()
    rejected: Sequence[RejectedBatch] = ()
    gate: str | None = None
