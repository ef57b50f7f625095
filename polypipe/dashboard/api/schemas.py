"""Models of the answers, for the OpenAPI document: `answers.encode` writes the answers themselves."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from polypipe.attribution.parts import PARTS
from polypipe.caches.registry import CACHES
from polypipe.dashboard.store import Json
from polypipe.warehouse.tables import columns

_TYPES: dict[str, type] = {
    "VARCHAR": str,
    "BOOLEAN": bool,
    "INTEGER": int,
    "BIGINT": int,
    "DOUBLE": float,
    "TIMESTAMP WITH TIME ZONE": datetime,
}


def _row(name: str, table: str, *others: str) -> type[BaseModel]:
    """A row of a table without the `others`. Every number may be null: unknown."""
    fields: dict[str, Any] = {c.name: (_TYPES[c.type] | None, ...) for c in columns(table) if c.name not in others}
    return create_model(name, **fields)


def _word(words: list[str]) -> Any:
    return Field(json_schema_extra={"enum": list(words)})


class Error(BaseModel):
    error: str


class Latest(_row("Snapshot", "snapshots", "sources", "reasons")):  # type: ignore[misc]
    sources: dict[str, Json]
    reasons: dict[str, str]
    verdict: Literal["ahead", "behind", "not_distinguishable", "unknown"]


class Config(BaseModel):
    scaling_ratio: float
    fetch_interval: float
    stale_after_seconds: float


class History(BaseModel):
    gaps: list[Json]
    from_: datetime = Field(alias="from")
    to: datetime


class Positions(BaseModel):
    comparisons: list[Json]


class PositionPage(BaseModel):
    rows: list[_row("Position", "positions")]  # type: ignore[valid-type]
    total: int


class File(BaseModel):
    file: Annotated[str, _word([spec.file for spec in CACHES])]
    state: Literal["fresh", "stale", "refused", "never"]


class Files(BaseModel):
    files: list[File]


class Rows(BaseModel):
    rows: list[Json]


class Part(BaseModel):
    part: Annotated[str, _word([*PARTS, "unexplained"])]
    usd: float | None
    unknown: str | None


class Attribution(BaseModel):
    gap: float | None
    parts: list[Part]


class Metrics(BaseModel):
    reasons: dict[str, str]


class Funnel(BaseModel):
    steps: list[Json]
    lost: list[Json]


class Bars(BaseModel):
    bars: list[Json]


class Copying(BaseModel):
    first: date
    until: date
    attribution: Attribution
    metrics: Metrics
    funnel: Funnel
    slippage: Bars
    latency: Bars
    exits: Rows


class BotLog(BaseModel):
    lines: int
    unknown: int
    outcomes: list[Json]


class WhatIf(BaseModel):
    expected_pnl: float | None
    replayed_pnl: float | None
    gap: float | None
    coverage: float | None
    replay_error: float | None
    grid: list[Json]
    advice: Json


class Health(BaseModel):
    status: Literal["ok", "unhealthy"]
    reasons: list[str]
