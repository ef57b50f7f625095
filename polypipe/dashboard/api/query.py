"""Types of query parameters. A wrong value is refused in one line: its name, the value, and the allowed values."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema
from starlette.requests import Request

from polypipe.bounds import FIRST_YEAR, LAST_YEAR
from polypipe.errors import PolypipeError

MOST_HOURS = 24 * 3660
LONGEST_TEXT = 100
SHOWN_CHARACTERS = 40


class BadParameter(PolypipeError):
    """A query parameter is not allowed: HTTP 400 with the message."""


class Parameters(BaseModel):
    """The parameters of one endpoint. Raises `BadParameter` for an unknown name or a value that is not allowed."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_in_one_line(cls, values: Any, validate: Callable[[Any], Self]) -> Self:
        try:
            return validate(values)
        except ValidationError as error:
            raise BadParameter(cls._line(error.errors(include_url=False)[0])) from None

    @classmethod
    def _line(cls, error: Any) -> str:
        fields = {field.alias or name: field for name, field in cls.model_fields.items()}
        name = str(error["loc"][0])
        if error["type"] == "extra_forbidden":
            choice = f"choose from {', '.join(fields)}" if fields else "none are allowed here"
            return f"{_shown(name)} is not a parameter; {choice}"
        why = error["ctx"]["error"] if error["type"] == "value_error" else f"must be {_allowed(fields[name])}"
        return f"{name}={_shown(str(error['input']))}: {why}"


async def no_parameters(asked: Annotated[Parameters, Query()]) -> None:
    """Raises `BadParameter` for any parameter."""


async def refuse_repeated(request: Request) -> None:
    """Raises `BadParameter` for a repeated parameter: FastAPI would ignore all values but the last."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise BadParameter(f"{_shown(name)} is given twice")


def whole(lowest: int, highest: int) -> Any:
    """A whole number within bounds, both included."""
    return Field(ge=lowest, le=highest, description=f"a whole number from {lowest} to {highest}")


def number(lowest: float, highest: float) -> Any:
    """A number within bounds, both included."""
    return Field(ge=lowest, le=highest, allow_inf_nan=False, description=f"a number from {lowest:g} to {highest:g}")


def one_of(words: Sequence[str]) -> Any:
    """One of a few words."""
    pattern = f"^(?:{'|'.join(words)})$"
    return Field(pattern=pattern, json_schema_extra={"enum": list(words)}, description=f"one of {', '.join(words)}")


def some_of(words: Sequence[str]) -> Any:
    """Some of a few words, separated by commas; `listed` splits them."""
    word = f"(?:{'|'.join(words)})"
    return Field(pattern=f"^{word}(?:,{word})*$", description=f"one or more of {', '.join(words)}, separated by commas")


def listed(text: str) -> list[str]:
    """The words of a parameter that is `some_of` several, each once."""
    return list(dict.fromkeys(text.split(",")))


def _instant(text: Any) -> datetime:
    try:
        value = datetime.fromtimestamp(float(text), UTC) if _is_number(text) else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise ValueError("must be ISO-8601, such as 2026-11-23T10:00Z, or seconds since 1970") from None
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return value.astimezone(UTC)


def _day(text: Any) -> date:
    try:
        value = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 -- a day has no zone
    except ValueError:
        raise ValueError("must be a day such as 2026-11-23") from None
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return value


def _allowed(field: FieldInfo) -> str | None:
    """The description of a field, also where its type is `Annotated[...] | Absent`."""
    if field.description is not None:
        return field.description
    _, *notes = get_args(get_args(field.annotation)[0])
    return next(note.description for note in notes if isinstance(note, FieldInfo))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…")


Instant = Annotated[
    datetime, BeforeValidator(_instant), Field(description="ISO-8601 (without a zone: UTC) or seconds since 1970")
]
Day = Annotated[date, BeforeValidator(_day), Field(description="a UTC day")]
Text = Annotated[str, Field(max_length=LONGEST_TEXT, description=f"at most {LONGEST_TEXT} characters")]
Hours = Annotated[
    Annotated[float, Field(gt=0, le=MOST_HOURS, allow_inf_nan=False)] | Literal["all"],
    Field(description=f"a number above 0, at most {MOST_HOURS}, or all"),
]
Order = Annotated[str, one_of(("asc", "desc"))]
Absent = SkipJsonSchema[None]
"""The default of a parameter that has none: not a value that can be sent."""
