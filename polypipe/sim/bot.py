"""The trade log of the copier's bot: one line for each whale fill that the bot saw.

Lines are derived from `CopyTruth`; their random parts (delay, order book) are seeded by the fill's transaction hash.
The bot writes nothing while the copier is offline.
"""

import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from polypipe.sim.clock import Clock
from polypipe.sim.copier import CopyTruth
from polypipe.sim.ledger import Ledger
from polypipe.sim.life import state
from polypipe.sim.model import rng
from polypipe.sim.wallets import DAY, Act

HEADER = (
    "timestamp,block,clob_asset_id,usd_value,shares,price_per_share,direction,order_status,"
    "best_price,best_size,second_price,second_size,tx_hash,is_live"
)
BEGINS_DAYS = 30
"""A new log starts this many days back, as if the bot had been running."""

_EVERY_SECONDS = 1.0
_FASTEST_MS, _SLOWEST_MS = (
    3000,
    6000,
)  # after the whale's fill: the bot writes 2.8 s after the reply
_SILENT = ("offline", "not_started", "combo")
_FAK = (
    '{"error":"no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."}'
)
_RED, _YELLOW, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[0m"


def log_lines(truths: list[CopyTruth], after: int, until: int, *, upper_hashes: bool = False) -> list[str]:
    """The lines logged in (after, until], epoch milliseconds, in write order.

    `upper_hashes` writes transaction hashes in capitals, unlike the API.
    """
    seen = [truth for truth in truths if truth.reason not in _SILENT]
    lines = [line for truth in seen for line in _within(truth, after, until, upper_hashes)]
    return [text for _, text in sorted(lines)]


class BotLog:
    """A `matches_optimized.csv` that grows with the simulated clock. Lines are only appended, each once.

    `upper_hashes` as for `log_lines`.
    """

    def __init__(self, ledger: Ledger, clock: Clock, path: Path, *, upper_hashes: bool = False) -> None:
        self._ledger, self._clock, self._path = ledger, clock, path
        self._upper_hashes = upper_hashes
        self._stop = threading.Event()

    def follow(self) -> None:
        """Append new lines every second until `stop` is called."""
        while True:
            self.append()
            if self._stop.wait(_EVERY_SECONDS):
                return

    def stop(self) -> None:
        """End `follow` within a second."""
        self._stop.set()

    def append(self) -> int:
        """Append the lines that are due; returns their number. Creates the file if it is missing."""
        now = self._clock.now()
        last = _last_logged(self._path)
        until = int(now * 1000)
        begins = until - BEGINS_DAYS * DAY * 1000 if last is None else last
        lines = log_lines(self._ledger.copy_truth(now), begins, until, upper_hashes=self._upper_hashes)
        text = "".join(f"{line}\n" for line in ([HEADER, *lines] if last is None else lines))
        if text:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        return len(lines)


def _last_logged(path: Path) -> int | None:
    """Time of the newest complete line, epoch milliseconds; 0 if the file has none, None if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            whole_lines = file.read().decode("utf-8", "replace").split("\n")[:-1]
    except FileNotFoundError:
        return None
    return max((_milliseconds(line.partition(",")[0]) for line in whole_lines), default=0)


def _milliseconds(text: str) -> int:
    """Epoch milliseconds; 0 for the header and for the tail of a line whose start was not read."""
    try:
        return round(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)
    except ValueError:
        return 0


def _within(truth: CopyTruth, after: int, until: int, upper: bool) -> Iterator[tuple[int, str]]:
    """(time, line) of a fill, if it is logged in (after, until]."""
    at = 1000 * truth.whale.at
    if after < at + _SLOWEST_MS and at + _FASTEST_MS <= until:
        r = rng("bot", truth.whale.hash)
        logged_at = at + r.randint(_FASTEST_MS, _SLOWEST_MS)
        if after < logged_at <= until:
            yield logged_at, _line(truth, logged_at, r, upper)


def _line(truth: CopyTruth, logged_at: int, r: Random, upper: bool) -> str:
    whale = truth.whale
    assert whale.market is not None
    now = state(whale.market.event, whale.at)
    time = datetime.fromtimestamp(logged_at // 1000, UTC) + timedelta(milliseconds=logged_at % 1000)
    return ",".join(
        (
            time.replace(tzinfo=None).isoformat(" ", "milliseconds"),
            "MEMPOOL" if r.random() < 0.05 else str(40_000_000 + whale.at // 2),
            whale.token,
            f"{whale.usdc:.2f}",
            f"{whale.size:.6f}",
            f"{whale.price:.4f}",
            f"{whale.side}_FILL",
            _status(truth, r),
            *_levels(whale, r),
            f"0x{whale.hash[2:].upper()}" if upper else whale.hash,
            "true" if now.live and not now.ended else "false",
        )
    )


def _status(truth: CopyTruth, r: Random) -> str:
    """`order_status` in the real bot's wording: with ANSI colours, and semicolons in place of commas."""
    whale, copy = truth.whale, truth.copy
    skipped = {
        "small": "SKIPPED_SMALL (<10 shares)",
        "below_minimum": f"SKIPPED_PROBABILITY (PROB_SKIP ({r.randint(5, 95)}%))",
        "no_position": "SKIPPED_NO_POSITION",
        "breaker": f"CB_BLOCKED:{r.choice(('TRIPPED', 'TRAP'))}",
        "book_failed": "CB_BOOK_FAIL:request timed out",
    }
    if truth.reason in skipped:
        return skipped[truth.reason]
    limit = copy.price if copy else whale.price
    ordered = f"[SCALED] | my {truth.wanted:.2f} @ {_RED}{limit:.2f}{_RESET} | whale {whale.size:.1f} @ {whale.price:.2f}"
    if copy is None:
        return f"400 Bad Request {ordered} | {_FAK}"
    if copy.size < 0.99 * truth.wanted:
        rest = f"{copy.size:.2f}/{truth.wanted:.2f} filled; resubmit {truth.wanted - copy.size:.2f}"
        return f"200 OK {ordered} | {_YELLOW}UNDERFILL: {rest}{_RESET}"
    return f"200 OK {ordered}"


def _levels(whale: Act, r: Random) -> tuple[str, str, str, str]:
    """Price and size of the two best levels of the book; N/A for one fill in twenty."""
    if r.random() < 0.05:
        return ("N/A",) * 4
    best = min(max(whale.price, 0.01), 0.98)
    sizes = [f'"{math.exp(r.uniform(2, 9)):.2f}"' for _ in range(2)]
    return f'"{best:.2f}"', sizes[0], f'"{best + 0.01:.2f}"', sizes[1]
