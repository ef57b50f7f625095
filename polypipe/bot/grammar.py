"""The grammar of the bot's trade log: one line of `matches_optimized.csv` to one typed row. Pure: no files, no tables.

A line is one fill of the whale; what the bot did about it is the text `order_status`. Nothing here raises: what is not
known becomes the outcome `UNKNOWN` or a null named in `problems`, and the line itself is always kept in `raw`.
"""

import math
import re
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

TRADE_LOG_HEADER = (
    "timestamp,block,clob_asset_id,usd_value,shares,price_per_share,direction,order_status,"
    "best_price,best_size,second_price,second_size,tx_hash,is_live"
)

SENT, REJECTED, UNKNOWN = "SENT", "REJECTED", "UNKNOWN"

# What happened to an order that the exchange never answered, by outcome: NONE was not sent, UNKNOWN may have been.
NOT_ANSWERED = {
    "SKIPPED_DISABLED": "NONE",
    "SKIPPED_SMALL": "NONE",
    "SKIPPED_PROBABILITY": "NONE",
    "SKIPPED_NO_POSITION": "NONE",
    "SKIPPED_OTHER": "NONE",
    "MOCK_ONLY": "NONE",
    "AGG_PENDING": "NONE",
    "CB_BLOCKED": "NONE",
    "CB_BOOK_FAIL": "NONE",
    "CB_OTHER": "NONE",
    "RISK_BLOCKED": "NONE",
    "RISK_BOOK_FAIL": "NONE",
    "QUEUE_ERR": "NONE",
    "WORKER_DROPPED": "UNKNOWN",
    "WORKER_TIMEOUT": "UNKNOWN",
    "WORKER_OTHER": "UNKNOWN",
    "EXEC_FAIL": "UNKNOWN",
}
OUTCOMES = (SENT, REJECTED, *NOT_ANSWERED, UNKNOWN)
FAMILIES = ("SKIPPED", "CB", "WORKER")

MAX_REASON = 1000

_COLUMNS = 14
_TRUTH = {"true": True, "false": False}
_SIDES = {"BUY_FILL": "BUY", "SELL_FILL": "SELL", "BUY": "BUY", "SELL": "SELL"}
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PREFIX = re.compile(r"(AGG_FLUSH)\((\d{1,9})\) |(AGG_BYPASS) ")
_N = r"-?\d{1,15}(?:\.\d{1,12})?"
_ORDER = re.compile(
    r"(?:(?P<code>\d{3})(?: [A-Za-z<>' -]*)?|FAILED) "  # 520 <unknown status code>: what has no name in the bot's library
    r"\[(?P<scaling>SCALED|CAPPED|PROB_HIT)(?: \((?P<percent>\d{1,3})%\))?\]"
    rf" \| (?:my (?P<requested>{_N}) @ (?P<limit>{_N})|(?P<got>{_N})/(?P<of>{_N}) filled @ (?P<at>{_N}))"
    rf" \| whale (?P<whale_shares>{_N}) @ (?P<whale_price>{_N})"
    rf"(?: \| (?:⚡ )?(?i:UNDERFILL): (?P<filled>{_N})/{_N} filled[;,] resubmit (?P<resubmit>{_N}))?"
    r"(?: \| (?P<body>.*))?",
    re.DOTALL,
)
_CODE = re.compile(r"([A-Z]+)(_[A-Z_]+)(?::\s*(.*)|\s+\((.*)\)\s*)?", re.DOTALL)
_PERCENT = re.compile(r"PROB_SKIP \((\d{1,3})%\)")
# A build of the bot that says the same in other words.
_OTHER_WORDS = {"🛑 Trading OFF": "SKIPPED_DISABLED", "🎭 Mock Only": "MOCK_ONLY"}
_TOO_SMALL = re.compile(r"⏩ Too Small \((.*)\)")
_ERROR = re.compile(r'"(?:error|errorMsg|error_msg|message)"\s*:\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)


class TradeRow(msgspec.Struct, omit_defaults=True, gc=False):
    """A row of table `trade_log`; the columns are described there. Where it stands in which file is set by the reader."""

    raw: str
    outcome: str = ""
    log_id: str = ""
    byte_offset: int = -1
    day: datetime = datetime.min.replace(tzinfo=UTC)
    logged_at: datetime | None = None
    block: int | None = None
    token_id: str | None = None
    side: str | None = None
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
    tx_hash: str | None = None
    is_live: bool | None = None
    problems: str | None = None


def parse_line(raw: str) -> TradeRow:
    """One line, without its newline, as a row. Never raises; `problems` names the columns that could not be read."""
    row = TradeRow(raw)
    fields = raw.rstrip("\r").split(",")
    if len(fields) > _COLUMNS and fields[-1] in _TRUTH:  # commas that a build of the bot left in the text
        extra = len(fields) - _COLUMNS
        fields[7 : 8 + extra] = [",".join(fields[7 : 8 + extra])]
    elif len(fields) != _COLUMNS:  # torn, or columns that are not known: which value is which is anybody's guess
        row.outcome, row.fill_state, row.problems = UNKNOWN, "UNKNOWN", "columns"
        row.logged_at = instant(fields[0])
        return row
    (time, block, token_id, usd, shares, price, direction, status, best, best_size, second, second_size, tx, live) = fields
    problems: list[str] = []

    row.logged_at = instant(time)
    if row.logged_at is None:
        problems.append("timestamp")
    if block != "MEMPOOL" and (height := _block(block)) != 0:  # the bot writes 0 for a block it was not told
        row.block = height
        if height is None:
            problems.append("block")
    if is_token_id(token_id):
        row.token_id = token_id
    else:
        problems.append("clob_asset_id")
    row.whale_usd = _number(usd, "usd_value", problems)
    row.whale_shares = _number(shares, "shares", problems)
    row.whale_price = _number(price, "price_per_share", problems)
    row.side = _SIDES.get(direction)
    if row.side is None:
        problems.append("direction")
    row.best_price = _level(best, "best_price", problems)
    row.best_size = _level(best_size, "best_size", problems)
    row.second_price = _level(second, "second_price", problems)
    row.second_size = _level(second_size, "second_size", problems)
    if tx:
        row.tx_hash = tx[:100]
        if len(tx) != 66 or not tx.startswith("0x"):
            problems.append("tx_hash")
    row.is_live = _TRUTH.get(live)
    if row.is_live is None:
        problems.append("is_live")
    parse_status(status, row)
    if problems:
        row.problems = ",".join(problems)
    return row


def parse_status(status: str, row: TradeRow) -> None:
    """Fill in what `order_status` says. Uses the row's `side`, which decides what some numbers mean."""
    text = plain_text(status)
    if text.startswith("AGG_") and (prefix := _PREFIX.match(text)):
        row.aggregation = prefix[1] or prefix[3]
        row.aggregated_fills = int(prefix[2]) if prefix[2] else None
        text = text[prefix.end() :]
    if "[" in text and (order := _ORDER.fullmatch(text)) is not None:
        _order(order, row)
        return
    row.outcome, row.reason, row.scaling, row.scaling_percent, row.fill_state, row.resubmitted = _not_ordered(text)


def _order(found: "re.Match[str]", row: TradeRow) -> None:
    """An order that the exchange answered."""
    code, scaling, percent, requested, limit, got, of, at, whale_shares, whale_price, filled, again, body = found.groups()
    row.scaling = scaling
    if percent is not None:
        row.scaling_percent = int(percent)
    row.copied_whale_shares, row.copied_whale_price = float(whale_shares), float(whale_price)
    row.requested_shares = float(requested or of)
    if code is not None:
        row.http_status = int(code)
    if limit is not None:
        row.limit_price = float(limit)
    row.resubmitted = again is not None
    if code is None or code[0] != "2":
        row.outcome, row.fill_state, row.filled_shares = REJECTED, "NONE", 0.0
        row.reason = _error(body) if body else None
        # The bot sends a buy again that found nobody to fill it at once.
        row.resubmitted = row.resubmitted or (code in (None, "400") and row.side == "BUY" and "FAK" in (body or ""))
        return
    row.outcome, row.fill_state = SENT, "ASSUMED_FULL"
    row.reason = body[:MAX_REASON] if body else None
    if again is not None:
        row.resubmit_shares = float(again)
        row.filled_shares, row.fill_state = float(filled), "PARTIAL"
    elif got is not None and got != of:
        if row.side == "BUY":
            row.filled_shares = float(got)
            row.fill_state = "PARTIAL" if row.filled_shares < row.requested_shares else "FULL"
        else:
            row.fill_state = "UNKNOWN"  # of a sale the fork logs the dollars received where it means shares
    if at is not None and row.side == "BUY":
        row.fill_price = float(at)


@lru_cache(maxsize=1000)  # a third of all lines say one of a few dozen texts
def _not_ordered(text: str) -> tuple[str, str | None, str | None, int | None, str, bool | None]:
    """Outcome, reason, scaling and its percent, fill state and resubmitted of a status that tells of no answered order."""
    scaling = percent = None
    if (word := _OTHER_WORDS.get(text)) is not None:
        outcome, reason = word, None
    elif small := _TOO_SMALL.fullmatch(text):
        outcome, reason = "SKIPPED_SMALL", small[1][:MAX_REASON]
    else:
        outcome, reason = _code(text)
        if outcome == "SKIPPED_PROBABILITY" and (found := _PERCENT.fullmatch(reason or "")):
            scaling, percent = "PROB_SKIP", int(found[1])
    return outcome, reason, scaling, percent, NOT_ANSWERED.get(outcome, "UNKNOWN"), None if outcome == UNKNOWN else False


def _code(text: str) -> tuple[str, str | None]:
    """(outcome, reason) of a status that begins with a code, or UNKNOWN."""
    found = _CODE.fullmatch(text)
    if found is None:
        return UNKNOWN, None
    family, rest, after_colon, in_brackets = found.groups()
    detail = after_colon if after_colon is not None else in_brackets
    reason = detail[:MAX_REASON] if detail else None
    if family + rest in NOT_ANSWERED:
        return family + rest, reason
    if family in FAMILIES:
        return f"{family}_OTHER", text[:MAX_REASON]
    return UNKNOWN, None


def _error(body: str) -> str:
    """The exchange's words in an error answer, else the answer itself. Its commas are semicolons by now: no JSON."""
    found = _ERROR.search(body)
    return (found[1] if found and found[1] else body)[:MAX_REASON]


def plain_text(text: str) -> str:
    """Text without ANSI colours, and with letters repaired that the bot's comma replacement took apart byte by byte.

    Repaired only when certain: every character is one byte of what then is valid UTF-8.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if not text.isascii():
        try:
            text = text.encode("latin-1").decode()
        except UnicodeError:  # ordinary letters: nothing to repair
            return text
    return text


def instant(text: str) -> datetime | None:
    """`2026-11-23 12:34:56.789`, which the bot writes in UTC without saying so; None for anything else.

    Nor is a time outside of this century one: it decides of which day the row is, and no clock that is right writes it.
    """
    if len(text) not in (19, 23) or text[10] != " " or text[4] != "-" or text[:2] != "20" or not text.isascii():
        return None
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError:
        return None


def number(text: str) -> float | None:
    """A finite number as programs write it, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text and text.isascii() else None


def unquoted(text: str) -> str:
    """`0.53` for `"0.53"`: some levels of the book are written as JSON text."""
    return text[1:-1] if text[:1] == text[-1:] == '"' else text


@lru_cache(maxsize=10_000)  # a whale comes back to the same tokens
def is_token_id(text: str) -> bool:
    """1 to 78 decimal digits."""
    return text.isdecimal() and text.isascii() and len(text) <= 78


def _block(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 15 else None


def _number(text: str, name: str, problems: list[str]) -> float | None:
    if (value := number(text)) is None:
        problems.append(name)
    return value


def _level(text: str, name: str, problems: list[str]) -> float | None:
    """A price or size of the book; where the bot did not know it, it wrote N/A."""
    if text == "N/A":
        return None
    if (value := _book_number(text)) is None:
        problems.append(name)
    return value


@lru_cache(maxsize=10_000)  # prices are whole cents and many sizes are round: most were read before
def _book_number(text: str) -> float | None:
    return number(unquoted(text))
