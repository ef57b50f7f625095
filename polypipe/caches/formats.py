"""The shapes of the bot's files: how each is encoded, and read back exactly as strictly as the bot's loader would.

The bot parses a file whole; one null or one wrong type makes it ignore all of it, so the reader here is strict too.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import msgspec

MAX_ID_DIGITS = 78  # 2**256 has 78 decimal digits

_T = TypeVar("_T")


class Categorized(msgspec.Struct, forbid_unknown_fields=True):
    """`.atp_categorized.json`: ids by category, for people and other tools. `updated` is ISO-8601 UTC."""

    categories: dict[str, list[str]]
    category_counts: dict[str, int]
    source: str
    total_tokens: int
    updated: str


class FormatError(ValueError):
    """Bytes or content that the bot would ignore or misread. The message names the first fault."""


@dataclass(frozen=True)
class Format:
    """One shape of file: its JSON type, and its content as a flat map of token id to value for counting and comparing."""

    type: Any
    flatten: Callable[[Any], dict[str, Any]]
    check: Callable[[Any], None] = lambda content: None

    def encode(self, content: Any) -> bytes:
        """Compact UTF-8 JSON with sorted keys: the same content is the same bytes."""
        return msgspec.json.encode(content, order="sorted")

    def decode(self, payload: bytes) -> Any:
        """The content of a file. Raises `FormatError` where the bot would refuse the file, or an id is no token id."""
        try:
            content = msgspec.json.decode(payload, type=self.type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FormatError(str(error)) from None
        self.check(content)
        check_token_ids(self.flatten(content))
        return content


def check_token_ids(ids: Iterable[str]) -> None:
    """Raise `FormatError` for the first id that is not 1 to 78 decimal digits."""
    for token_id in ids:
        if not (token_id.isdecimal() and token_id.isascii() and len(token_id) <= MAX_ID_DIGITS):
            raise FormatError(f"{token_id[:100]!r} is not a token id (1 to {MAX_ID_DIGITS} decimal digits)")


def _check_slugs(content: dict[str, str]) -> None:
    for token_id, slug in content.items():
        if not slug:
            raise FormatError(f"token {token_id} has an empty slug")


def _check_sorted(ids: list[str]) -> None:
    if any(a >= b for a, b in pairwise(ids)):
        raise FormatError("token ids are not sorted and unique")


def _check_categorized(content: Categorized) -> None:
    counts = {category: len(ids) for category, ids in content.categories.items()}
    if counts != content.category_counts or sum(counts.values()) != content.total_tokens:
        raise FormatError("category_counts or total_tokens do not agree with categories")
    if len(_flatten_categorized(content)) != content.total_tokens:
        raise FormatError("a token id is in two categories")
    for ids in content.categories.values():
        _check_sorted(ids)
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)", content.updated):
        raise FormatError(f"updated {content.updated!r} is not ISO-8601 in UTC")


def _flatten_categorized(content: Categorized) -> dict[str, str]:
    return {token_id: category for category, ids in content.categories.items() for token_id in ids}


def _same(content: _T) -> _T:
    return content


BOOL_MAP = Format(dict[str, bool], _same)
TEXT_MAP = Format(dict[str, str], _same, _check_slugs)
ID_LIST = Format(list[str], dict.fromkeys, _check_sorted)
CATEGORIZED = Format(Categorized, _flatten_categorized, _check_categorized)
