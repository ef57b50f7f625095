"""Lines of the bot's log: every form that a build of the bot is known to write, with its meaning."""

from typing import Any

RED, PINK, YELLOW, RESET = "\x1b[31m", "\x1b[38;5;199m", "\x1b[33m", "\x1b[0m"
TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
TX = "0x" + "ab" * 32


def line(
    status: str = "MOCK_ONLY",
    *,
    time: str = "2026-11-20 12:34:56.789",
    block: str = "64123456",
    token: str = TOKEN,
    usd: str = "612.00",
    shares: str = "1200.000000",
    price: str = "0.5100",
    direction: str = "BUY_FILL",
    book: str = '"0.53","150","0.54","90.5"',
    tx: str = TX,
    live: str = "false",
) -> str:
    """One line of matches_optimized.csv."""
    return ",".join((time, block, token, usd, shares, price, direction, status, book, tx, live))


def my(requested: str = "24.00", limit: str = "0.52", whale: str = "1200.0", at: str = "0.51") -> str:
    return f"my {requested} @ {RED}{limit}{RESET} | whale {whale} @ {at}"


def fork(filled: str, requested: str, at: str, whale: str = "1200.0", price: str = "0.51") -> str:
    return f"{YELLOW}{filled}/{requested}{RESET} filled @ {PINK}{at}{RESET} | {RED}whale {whale}{RESET} @ {price}"


UNDERFILL = f" | {YELLOW}UNDERFILL: 10.00/24.00 filled; resubmit 14.00{RESET}"
FAK = '{"error":"no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."}'
BALANCE = '{"error":"not enough balance / allowance";"status":400}'

ORDERED: dict[str, Any] = {
    "outcome": "SENT",
    "scaling": "SCALED",
    "requested_shares": 24.0,
    "limit_price": 0.52,
    "copied_whale_shares": 1200.0,
    "copied_whale_price": 0.51,
    "fill_state": "ASSUMED_FULL",
    "filled_shares": None,
    "resubmitted": False,
    "http_status": 200,
}
PARTLY = ORDERED | {"fill_state": "PARTIAL", "filled_shares": 10.0, "resubmitted": True, "resubmit_shares": 14.0}
REFUSED = ORDERED | {"outcome": "REJECTED", "http_status": 400, "fill_state": "NONE", "filled_shares": 0.0}
FORKED = ORDERED | {"limit_price": None, "fill_price": 0.52}
NOT_SENT: dict[str, Any] = {"fill_state": "NONE", "resubmitted": False, "requested_shares": None, "filled_shares": None}
UNSURE = NOT_SENT | {"fill_state": "UNKNOWN"}
MYSTERY: dict[str, Any] = {"outcome": "UNKNOWN", "fill_state": "UNKNOWN", "resubmitted": None}

# (status, side, expected fields of the row)
STATUSES: list[tuple[str, str, dict[str, Any]]] = [
    # answered 200
    (f"200 OK [SCALED] | {my()}", "BUY", ORDERED),
    (f"200 OK [SCALED] | {my()}", "SELL", ORDERED),
    ("200 OK [SCALED] | my 24.00 @ 0.52 | whale 1200.0 @ 0.51", "BUY", ORDERED),
    (f"200 OK [CAPPED] | {my()}", "BUY", ORDERED | {"scaling": "CAPPED"}),
    (
        f"200 OK [PROB_HIT (37%)] | {my('5.00')}",
        "BUY",
        {"scaling": "PROB_HIT", "scaling_percent": 37, "requested_shares": 5.0},
    ),
    (f"200 OK [PROB_HIT (0%)] | {my('5.00')}", "BUY", {"scaling": "PROB_HIT", "scaling_percent": 0}),
    (f"201 Created [SCALED] | {my()}", "BUY", ORDERED | {"http_status": 201}),
    (f"200 OK [SCALED] | {my()}{UNDERFILL}", "BUY", PARTLY),
    (f"200 OK [SCALED] | {my()} | UNDERFILL: 10.00/24.00 filled, resubmit 14.00", "BUY", PARTLY),
    (f"200 OK [SCALED] | {my()} | {YELLOW}⚡ Underfill: 10.00/24.00 filled; resubmit 14.00{RESET}", "BUY", PARTLY),
    (f"200 OK [PROB_HIT (37%)] | {my()}{UNDERFILL}", "BUY", PARTLY | {"scaling": "PROB_HIT", "scaling_percent": 37}),
    # of the fork
    (f"200 OK [SCALED] | {fork('24.00', '24.00', '0.52')}", "BUY", FORKED),
    (f"200 OK [CAPPED] | {fork('24.00', '24.00', '0.52')}", "BUY", FORKED | {"scaling": "CAPPED"}),
    (
        f"200 OK [SCALED] | {fork('10.00', '24.00', '0.52')}",
        "BUY",
        FORKED | {"fill_state": "PARTIAL", "filled_shares": 10.0},
    ),
    (
        f"200 OK [SCALED] | {fork('10.00', '24.00', '0.52')}{UNDERFILL}",
        "BUY",
        PARTLY | {"limit_price": None, "fill_price": 0.52},
    ),
    (f"200 OK [SCALED] | {fork('24.01', '24.00', '0.52')}", "BUY", FORKED | {"fill_state": "FULL", "filled_shares": 24.01}),
    (f"200 OK [SCALED] | {fork('24.00', '24.00', '0.52')}", "SELL", FORKED | {"fill_price": None}),
    (
        f"200 OK [SCALED] | {fork('12.24', '24.00', '1.96')}",
        "SELL",
        {"fill_state": "UNKNOWN", "filled_shares": None, "fill_price": None},
    ),
    (
        f"FAILED [SCALED] | {fork('0.00', '24.00', '0.52')} | {BALANCE}",
        "BUY",
        REFUSED | {"http_status": None, "limit_price": None},
    ),
    (f"FAILED [SCALED] | {fork('0.00', '24.00', '0.52')} | {FAK}", "BUY", {"outcome": "REJECTED", "resubmitted": True}),
    (f"FAILED [SCALED] | {fork('0.00', '24.00', '0.52')}", "SELL", {"outcome": "REJECTED", "reason": None}),
    (f"AGG_BYPASS 200 OK [SCALED] | {my()}", "BUY", ORDERED | {"aggregation": "AGG_BYPASS", "aggregated_fills": None}),
    (f"AGG_FLUSH(7) 200 OK [SCALED] | {my()}", "BUY", ORDERED | {"aggregation": "AGG_FLUSH", "aggregated_fills": 7}),
    (f"AGG_FLUSH(2) 200 OK [SCALED] | {my()}{UNDERFILL}", "BUY", PARTLY | {"aggregated_fills": 2}),
    ("AGG_FLUSH(3) SKIPPED_SMALL (<10 shares)", "BUY", NOT_SENT | {"outcome": "SKIPPED_SMALL", "aggregated_fills": 3}),
    (
        "AGG_BYPASS RISK_BLOCKED:TRAP",
        "BUY",
        NOT_SENT | {"outcome": "RISK_BLOCKED", "reason": "TRAP", "aggregation": "AGG_BYPASS"},
    ),
    ("AGG_PENDING", "BUY", NOT_SENT | {"outcome": "AGG_PENDING", "aggregation": None}),
    # of forks with tags of their own
    (f"200 OK [DOUBLED] | {my()}", "BUY", ORDERED | {"scaling": "DOUBLED"}),
    (f"200 OK [PROB_HIT] | {my()}", "BUY", ORDERED | {"scaling": "PROB_HIT", "scaling_percent": None}),
    (
        "200 OK [ANY_TAG(...)] | 24.00/24.00 filled @ 0.51 | whale 1200.0 @ 0.50",
        "BUY",
        FORKED | {"scaling": "ANY_TAG(...)", "fill_price": 0.51, "copied_whale_price": 0.50},
    ),
    (
        f"200 OK [PERCENTAGE(10.0%)] | {fork('24.00', '24.00', '0.52')}",
        "BUY",
        FORKED | {"scaling": "PERCENTAGE(10.0%)", "scaling_percent": None},
    ),
    (
        f"200 OK [FIXED($50.00)] | {fork('10.00', '24.00', '0.52')}",
        "BUY",
        FORKED | {"scaling": "FIXED($50.00)", "fill_state": "PARTIAL", "filled_shares": 10.0},
    ),
    (
        f"200 OK [ADAPTIVE(5.0%-9.0%)] | {fork('24.00', '24.00', '0.52')}",
        "BUY",
        FORKED | {"scaling": "ADAPTIVE(5.0%-9.0%)"},
    ),
    (
        f"FAILED [PERCENTAGE(10.0%)] | {fork('0.00', '24.00', '0.52')} | {YELLOW}⚠️  INSUFFICIENT BALANCE{RESET}",
        "BUY",
        {"outcome": "REJECTED", "scaling": "PERCENTAGE(10.0%)", "filled_shares": 0.0, "requested_shares": 24.0},
    ),
    ("SKIPPED_BELOW_MIN ($0.50 < $1.00)", "BUY", NOT_SENT | {"outcome": "SKIPPED_SMALL", "reason": "$0.50 < $1.00"}),
    ("SKIPPED_INVALID_SIZE", "SELL", NOT_SENT | {"outcome": "SKIPPED_SMALL", "reason": "SKIPPED_INVALID_SIZE"}),
    # answered with another code
    (f"400 Bad Request [SCALED] | {my()} | {FAK}", "BUY", REFUSED | {"resubmitted": True}),
    (f"400 Bad Request [SCALED] | {my()} | {FAK}", "SELL", REFUSED | {"resubmitted": False}),
    (f"400 Bad Request [SCALED] | {my()} | {BALANCE}", "BUY", REFUSED | {"reason": "not enough balance / allowance"}),
    (
        f'400 Bad Request [SCALED] | {my()} | {{"errorMsg":"a \\"quoted\\" word"}}',
        "BUY",
        REFUSED | {"reason": 'a \\"quoted\\" word'},
    ),
    (f"400 Bad Request [SCALED] | {my()} | <html>no</html>", "BUY", REFUSED | {"reason": "<html>no</html>"}),
    (f"400 Bad Request [SCALED] | {my()} | ", "BUY", REFUSED | {"reason": None}),
    (
        f'401 Unauthorized [SCALED] | {my()} | {{"error":"Unauthorized/Invalid api key"}}',
        "BUY",
        REFUSED | {"http_status": 401},
    ),
    (
        f"403 Forbidden [PROB_HIT (9%)] | {my()} | blocked",
        "BUY",
        {"http_status": 403, "scaling_percent": 9, "reason": "blocked"},
    ),
    (f"425 Too Early [SCALED] | {my()} | restarting", "BUY", {"outcome": "REJECTED", "http_status": 425}),
    (f"429 Too Many Requests [SCALED] | {my()} | slow down", "BUY", {"outcome": "REJECTED", "http_status": 429}),
    (
        f'500 Internal Server Error [SCALED] | {my()} | {{"message":"oops"}}',
        "SELL",
        {"outcome": "REJECTED", "reason": "oops"},
    ),
    (
        f"520 <unknown status code> [SCALED] | {my()} | error code: 520",
        "BUY",
        REFUSED | {"http_status": 520, "reason": "error code: 520"},
    ),
    (f"502 Bad Gateway [SCALED] | {my()} | a | b | c", "BUY", {"http_status": 502, "reason": "a | b | c"}),
    (f'400 Bad Request [SCALED] | {my()} | {{"error":"l\'ÃƒÂ©quipe"}}', "BUY", {"outcome": "REJECTED"}),
    # never sent
    ("SKIPPED_DISABLED", "BUY", NOT_SENT | {"outcome": "SKIPPED_DISABLED", "reason": None}),
    ("MOCK_ONLY", "SELL", NOT_SENT | {"outcome": "MOCK_ONLY"}),
    ("SKIPPED_SMALL (<10 shares)", "BUY", NOT_SENT | {"outcome": "SKIPPED_SMALL", "reason": "<10 shares"}),
    ("SKIPPED_SMALL (<500 shares)", "BUY", NOT_SENT | {"outcome": "SKIPPED_SMALL", "reason": "<500 shares"}),
    (
        "SKIPPED_PROBABILITY (PROB_SKIP (12%))",
        "BUY",
        NOT_SENT | {"outcome": "SKIPPED_PROBABILITY", "scaling": "PROB_SKIP", "scaling_percent": 12},
    ),
    ("SKIPPED_NO_POSITION", "SELL", NOT_SENT | {"outcome": "SKIPPED_NO_POSITION"}),
    ("SKIPPED_ON_SUNDAYS (rest)", "BUY", NOT_SENT | {"outcome": "SKIPPED_OTHER", "reason": "SKIPPED_ON_SUNDAYS (rest)"}),
    ("CB_BLOCKED:TRIPPED", "BUY", NOT_SENT | {"outcome": "CB_BLOCKED", "reason": "TRIPPED"}),
    ("CB_BLOCKED:TRAP", "BUY", NOT_SENT | {"outcome": "CB_BLOCKED", "reason": "TRAP"}),
    ("CB_BOOK_FAIL:NETWORK", "BUY", NOT_SENT | {"outcome": "CB_BOOK_FAIL", "reason": "NETWORK"}),
    ("CB_BOOK_FAIL:HTTP_ERROR", "SELL", NOT_SENT | {"outcome": "CB_BOOK_FAIL", "reason": "HTTP_ERROR"}),
    ("CB_COOLING", "SELL", NOT_SENT | {"outcome": "CB_OTHER", "reason": "CB_COOLING"}),
    ("RISK_BLOCKED:SEQ_TRIP", "BUY", NOT_SENT | {"outcome": "RISK_BLOCKED", "reason": "SEQ_TRIP"}),
    ("RISK_BOOK_FAIL:PARSE", "BUY", NOT_SENT | {"outcome": "RISK_BOOK_FAIL", "reason": "PARSE"}),
    ("QUEUE_ERR", "BUY", NOT_SENT | {"outcome": "QUEUE_ERR", "reason": None}),
    ("QUEUE_ERR: channel closed", "BUY", NOT_SENT | {"outcome": "QUEUE_ERR", "reason": "channel closed"}),
    ("🛑 Trading OFF", "BUY", NOT_SENT | {"outcome": "SKIPPED_DISABLED"}),
    ("🎭 Mock Only", "BUY", NOT_SENT | {"outcome": "MOCK_ONLY"}),
    ("⏩ Too Small (< 10 shares)", "BUY", NOT_SENT | {"outcome": "SKIPPED_SMALL", "reason": "< 10 shares"}),
    # perhaps sent
    ("WORKER_DROPPED", "BUY", UNSURE | {"outcome": "WORKER_DROPPED"}),
    ("WORKER_TIMEOUT", "BUY", UNSURE | {"outcome": "WORKER_TIMEOUT"}),
    ("WORKER_LOST", "BUY", UNSURE | {"outcome": "WORKER_OTHER", "reason": "WORKER_LOST"}),
    (
        "EXEC_FAIL: operation timed out | chain: error sending request -> operation timed out",
        "BUY",
        UNSURE
        | {"outcome": "EXEC_FAIL", "reason": "operation timed out | chain: error sending request -> operation timed out"},
    ),
    (
        "EXEC_FAIL: l'Ã©quipe; perdue | chain: x",
        "SELL",
        UNSURE | {"outcome": "EXEC_FAIL", "reason": "l'équipe; perdue | chain: x"},
    ),
    ("EXEC_FAIL: déjà vu | chain: x", "SELL", UNSURE | {"reason": "déjà vu | chain: x"}),
    # unknown
    ("", "BUY", MYSTERY),
    ("EVERYTHING_IS_FINE", "BUY", MYSTERY),
    ("200 OK", "BUY", MYSTERY),
    ("200 OK [SCALED] | my NaN @ 0.52 | whale 1200.0 @ 0.51", "BUY", MYSTERY),
    (f"200 OK [] | {my()}", "BUY", MYSTERY),
    (f"200 OK [{'X' * 101}] | {my()}", "BUY", MYSTERY),
    ("SKIPPED", "BUY", MYSTERY),
    ("skipped_small", "BUY", MYSTERY),
]
