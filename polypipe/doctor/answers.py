"""Polymarket's answers, as the checks judge them."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from polypipe.polymarket import Activity, Announcement, PnlPoint, PolymarketError, Position, Standing
from polypipe.polymarket.http import HostName
from polypipe.polymarket.wire import Page

T = TypeVar("T")

HOSTS: tuple[HostName, ...] = ("gamma", "data", "pnl", "clob")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """The value or the error of a request. Both None means that the API has no value; `asked` is False if not asked."""

    value: T | None = None
    error: PolymarketError | None = None
    asked: bool = True


@dataclass(frozen=True)
class Reach:
    """Whether a host answers. `error` says why not, "" if it does; `status` is the HTTP status of any answer.

    `seconds` includes the connection. `ahead` is how far our clock is ahead of the host's and the uncertainty of that,
    in seconds; None without a usable `Date` header. `blocked`: something else answers instead of the host, or ends the
    TLS handshake, as `error` says.
    """

    url: str
    seconds: float = 0.0
    status: int | None = None
    error: str = ""
    ahead: tuple[float, float] | None = None
    blocked: bool = False


@dataclass
class WalletAnswers:
    """Answers about one wallet: its newest activity, newest first, and its standing (None if not known)."""

    activity: Answer[list[Activity]]
    standing: Answer[Standing | None]


@dataclass
class Network:
    """All answers. `probed` is the wallet whose value, positions and PnL were requested.

    It is the whale, else the copier, else the first of the leaderboard. `wallets` is keyed by address; `gamma` also has
    `sports_next` if the listing has a second page.
    """

    reach: dict[HostName, Reach] = field(default_factory=dict)
    gamma: dict[str, Answer[Page]] = field(
        default_factory=lambda: {name: Answer(asked=False) for name in ("sports", "tennis", "live")}
    )
    wallets: dict[str, WalletAnswers] = field(default_factory=dict)
    probed: Answer[str] = field(default_factory=lambda: Answer(asked=False))
    value: Answer[float | None] = field(default_factory=lambda: Answer(asked=False))
    positions: Answer[list[Position]] = field(default_factory=lambda: Answer(asked=False))
    pnl: Answer[list[PnlPoint]] = field(default_factory=lambda: Answer(asked=False))
    announcements: list[Announcement] = field(default_factory=list)

    @property
    def offline(self) -> bool:
        """True if no host answers."""
        return all(reach.error for reach in self.reach.values())
