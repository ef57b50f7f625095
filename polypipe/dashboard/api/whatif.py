"""`/api/quality/whatif`: expected PnL, gap and coverage of stored days by another rule.

The answer needs months of fills. `polypipe whatif` gives it in a process of its own: neither its memory nor its seconds
are this one's. One at a time, and the last answers are kept.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from polypipe.bounds import MOST_FACTOR, MOST_SHARES
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.copying import NOTHING_YET
from polypipe.dashboard.api.parameters import BadParameter, Parser, day, number, read_parameters, whole
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.copy_windows import stored_days
from polypipe.dashboard.store import Row
from polypipe.divergence.copy_rule import FLOOR_SHARES, TIER_FACTOR, TIER_SHARES
from polypipe.runtime.environment import child_environment
from polypipe.settings import Settings

DEFAULT_DAYS, MOST_DAYS = 30, 90
LEAST_RATIO, MOST_RATIO = 1e-6, 100.0
MOST_TIERS = 5
SECONDS = 60.0
NO_TIERS = ((TIER_SHARES, 1.0),)

_one_at_a_time = threading.Lock()


def tiers(text: str) -> tuple[tuple[float, float], ...]:
    """`none`, or sizes in shares and factors: `4000:1.25,10000:1.5`."""
    if text == "none":
        return NO_TIERS
    sizes, factors = number(0, MOST_SHARES), number(0, MOST_FACTOR)
    pairs = [part.split(":") for part in text.split(",")]
    if len(pairs) > MOST_TIERS or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"tiers are none, or at most {MOST_TIERS} of SHARES:FACTOR, as in 4000:1.25,10000:1.5")
    return tuple((sizes(size.strip()), factors(factor.strip())) for size, factor in pairs)


PARAMETERS: dict[str, Parser] = {
    "ratio": number(LEAST_RATIO, MOST_RATIO),
    "floor": number(0, MOST_SHARES),
    "tiers": tiers,
    "days": whole(1, MOST_DAYS),
    "until": day,
}


def whatif(request: Request) -> Response:
    """The rule's numbers beside those in force, over the `days` that end with `until`. 404 where nothing is stored."""
    with at_once(request) as context:
        asked = question(context, read_parameters(request, PARAMETERS))
    return json_answer(request, answer_to(asked))


@dataclass(frozen=True)
class Question:
    """All that the answer rests on. `version` is of the data: in the next one the answer may be another."""

    settings: Settings
    version: int
    first: date
    last: date
    ratio: float
    floor: float
    tiers: tuple[tuple[float, float], ...]


def question(context: Context, asked: dict[str, Any]) -> Question:
    """What parsed parameters ask for. Raises `HTTPException` with a line for people."""
    settings = context.settings
    if settings.wallets is None:
        raise HTTPException(404, settings.wallets_missing)
    stored = context.view.once("copying days", lambda: stored_days(context.view))
    if stored is None:
        raise HTTPException(404, NOTHING_YET)
    last: date = asked.get("until") or stored[1]
    first = last - timedelta(days=asked.get("days", DEFAULT_DAYS) - 1)
    if last > stored[1] or last < stored[0]:
        raise BadParameter(f"until={last}: days are stored from {stored[0]} to {stored[1]}")
    return Question(
        settings,
        context.view.status.version,
        max(first, stored[0]),
        last,
        asked.get("ratio") or _ratio_in_force(context),
        asked.get("floor", FLOOR_SHARES),
        asked.get("tiers", ((TIER_SHARES, TIER_FACTOR),)),
    )


def _ratio_in_force(context: Context) -> float:
    """As history has it for the newest day."""
    found = context.view.values(
        "SELECT scaling_ratio FROM quality WHERE window_days = 1 AND scaling_ratio IS NOT NULL ORDER BY day DESC LIMIT 1"
    )
    ratio: float = found[0][0] if found else context.settings.scaling_ratio
    return ratio


def answer_to(asked: Question) -> Row:
    """The answer, which may take many seconds. Raises `HTTPException` with a line for people."""
    answer: Row = json.loads(_ask(asked))
    return answer


@lru_cache(maxsize=32)
def _ask(asked: Question) -> str:
    command = [sys.executable, "-m", "polypipe.cli", "whatif", "--json"]
    command += ["--ratio", repr(asked.ratio), "--floor", repr(asked.floor)]
    command += [f"--tier={size:.6f}:{factor:.6f}" for size, factor in asked.tiers]
    command += ["--from", str(asked.first), "--to", str(asked.last)]
    environment = child_environment(asked.settings, asked.settings.home)
    if not _one_at_a_time.acquire(blocking=False):  # who waits would hold a thread that other answers need
        raise HTTPException(503, "another what-if is being computed: ask again in a few seconds")
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise HTTPException(503, f"no answer in {SECONDS:.0f} s: ask for fewer days") from None
    finally:
        _one_at_a_time.release()
    if done.returncode != 0:
        last_line = done.stderr.strip().rpartition("\n")[2].removeprefix("polypipe: ")
        raise HTTPException(503, last_line or f"polypipe whatif ended with code {done.returncode}")
    return done.stdout


def whatif_rows(asked: Question) -> Iterator[Row]:
    """For the export: each number as it is, and by the rule."""
    body = answer_to(asked)
    pairs = (("expected_pnl", "expected_in_force"), ("gap", "gap_in_force"), ("coverage", "coverage_in_force"))
    shown = {"rule": body["rule_in_words"], "first": body["first"], "last": body["last"], "days_known": body["days_known"]}
    for name, actual in pairs:
        yield {"number": name, "actual": body[actual], "what_if": body[name], "reason": body["reasons"].get(name)} | shown
