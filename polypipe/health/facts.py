"""What is, as far as the conditions need it: plain values, with None or an empty list where nothing is known.

Who reads them: `stored.py` (the tables), `pipeline.py` (Dagster), `look.py` (the wallets, now), `machine.py` (files and
disk).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from polypipe.attribution.fills import Fill
from polypipe.wallets import Wallets

Pace = Literal["minute", "daily"]


@dataclass(frozen=True)
class Failing:
    """The newest finished runs of a job, or ticks of a schedule or sensor: how many failed in a row, and why the last one.

    `pace`: daily when its schedule is not tried again within the hour. `kind`: job, schedule or sensor.
    """

    kind: str
    name: str
    pace: Pace
    failures: int
    error: str = ""


@dataclass(frozen=True)
class File:
    """A file of the bot: the last publication that was accepted, and why the newest attempt after it was refused."""

    name: str
    fresh_within: timedelta
    accepted_at: datetime | None
    refused: str | None


@dataclass(frozen=True)
class Crawl:
    """The crawls of one kind: incomplete ones in a row, why the newest of these, and what the newest complete one dropped.

    `observed_at`: when the newest complete one began to read.
    """

    kind: str
    incomplete: int
    error: str
    observed_at: datetime | None
    dropped: int


@dataclass(frozen=True)
class Snapshot:
    """The newest divergence snapshot. `answered_at` by source, None: never. USD; `pnl` over 24 h; None is unknown."""

    time: datetime
    answered_at: Mapping[str, datetime | None]
    reasons: Mapping[str, str]
    pnl: float | None
    value: float | None


@dataclass(frozen=True)
class Quality:
    """The newest row of copy_quality_daily for one window. USD; None is unknown."""

    closes: datetime
    gap: float | None
    t: float | None
    capital: float | None


@dataclass(frozen=True)
class Held:
    """A row of table positions."""

    token: str
    title: str
    outcome: str
    status: str
    copier_shares: float
    price: float | None
    whale_out_since: datetime | None

    @property
    def usd(self) -> float | None:
        """What the copier's shares are worth."""
        return None if self.price is None else self.copier_shares * self.price


@dataclass(frozen=True)
class Positions:
    """The newest comparison of both wallets' positions."""

    compared_at: datetime
    rows: Sequence[Held]


@dataclass(frozen=True)
class Copied:
    """One eligible fill of the whale, matched with the copier's. Latency in seconds, slippage in cents a share; None where
    nothing was filled."""

    at: datetime
    order_sent: bool
    latency: float | None
    slippage: float | None


@dataclass(frozen=True)
class Logged:
    """A line of the bot's log of the last hour."""

    at: datetime
    outcome: str
    http_status: int | None
    reason: str
    transaction: str | None
    token: str | None


@dataclass(frozen=True)
class BotLog:
    """The bot's log. `written_at`: when it last grew; None without a file. `read`: nothing of it waits to be read, or not
    for long. `known`: there is one or was one."""

    known: bool
    written_at: datetime | None
    read: bool
    lines: Sequence[Logged] = ()


@dataclass(frozen=True)
class Seen:
    """The newest fills of one wallet, as the exchange has them now: all since `since`, oldest first."""

    since: datetime
    fills: Sequence[Fill]


@dataclass(frozen=True)
class Look:
    """Both wallets, looked at now: the whale first, so that a copy of what it did can only be missing if it is."""

    whale: Seen
    copier: Seen


@dataclass(frozen=True)
class Situation:
    """Everything at one instant. `look` is None with the reason in `look_failed`, or without wallets. `looked_at`: when a
    look last succeeded; None: never.

    `pairs`: copier's over whale's shares of the fills that show the ratio at which the bot copies (see stored.py).
    `peak_pnl`, `last_pnl`: of the copier's cumulative PnL in the last days, USD, `pnl_at` the last point.
    `free`: bytes by place.
    """

    now: datetime
    watching_since: datetime
    wallets: Wallets | None = None
    rules_error: str | None = None
    state_error: str | None = None
    failing: Sequence[Failing] = ()
    files: Sequence[File] = ()
    crawls: Sequence[Crawl] = ()
    versions: Mapping[str, int] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    quality: Quality | None = None
    positions: Positions | None = None
    copied: Sequence[Copied] = ()
    pairs: Sequence[float] = ()
    peak_pnl: float | None = None
    last_pnl: float | None = None
    pnl_at: datetime | None = None
    log: BotLog = field(default_factory=lambda: BotLog(False, None, True))
    look: Look | None = None
    look_failed: str = ""
    looked_at: datetime | None = None
    free: Mapping[str, int] = field(default_factory=dict)
