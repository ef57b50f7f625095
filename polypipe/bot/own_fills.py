"""The grammar of the trade monitor's log, `my_fills.csv`: one line for each fill of the copier.

A line has two levels of each side of the book. Pure functions: every line becomes a row, unreadable values are null and
named in `problems`.
"""

from polypipe.bot.log_rows import OwnFillRow
from polypipe.bot.values import SIDES, instant, is_token_id, number, unquoted

OWN_FILLS_HEADER = (
    "timestamp,block,clob_asset_id,usd_value,shares,price_per_share,direction,ask1_price,ask1_size,ask2_price,"
    "ask2_size,bid1_price,bid1_size,bid2_price,bid2_size,tx_hash"
)

_NAMES = OWN_FILLS_HEADER.split(",")
_BOOK = _NAMES[7:15]


def parse_line(raw: str) -> OwnFillRow:
    """Parse one line, without its newline. Never raises."""
    row = OwnFillRow(raw)
    fields = raw.rstrip("\r").split(",")
    row.logged_at = instant(fields[0])
    if len(fields) != len(_NAMES):
        row.problems = "columns"
        return row
    _, block, token_id, usd, shares, price, direction, *book, tx = fields
    if is_block := block.isdecimal() and block.isascii() and len(block) <= 15:
        row.block = int(block) or None  # the monitor writes 0 for an unknown block
    row.token_id = token_id if is_token_id(token_id) else None
    row.side = SIDES.get(direction)
    row.usd, row.shares, row.price = number(usd), number(shares), number(price)
    for name, text in zip(_BOOK, book, strict=True):
        setattr(row, name, number(unquoted(text)))
    row.tx_hash = tx[:100].lower() or None
    read = (row.logged_at, is_block or None, row.token_id, row.usd, row.shares, row.price, row.side)
    problems = [name for name, value in zip(_NAMES, read, strict=False) if value is None]
    problems += [name for name, text in zip(_BOOK, book, strict=True) if text != "N/A" and getattr(row, name) is None]
    if tx and (len(tx) != 66 or not tx.lower().startswith("0x")):
        problems.append("tx_hash")
    row.problems = ",".join(problems) or None
    return row
