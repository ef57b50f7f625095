"""The rows of the tables `trade_log` and `own_fills`: one for each line of the bot's logs.

The reader of a log sets `log_id`, `byte_offset` and `day`; the parser of its lines sets the other fields.
"""

import hashlib
from datetime import UTC, datetime

import msgspec

RAW_BYTES = 4096
"""Bytes of a line that its row keeps."""


class LogRow(msgspec.Struct, omit_defaults=True, gc=False):
    """The columns that both tables have."""

    raw: str
    raw_bytes: int | None = None
    raw_sha256: str | None = None
    log_id: str = ""
    byte_offset: int = -1
    day: datetime = datetime.min.replace(tzinfo=UTC)
    logged_at: datetime | None = None
    block: int | None = None
    token_id: str | None = None
    side: str | None = None
    tx_hash: str | None = None
    problems: str | None = None

    def shorten(self, line: bytes, size: int, sha256: str | None) -> None:
        """Keep the beginning of a long line, with the size and SHA-256 of all of it. `line` are its bytes in the file."""
        self.raw = shortened(self.raw)
        self.raw_bytes, self.raw_sha256 = size, sha256 or hashlib.sha256(line).hexdigest()


def shortened(text: str) -> str:
    """At most `RAW_BYTES` bytes of a text in UTF-8."""
    return text.encode("utf-8", "surrogatepass")[:RAW_BYTES].decode("utf-8", "ignore")


class TradeRow(LogRow, omit_defaults=True, gc=False):
    """A row of table `trade_log`; the migrations describe the columns."""

    outcome: str = ""
    whale_usd: float | None = None
    whale_shares: float | None = None
    whale_price: float | None = None
    aggregation: str | None = None
    aggregated_fills: int | None = None
    scaling: str | None = None
    scaling_percent: int | None = None
    requested_shares: float | None = None
    limit_price: float | None = None
    filled_shares: float | None = None
    fill_price: float | None = None
    fill_state: str | None = None
    copied_whale_shares: float | None = None
    copied_whale_price: float | None = None
    resubmitted: bool | None = None
    resubmit_shares: float | None = None
    http_status: int | None = None
    reason: str | None = None
    best_price: float | None = None
    best_size: float | None = None
    second_price: float | None = None
    second_size: float | None = None
    is_live: bool | None = None


class OwnFillRow(LogRow, omit_defaults=True, gc=False):
    """A row of table `own_fills`; the migrations describe the columns."""

    usd: float | None = None
    shares: float | None = None
    price: float | None = None
    ask1_price: float | None = None
    ask1_size: float | None = None
    ask2_price: float | None = None
    ask2_size: float | None = None
    bid1_price: float | None = None
    bid1_size: float | None = None
    bid2_price: float | None = None
    bid2_size: float | None = None
