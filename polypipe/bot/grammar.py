"""The grammar of the bot's trade log: parses a line of `matches_optimized.csv` into a typed row. Pure functions.

A line is one fill of the whale; its text `order_status` says what the bot did about it. Nothing here raises: an unknown
status gets the outcome `UNKNOWN`, an unreadable value is null and named in `problems`, and `raw` always keeps the line.
"""

import re
from functools import lru_cache

from polypipe.bot.log_rows import TradeRow
from polypipe.bot.order_status import UNKNOWN, parse_status
from polypipe.bot.values import SIDES, instant, is_token_id, number, unquoted

TRADE_LOG_HEADER = (
    "timestamp,block,clob_asset_id,usd_value,shares,price_per_share,direction,order_status,"
    "best_price,best_size,second_price,second_size,tx_hash,is_live"
)

_COLUMNS = 14
_TRUTH = {"true": True, "false": False}
_OF_JOINED = re.compile(r"AGG_\d{1,9}_\d{1,78}")
"""What a bot that joins fills writes as the transaction of their common order: number of fills, start of the token."""


def parse_line(raw: str) -> TradeRow:
    """Parse one line, without its newline. Never raises; `problems` names the columns that could not be read."""
    row = TradeRow(raw)
    fields = raw.rstrip("\r").split(",")
    if len(fields) > _COLUMNS and fields[-1] in _TRUTH:  # some builds of the bot leave commas in the text
        extra = len(fields) - _COLUMNS
        fields[7 : 8 + extra] = [",".join(fields[7 : 8 + extra])]
    elif len(fields) != _COLUMNS:  # torn, or unknown columns: values cannot be assigned to columns
        row.outcome, row.fill_state, row.problems = UNKNOWN, "UNKNOWN", "columns"
        row.logged_at = instant(fields[0])
        return row
    (time, block, token_id, usd, shares, price, direction, status, best, best_size, second, second_size, tx, live) = fields
    problems: list[str] = []

    row.logged_at = instant(time)
    if row.logged_at is None:
        problems.append("timestamp")
    if block != "MEMPOOL" and (height := _block(block)) != 0:  # the bot writes 0 for an unknown block
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
    row.side = SIDES.get(direction)
    if row.side is None:
        problems.append("direction")
    row.best_price = _level(best, "best_price", problems)
    row.best_size = _level(best_size, "best_size", problems)
    row.second_price = _level(second, "second_price", problems)
    row.second_size = _level(second_size, "second_size", problems)
    if tx and not _OF_JOINED.fullmatch(tx):
        row.tx_hash = tx[:100].lower()
        if len(tx) != 66 or not row.tx_hash.startswith("0x"):
            problems.append("tx_hash")
    row.is_live = _TRUTH.get(live)
    if row.is_live is None:
        problems.append("is_live")
    parse_status(status, row)
    if problems:
        row.problems = ",".join(problems)
    return row


def _block(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= 15 else None


def _number(text: str, name: str, problems: list[str]) -> float | None:
    if (value := number(text)) is None:
        problems.append(name)
    return value


def _level(text: str, name: str, problems: list[str]) -> float | None:
    """A price or size of the book. N/A, written where the bot did not know it, is null and not a problem."""
    if text == "N/A":
        return None
    if (value := _book_number(text)) is None:
        problems.append(name)
    return value


@lru_cache(maxsize=10_000)  # prices are whole cents and many sizes are round, so most repeat
def _book_number(text: str) -> float | None:
    return number(unquoted(text))
