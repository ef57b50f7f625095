"""Errors are one line: the request, what came back and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.polymarket import (
    CrawlIncomplete,
    DeadlineExceeded,
    PolymarketError,
    Request,
    RequestRefused,
    ServerUnavailable,
    UnexpectedBody,
)


@given(reason=st.text(), body=st.binary())
def test_any_error_is_one_printable_line(reason: str, body: bytes) -> None:
    error = UnexpectedBody(reason, request=Request("http://x/y?z=1", 7), status=200, body=body)
    assert str(error).isprintable()
    assert len(error.body) <= 200 * len("\\U0001f600")


def test_an_error_names_request_page_status_body_and_hint() -> None:
    error = ServerUnavailable("HTTP 503", request=Request("http://x/y", 7), status=503, body=b"<html>\r\n" + b"a" * 500)
    error.set_attempts(5)
    assert str(error).startswith("GET http://x/y (page 7): HTTP 503; after 5 attempts; answer begins: <html>\\r\\naaa")
    assert "what to do: try again later" in str(error)
    assert (error.page, error.url, error.status) == (7, "http://x/y", 503)
    assert error.body.count("a") == 200 - len("<html>\r\n")


@pytest.mark.parametrize("kind", [CrawlIncomplete, DeadlineExceeded, RequestRefused, ServerUnavailable, UnexpectedBody])
def test_every_kind_derives_from_the_base_and_has_its_own_hint(kind: type[PolymarketError]) -> None:
    error = kind("because")
    assert isinstance(error, PolymarketError)
    assert error.hint != PolymarketError.default_hint
    assert error.page is None
    assert error.url is None
