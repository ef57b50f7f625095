"""How old the answers are that a piece of work rests on. An answer from a cache is older than its arrival."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta


@dataclass
class AnswerAge:
    """Age of the answers read inside `answer_age()`: the oldest counts. Zero unless a cache sent one of them."""

    seconds: float = 0.0
    outer: "AnswerAge | None" = None

    @property
    def length(self) -> timedelta:
        """Subtract this from the time of arrival for the time of observation."""
        return timedelta(seconds=self.seconds)

    def note(self, seconds: float) -> None:
        """Count one answer, here and in the enclosing scopes."""
        scope: AnswerAge | None = self
        while scope is not None:
            scope.seconds = max(scope.seconds, seconds)
            scope = scope.outer


_answer_age: ContextVar[AnswerAge | None] = ContextVar("polymarket_answer_age", default=None)


@contextmanager
def answer_age() -> Iterator[AnswerAge]:
    """Measure the age of the answers to every request that is awaited inside, by their `Age` header."""
    age = AnswerAge(outer=_answer_age.get())
    token = _answer_age.set(age)
    try:
        yield age
    finally:
        _answer_age.reset(token)


def note_age(seconds: float) -> None:
    """Count an answer of this age in the scopes around the caller, if there are any."""
    scope = _answer_age.get()
    if scope is not None:
        scope.note(seconds)
