"""`/api/quality/whatif`: what the copier would have made on stored days under another rule.

The answer needs months of fills, so a worker process computes it, one at a time; the last answers are kept.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from polypipe.bounds import MOST_FACTOR, MOST_SHARES
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.copying import NOTHING_YET
from polypipe.dashboard.api.query import Absent, BadParameter, Day, Parameters, number, whole
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.copy_panels import stored_days
from polypipe.dashboard.store import Json
from polypipe.dashboard.worker import Worker, WorkerBusy, WorkerTimeout
from polypipe.divergence.copy_rule import Rule, rule_of
from polypipe.errors import PolypipeError
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse

MOST_TIERS = 5
SECONDS = 60.0
NO_TIERS = ((4000.0, 1.0),)
"""A tier of factor 1: it replaces the bot's tiers and changes nothing."""

log = logging.getLogger(__name__)
worker = Worker()


def tiers(text: str) -> tuple[tuple[float, float], ...]:
    """(shares, factor) pairs of `4000:1.25,10000:1.5`, or of `none`. Raises ValueError naming the allowed values."""
    if text == "none":
        return NO_TIERS
    pairs = [re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*:\s*(\d+(?:\.\d+)?)\s*", part, re.ASCII) for part in text.split(",")]
    found = tuple((float(pair[1]), float(pair[2])) for pair in pairs if pair is not None)
    if not len(found) == len(pairs) <= MOST_TIERS:
        raise ValueError(f"must be none, or at most {MOST_TIERS} of SHARES:FACTOR, such as 4000:1.25,10000:1.5")
    if len(dict(found)) < len(found):
        raise ValueError("must have each number of shares once")
    if any(size > MOST_SHARES or factor > MOST_FACTOR for size, factor in found):
        raise ValueError(f"must have at most {MOST_SHARES:,.0f} shares and a factor of at most {MOST_FACTOR:g}")
    return found


def _checked(text: str) -> str:
    tiers(text)
    return text


class WhatIfParameters(Parameters):
    """The rule, by default the bot's own, and the days."""

    ratio: Annotated[float, number(1e-6, 100)] | Absent = None
    floor: Annotated[float, number(0, MOST_SHARES)] | Absent = None
    tiers: Annotated[str, AfterValidator(_checked), Field(examples=["4000:1.25,10000:1.5", "none"])] | Absent = None
    days: Annotated[int, whole(1, 90)] = 30
    until: Day | Absent = None


def whatif(request: Request, asked: Annotated[WhatIfParameters, Query()]) -> Response:
    """The numbers under the rule and under the one in force, over the `days` up to `until`. 404 if no day is stored."""
    with at_once(request) as context:
        found = question(context, asked)
    return json_answer(request, answer_to(found))


@dataclass(frozen=True)
class Question:
    """All that the answer depends on. `version` is that of the data: the next one may have another answer."""

    home: Path
    wallets: Wallets
    version: int
    first: date
    last: date
    rule: Rule


def question(context: Context, asked: WhatIfParameters) -> Question:
    """The question that the parameters ask. Raises `BadParameter`, and `HTTPException` 404 without wallets or days."""
    settings = context.settings
    if settings.wallets is None:
        raise HTTPException(404, settings.wallets_missing)
    stored = context.view.once("copying days", lambda: stored_days(context.view))
    if stored is None:
        raise HTTPException(404, NOTHING_YET)
    last = asked.until or stored[1]
    if last > stored[1] or last < stored[0]:
        raise BadParameter(f"until={last}: days are stored from {stored[0]} to {stored[1]}")
    first = max(last - timedelta(days=asked.days - 1), stored[0])
    given = tiers(asked.tiers) if asked.tiers else ()
    rule = rule_of(settings.wallets.bot, asked.ratio or _ratio_in_force(context), asked.floor, given)
    return Question(settings.home, settings.wallets, context.view.status.version, first, last, rule)


def _ratio_in_force(context: Context) -> float:
    """The ratio of the newest day in the history, else that of the settings."""
    found = context.view.values(
        "SELECT scaling_ratio FROM quality WHERE window_days = 1 AND scaling_ratio IS NOT NULL ORDER BY day DESC LIMIT 1"
    )
    ratio: float = found[0][0] if found else context.settings.scaling_ratio
    return ratio


@lru_cache(maxsize=32)
def answer_to(asked: Question) -> Json:
    """The answer, which may take many seconds and must not be changed. Raises `HTTPException` 503 with the reason."""
    from polypipe.attribution.whatif import what_if  # late: only the worker and this answer need it

    try:
        warehouse = Warehouse(asked.home)
        found = worker.call(what_if, warehouse, asked.wallets, asked.rule, asked.first, asked.last, seconds=SECONDS)
    except WorkerBusy as error:
        raise HTTPException(503, "another what-if is being computed; try again in a few seconds") from error
    except WorkerTimeout as error:
        raise HTTPException(503, f"{error}; ask for fewer days") from error
    except PolypipeError as error:
        raise HTTPException(503, str(error)) from error
    except Exception as error:
        log.exception("the what-if failed")
        raise HTTPException(503, f"the what-if failed ({type(error).__name__}); see the dashboard's log") from error
    return found.as_json()


def whatif_rows(asked: Question) -> Iterator[Json]:
    """For the export: each number as it was, and under the rule."""
    body = answer_to(asked)
    pairs = (
        ("expected_pnl", "expected_in_force"), ("gap", "gap_in_force"), ("coverage", "coverage_in_force"),
        ("replayed_pnl", "copier_pnl"), ("plain_pnl", "expected_in_force"),
    )  # fmt: skip
    shown = {"rule": body["rule_in_words"], "first": body["first"], "last": body["last"], "days_known": body["days_known"]}
    for name, actual in pairs:
        yield {"number": name, "actual": body[actual], "what_if": body[name], "reason": body["reasons"].get(name)} | shown


GRID_COLUMNS = (
    "dimension", "label", "in_force", "asked",
    *(f"{name}{end}" for name in ("copier_pnl", "gap", "cost", "capital", "drawdown") for end in ("", "_low", "_high")),
)  # fmt: skip


def grid_rows(asked: Question) -> Iterator[Json]:
    """For the export: the rules of the grid."""
    yield from answer_to(asked)["grid"]
