"""The grammar of `order_status`, the text in a trade log line that says what the bot did about a whale fill."""

import re
from functools import lru_cache

from polypipe.bot.log_rows import TradeRow
from polypipe.bot.values import plain_text

SENT, REJECTED, UNKNOWN = "SENT", "REJECTED", "UNKNOWN"

# Fill state of an order that the exchange never answered, by outcome: NONE was not sent, UNKNOWN may have been.
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

_PREFIX = re.compile(r"(AGG_FLUSH)\((\d{1,9})\) |(AGG_BYPASS) ")
_N = r"-?\d{1,15}(?:\.\d{1,12})?"
_ORDER = re.compile(
    r"(?:(?P<code>\d{3})(?: [A-Za-z<>' -]*)?|FAILED) "  # 520 <unknown status code>: no name in the bot's library
    r"\[(?P<scaling>PROB_HIT(?= \()|[^\[\]|]{1,100})(?: \((?P<percent>\d{1,3})%\))?\]"  # any tag: forks have their own
    rf" \| (?:my (?P<requested>{_N}) @ (?P<limit>{_N})|(?P<got>{_N})/(?P<of>{_N}) filled @ (?P<at>{_N}))"
    rf" \| whale (?P<whale_shares>{_N}) @ (?P<whale_price>{_N})"
    rf"(?: \| (?:⚡ )?(?i:UNDERFILL): (?P<filled>{_N})/{_N} filled[;,] resubmit (?P<resubmit>{_N}))?"
    r"(?: \| (?P<body>.*))?",
    re.DOTALL,
)
_CODE = re.compile(r"([A-Z]+)(_[A-Z_]+)(?::\s*(.*)|\s+\((.*)\)\s*)?", re.DOTALL)
_PERCENT = re.compile(r"PROB_SKIP \((\d{1,3})%\)")
# Skips of forks that mean the same as a code of the others.
_SAME = {"SKIPPED_BELOW_MIN": "SKIPPED_SMALL", "SKIPPED_INVALID_SIZE": "SKIPPED_SMALL"}
# Wordings of another build of the bot.
_OTHER_WORDS = {"🛑 Trading OFF": "SKIPPED_DISABLED", "🎭 Mock Only": "MOCK_ONLY"}
_TOO_SMALL = re.compile(r"⏩ Too Small \((.*)\)")
_ERROR = re.compile(r'"(?:error|errorMsg|error_msg|message)"\s*:\s*"((?:[^"\\]|\\.)*)"', re.DOTALL)


def parse_status(status: str, row: TradeRow) -> None:
    """Set the row's fields from `order_status`. Uses the row's `side`, which decides what some numbers mean."""
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
    """Set the fields of an order that the exchange answered."""
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
        # The bot resends a purchase that was killed because no order matched it.
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
            row.fill_state = "UNKNOWN"  # for sales the fork logs the USD received instead of shares
    if at is not None and row.side == "BUY":
        row.fill_price = float(at)


@lru_cache(maxsize=1000)  # a third of all lines have one of a few dozen texts
def _not_ordered(text: str) -> tuple[str, str | None, str | None, int | None, str, bool | None]:
    """(outcome, reason, scaling, percent, fill state, resubmitted) of a status without an answered order."""
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
    """(outcome, reason) of a status that begins with a code; UNKNOWN for any other."""
    found = _CODE.fullmatch(text)
    if found is None:
        return UNKNOWN, None
    family, rest, after_colon, in_brackets = found.groups()
    detail = after_colon if after_colon is not None else in_brackets
    reason = detail[:MAX_REASON] if detail else None
    if family + rest in _SAME:
        return _SAME[family + rest], reason or family + rest
    if family + rest in NOT_ANSWERED:
        return family + rest, reason
    if family in FAMILIES:
        return f"{family}_OTHER", text[:MAX_REASON]
    return UNKNOWN, None


def _error(body: str) -> str:
    """The error message in the exchange's response, else the whole response. Not JSON: its commas are semicolons."""
    found = _ERROR.search(body)
    return (found[1] if found and found[1] else body)[:MAX_REASON]
