"""Which prices are asked for: midnights without a new quote, and the minutes around the whale's fills; each once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.attribution.marks import FILL, HISTORY, POSITIONS, Known, Marks, build_marks
from polypipe.attribution.price_spans import (
    Span,
    Traded,
    batches,
    edge_spans,
    fidelity,
    fill_spans,
    tail,
    unanswered,
)

DAY = 86_400.0
MIDNIGHT = 100 * DAY
NOW = MIDNIGHT + 1620


def held(*tokens: str) -> list[Traded]:
    return [Traded("w", token, MIDNIGHT - 3600, 10.0) for token in tokens]


def asked(marks: Marks, fills: list[Traded], now: float = NOW) -> list[Span]:
    return edge_spans(fills, marks, [MIDNIGHT], now)


@pytest.mark.parametrize(
    ("source", "age", "asks"),
    [
        (HISTORY, 60, False), (POSITIONS, 80, False), (POSITIONS, 300, True), (HISTORY, 3600, True),
        (FILL, 30, True), (FILL, 7200, True),
    ],
)  # fmt: skip
def test_a_midnight_is_asked_for_unless_a_quote_is_new(source: str, age: float, asks: bool) -> None:
    marks = Marks({"T": [Known(MIDNIGHT - age, 0.5, source)]})
    assert asked(marks, held("T")) == ([Span("T", MIDNIGHT - 600, MIDNIGHT, True)] if asks else [])


def test_old_days_are_asked_for_with_the_points_that_are_kept() -> None:
    assert [fidelity(days * DAY) for days in (0, 6, 7, 58, 60, 80)] == [1, 1, 5, 5, 30, 30]
    marks = Marks({"T": [Known(MIDNIGHT - 300, 0.5, POSITIONS)]})
    assert asked(marks, held("T"), MIDNIGHT + 20 * DAY) == []  # no point of five minutes is newer
    assert asked(marks, held("T"), MIDNIGHT + 3 * DAY) == [Span("T", MIDNIGHT - 600, MIDNIGHT, True)]
    old = Marks({"T": [Known(MIDNIGHT - 7200, 0.5, POSITIONS)]})
    assert asked(old, held("T"), MIDNIGHT + 70 * DAY) == [Span("T", MIDNIGHT - 3600, MIDNIGHT, True)]


def test_a_market_is_asked_for_once_and_only_while_it_is_open() -> None:
    observed = {token: [(MIDNIGHT - 7200, 0.5)] for token in ("A", "B", "C", "D", "E")}
    settled = {"C": (MIDNIGHT - 60, 1.0), "D": (MIDNIGHT + 60, 1.0)}
    marks = build_marks(observed, settled, {"E": MIDNIGHT - 9 * DAY}, {"A": "m", "B": "m"})
    marks.observed["E"][:] = [Known(MIDNIGHT - 8 * DAY, 0.5)]  # a game that must be over
    fills = [*held("A", "B", "C", "D", "E", "F"), Traded("w", "G", 1.0, 5.0), Traded("w", "G", 2.0, -5.0)]
    assert [span.token for span in asked(marks, fills)] == ["A", "D"]
    assert asked(marks, [fill._replace(t=MIDNIGHT) for fill in fills]) == []


def test_a_token_that_nobody_holds_any_more_is_asked_for_two_days() -> None:
    marks = Marks({"T": [Known(MIDNIGHT - 9 * DAY, 0.5, FILL)]})
    for age, asks in ((3600.0, True), (2 * DAY, True), (2 * DAY + 1, False)):
        t = MIDNIGHT - age
        fills = [Traded("w", "T", t - 60, 10.0), Traded("w", "T", t, -10.0)]
        assert bool(asked(marks, fills)) is asks


def test_minutes_around_fills_are_joined_by_market() -> None:
    fills = [Traded("w", "B", 1000.0, 1.0), Traded("w", "A", 1500.0, 1.0), Traded("w", "A", 9000.0, -1.0)]
    assert fill_spans(fills, {"B": "A"}, 10_000) == [Span("A", 940, 2100, False), Span("A", 8940, 9600, False)]
    assert fill_spans(fills, {}, 10_000)[0] == Span("B", 940, 1600, False)
    assert fill_spans(fills, {}, 70 * DAY) == []


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 20_000)), min_size=1, max_size=30))
def test_every_minute_around_every_fill_is_in_exactly_one_span(found: list[tuple[str, int]]) -> None:
    spans = fill_spans([Traded("w", token, float(t), 1.0) for token, t in found], {}, 30_000)
    for token, t in found:
        for edge in (t - 59, t, t + 600):
            assert sum(span.token == token and span.start < edge <= span.end for span in spans) == 1


def test_a_span_is_asked_for_once_it_is_over_and_only_once() -> None:
    span = Span("T", MIDNIGHT - 600, MIDNIGHT, True)
    assert unanswered([span], {}, NOW) == [span]
    assert unanswered([span], {}, MIDNIGHT - 1) == []
    near, far = MIDNIGHT - tail(span, NOW) + 1, MIDNIGHT - tail(span, NOW)
    assert unanswered([span], {"T": [near]}, NOW) == []
    assert unanswered([span], {"T": [MIDNIGHT]}, NOW) == []
    assert unanswered([span], {"T": [far, MIDNIGHT + 1], "U": [MIDNIGHT]}, NOW) == [span]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), min_size=1, max_size=60))
def test_requests_cover_every_span_with_few_tokens_and_little_time(found: list[tuple[int, int]]) -> None:
    spans = [Span(f"T{token}", 1800.0 * n, 1800.0 * n + 900, n % 5 == 0) for token, n in dict.fromkeys(found)]
    groups = list(batches(spans, 4))
    assert sorted(span for group in groups for span in group) == sorted(spans)
    for group in groups:
        assert len({span.token for span in group}) <= 4
        assert len({span.last_only for span in group}) == 1
        assert max(span.end for span in group) - min(span.start for span in group) <= 6 * 3600
