"""The copier's bot, as far as polypipe sees it: the log that it writes, one line for each fill of the whale that it saw.

The lines follow from the truth in `copying.py`; what is random in them (how long it took, the order book) from the hash
of the fill. While the copier is offline its bot writes nothing.
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
"""Days before the first start from which a new log has lines, as of a bot that has run for a while."""

_EVERY_SECONDS = 1.0
_FASTEST_MS, _SLOWEST_MS = 3000, 6000  # after the whale's fill: the bot waits for the reply and 2.8 s before it writes
_SILENT = ("offline", "not_started")
_FAK = (
    '{"error":"no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."}'
)
_RED, _YELLOW, _RESET = "\x1b[31m", "\x1b[33m", "\x1b[0m"


def log_lines(truths: list[CopyTruth], after: int, until: int) -> list[str]:
    """The lines logged in (after, until], epoch milliseconds, in the order in which they are written."""
    lines = [line for truth in truths if truth.reason not in _SILENT for line in _within(truth, after, until)]
    return [text for _, text in sorted(lines)]


class BotLog:
    """A `matches_optimized.csv` that grows with the simulated clock. What is in the file is never written again."""

    def __init__(self, ledger: Ledger, clock: Clock, path: Path) -> None:
        self._ledger, self._clock, self._path = ledger, clock, path
        self._stop = threading.Event()

    def follow(self) -> None:
        """Append what comes, until `stop`."""
        while True:
            self.append()
            if self._stop.wait(_EVERY_SECONDS):
                return

    def stop(self) -> None:
        """End `follow` within a second."""
        self._stop.set()

    def append(self) -> int:
        """Write the lines that are due and not in the file; how many. Makes the file when it is not there."""
        now = self._clock.now()
        last = _last_logged(self._path)
        until = int(now * 1000)
        lines = log_lines(self._ledger.copy_truth(now), until - BEGINS_DAYS * DAY * 1000 if last is None else last, until)
        text = "".join(f"{line}\n" for line in ([HEADER, *lines] if last is None else lines))
        if text:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        return len(lines)


def _last_logged(path: Path) -> int | None:
    """When the newest whole line was written, epoch milliseconds; 0 when there is none, None without a file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            whole_lines = file.read().decode("utf-8", "replace").split("\n")[:-1]
    except FileNotFoundError:
        return None
    return max((_milliseconds(line.partition(",")[0]) for line in whole_lines), default=0)


def _milliseconds(text: str) -> int:
    """Epoch milliseconds; 0 for the header, and for the rest of a line whose beginning was not read."""
    try:
        return round(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)
    except ValueError:
        return 0


def _within(truth: CopyTruth, after: int, until: int) -> Iterator[tuple[int, str]]:
    """The line of a fill and when it is written, if that lies within."""
    at = 1000 * truth.whale.at
    if after < at + _SLOWEST_MS and at + _FASTEST_MS <= until:
        r = rng("bot", truth.whale.hash)
        logged_at = at + r.randint(_FASTEST_MS, _SLOWEST_MS)
        if after < logged_at <= until:
            yield logged_at, _line(truth, logged_at, r)


def _line(truth: CopyTruth, logged_at: int, r: Random) -> str:
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
            whale.hash,
            "true" if now.live and not now.ended else "false",
        )
    )


def _status(truth: CopyTruth, r: Random) -> str:
    """`order_status`, in the words of the real bot: colours, and semicolons where there were commas."""
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
    """Price and size of the two best levels of the book; one time in twenty it could not be read."""
    if r.random() < 0.05:
        return ("N/A",) * 4
    best = min(max(whale.price, 0.01), 0.98)
    sizes = [f'"{math.exp(r.uniform(2, 9)):.2f}"' for _ in range(2)]
    return f'"{best:.2f}"', sizes[0], f'"{best + 0.01:.2f}"', sizes[1]
