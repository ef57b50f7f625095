"""Limits of health and freshness, computed from the settings in one place.

Assets, asset checks, `polypipe status`, `/healthz`, the page, doctor and the alerts' defaults all take theirs from here, so
that they agree on what is stale. Ground: imports nothing above `settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from polypipe.settings import Settings

UNIVERSE_AGE = timedelta(minutes=45)
"""Age limit of the stored universe and of every file built from it. The bot looks every 30 minutes."""

LIVE_FILE_AGE = timedelta(minutes=5)
"""Age limit of `.live_cache.json`, which is built every 2 minutes."""

POSITIONS_AGE = timedelta(minutes=20)
"""Age limit of the comparison of positions, which is made every 5 minutes."""

EXPORT_AGE = timedelta(minutes=45)
"""Age limit of `divergence_data.db`, which is written every 10 minutes."""

DAILY_AGE = timedelta(days=2)
"""Age limit of the end of the newest computed day; older daily numbers do not describe the present."""

DAY_GRACE = timedelta(hours=2)
"""Time after midnight UTC until yesterday must be stored."""

HISTORY_DAYS = 30
"""Newest days that the checks of history cover."""

SPOOL_WAIT = timedelta(minutes=2)
"""Longest wait of a batch in the spool. Writers hold the warehouse for 2 s at most."""

DAEMON_SILENT = timedelta(minutes=2)
"""Longest time without any tick. Some sensor ticks every 15 s."""

NOTHING_PUBLISHED = timedelta(minutes=10)
"""Longest time without a new version of the tables. Something is written every 2 minutes."""

REBUILT_SHOWN = timedelta(minutes=3)
"""How long a rebuilt database still counts as damaged, so that the alerts, which are evaluated every minute, see it."""

LOG_UNREAD = timedelta(minutes=10)
"""Longest time until a change of the bot's log is in its table; the log is read within a minute or two."""

LOG_CONFIRMED = timedelta(hours=6)
"""Time after which an unchanged log is read again, which confirms it."""

LOG_CONFIRMED_AGE = timedelta(hours=12)
"""Age limit of the last read of the bot's log: two confirmations."""

LEAST_SNAPSHOT_AGE = timedelta(minutes=5)
LEAST_SNAPSHOT_GAP = timedelta(minutes=3)
MISSED_SNAPSHOTS = 3


@dataclass(frozen=True)
class Number:
    """A number that `alerts.toml` may change: its default, the lowest and highest value allowed, and its unit in words."""

    default: float
    low: float
    high: float
    unit: str


_USD = (0.01, 1e9, "USD")
_IN_A_ROW = (1, 1000, "in a row")
_OF_CAPITAL = (0.0, 1000.0, "percent of the copier's capital")
_FILLS = Number(100, 20, 1000, "fills")

NUMBERS: Mapping[str, Mapping[str, Number]] = {
    "run_failed": {"failures": Number(3, *_IN_A_ROW)},
    "tick_failing": {"failures": Number(3, *_IN_A_ROW)},
    "crawl_incomplete": {"failures": Number(3, *_IN_A_ROW)},
    "source_stale": {"minutes": Number(LEAST_SNAPSHOT_AGE / timedelta(minutes=1), 2, 1440, "minutes")},
    "contract_drift": {"dropped": Number(50, 1, 1e6, "rows of a crawl that could not be read")},
    "disk_low": {"gigabytes": Number(2, 0.001, 1e6, "GB free")},
    "missed_copy": {"usd": Number(100, *_USD), "seconds": Number(180, 30, 600, "seconds after the whale's fill")},
    "uncopied_exit": {"usd": Number(25, *_USD)},
    "bot_silent": {"fills": Number(5, 1, 100, "fills")},
    "failure_burst": {
        "count": Number(5, 2, 1000, "failures for one reason"),
        "minutes": Number(10, 1, 60, "minutes"),
    },
    "daily_loss": {"usd": Number(100, *_USD), "percent": Number(20, *_OF_CAPITAL)},
    "unredeemed": {"usd": Number(50, *_USD)},
    "copy_gap": {
        "usd": Number(100, *_USD),
        "percent": Number(5, *_OF_CAPITAL),
        "days": Number(7, 1, 30, "days: 1, 7 or 30"),
        "t": Number(2, 0, 100, "lowest |t|"),
    },
    "ratio_mismatch": {"percent": Number(5, 0.1, 1000, "percent off the setting")},
    "slippage": {"cents": Number(3, 0.01, 100, "cents a share, 95 % of fills"), "fills": _FILLS},
    "latency": {"seconds": Number(120, 1, 3600, "seconds, 95 % of fills"), "fills": _FILLS},
    "copy_rate": {"percent": Number(70, 0, 100, "percent"), "fills": _FILLS},
    "drawdown": {
        "usd": Number(200, *_USD),
        "percent": Number(50, *_OF_CAPITAL),
        "days": Number(30, 1, 90, "days"),
    },
}
"""Rule -> name -> number."""


@dataclass(frozen=True)
class Limits:
    """The limits in force. `interval`: time between snapshots; `changed`: (rule, name) -> value that `alerts.toml` sets."""

    interval: timedelta = timedelta(minutes=1)
    changed: Mapping[tuple[str, str], float] = field(default_factory=dict)

    @property
    def snapshot(self) -> timedelta:
        """Age limit of the newest snapshot and of each source's last answer: never below three intervals."""
        return max(self._source_stale or LEAST_SNAPSHOT_AGE, MISSED_SNAPSHOTS * self.interval)

    @property
    def snapshot_gap(self) -> timedelta:
        """Longest distance of two snapshots without a gap between them; a late tick and an outage's retries fit into it."""
        return max(LEAST_SNAPSHOT_GAP, MISSED_SNAPSHOTS * self.interval)

    @property
    def fills(self) -> timedelta:
        """Age limit of the last read of both wallets' newest fills, which each tick of the alerts reads."""
        return self._source_stale or LEAST_SNAPSHOT_AGE

    @property
    def free_gigabytes(self) -> float:
        """Least room on a disk, in GB."""
        return self.number("disk_low", "gigabytes")

    def number(self, rule: str, name: str) -> float:
        """A number of a rule: the user's, else the default."""
        if (rule, name) == ("source_stale", "minutes"):
            return self.snapshot / timedelta(minutes=1)
        return self.changed.get((rule, name), NUMBERS[rule][name].default)

    @property
    def _source_stale(self) -> timedelta | None:
        minutes = self.changed.get(("source_stale", "minutes"))
        return None if minutes is None else timedelta(minutes=minutes)


def limits(settings: Settings) -> Limits:
    """The limits of these settings, without what `alerts.toml` changes."""
    return Limits(timedelta(seconds=settings.snapshot_seconds))
