"""Logs of real bots, if there are any beside the checkout: every line is one row, and nearly all are understood."""

from collections import Counter
from pathlib import Path

import pytest

from polypipe.bot.grammar import TRADE_LOG_HEADER, parse_line
from polypipe.bot.lines import lines
from polypipe.bot.logs import decoded

SHARED = Path(__file__).resolve().parents[3] / "shared"
LOGS = sorted(SHARED.rglob("*matches_optimized*.csv"))


@pytest.mark.skipif(not LOGS, reason="no logs of real bots in ../shared")
@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_lines_of_a_real_log_are_understood(path):
    outcomes: Counter[str] = Counter()
    with path.open("rb") as file:
        for line in lines(file, 0, closed=True):
            if line.text.strip() not in (b"", TRADE_LOG_HEADER.encode()):
                outcomes[parse_line(decoded(line.text)[0]).outcome] += 1
    assert outcomes["UNKNOWN"] <= 0.01 * outcomes.total(), outcomes
