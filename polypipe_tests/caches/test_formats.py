import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.caches.formats import (
    BOOL_MAP,
    CATEGORIZED,
    ID_LIST,
    TEXT_MAP,
    Categorized,
    FormatError,
    check_token_ids,
)

token_ids = st.from_regex(r"[0-9]{1,78}", fullmatch=True)
UPDATED = "2026-11-23T10:00:00+00:00"


@given(st.dictionaries(token_ids, st.booleans()))
def test_bool_map_round_trips_and_does_not_depend_on_order(content):
    payload = BOOL_MAP.encode(content)
    assert BOOL_MAP.decode(payload) == content == json.loads(payload)
    assert BOOL_MAP.encode(dict(reversed(content.items()))) == payload
    assert list(json.loads(payload)) == sorted(content)
    assert b" " not in payload


@given(st.dictionaries(token_ids, st.text(min_size=1)))
def test_text_map_round_trips_any_text(content):
    payload = TEXT_MAP.encode(content)
    assert TEXT_MAP.decode(payload) == content == json.loads(payload)
    assert payload.decode("utf-8")


@given(st.sets(token_ids))
def test_id_list_round_trips(ids):
    assert ID_LIST.decode(ID_LIST.encode(sorted(ids))) == sorted(ids)


@pytest.mark.parametrize(
    ("format", "payload"),
    [
        (BOOL_MAP, b""),
        (BOOL_MAP, b"<html>"),
        (BOOL_MAP, b'{"1":true'),
        (BOOL_MAP, b'{"1":null}'),
        (BOOL_MAP, b'{"1":"true"}'),
        (BOOL_MAP, b'{"1":1}'),
        (BOOL_MAP, b"[]"),
        (BOOL_MAP, b'{"0x1":true}'),
        (BOOL_MAP, b'{"":true}'),
        (BOOL_MAP, b'{"' + b"1" * 79 + b'":true}'),
        (BOOL_MAP, '{"١":true}'.encode()),  # a digit, but not an ASCII one
        (TEXT_MAP, b'{"1":null}'),
        (TEXT_MAP, b'{"1":""}'),
        (TEXT_MAP, b'{"1":true}'),
        (ID_LIST, b'["2","1"]'),
        (ID_LIST, b'["1","1"]'),
        (ID_LIST, b"[1]"),
        (ID_LIST, b"{}"),
        (CATEGORIZED, b"{}"),
    ],
)
def test_payload_that_the_bot_would_ignore_or_misread_is_an_error(format, payload):
    with pytest.raises(FormatError):
        format.decode(payload)


def categorized(**changed):
    fields = {
        "categories": {"moneyline": ["1", "2"], "other": []},
        "category_counts": {"moneyline": 2, "other": 0},
        "source": "x",
        "total_tokens": 2,
        "updated": UPDATED,
    }
    return CATEGORIZED.encode(Categorized(**fields | changed))


def test_categorized_file_flattens_to_categories_by_token():
    content = CATEGORIZED.decode(categorized())
    assert CATEGORIZED.flatten(content) == {"1": "moneyline", "2": "moneyline"}


@pytest.mark.parametrize(
    "changed",
    [
        {"total_tokens": 3},
        {"category_counts": {"moneyline": 1, "other": 1}},
        {"categories": {"moneyline": ["2", "1"], "other": []}},
        {"categories": {"moneyline": ["1"], "other": ["1"]}, "category_counts": {"moneyline": 1, "other": 1}},
        {"updated": "yesterday"},
        {"updated": "2026-11-23T10:00:00"},
        {"updated": "2026-11-23T10:00:00+02:00"},
    ],
)
def test_categorized_file_that_contradicts_itself_is_an_error(changed):
    with pytest.raises(FormatError):
        CATEGORIZED.decode(categorized(**changed))


@given(st.text(max_size=100))
def test_token_ids_are_1_to_78_ascii_digits(text):
    try:
        check_token_ids([text])
    except FormatError:
        assert not (text.isascii() and text.isdigit() and len(text) <= 78)
    else:
        assert text.isascii()
        assert text.isdigit()
        assert 1 <= len(text) <= 78
