"""The formats of the bot's files: encoding, and decoding exactly as strict as the bot's loader.

The bot parses a file as a whole and ignores all of it for one null or wrong type, so decoding is as strict here.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import msgspec

from polypipe.errors import PolypipeError

MAX_ID_DIGITS = 78  # 2**256 has 78 decimal digits

_T = TypeVar("_T")


class Categorized(msgspec.Struct, forbid_unknown_fields=True):
    """`.atp_categorized.json`: ids by category, for people and other tools. `updated` is ISO 8601 in UTC."""

    categories: dict[str, list[str]]
    category_counts: dict[str, int]
    source: str
    total_tokens: int
    updated: str


class FormatError(PolypipeError):
    """Bytes or content that the bot would ignore or misread. The message names the first error."""


@dataclass(frozen=True)
class Format:
    """One file format.

    `type` is its JSON type and `value` the type of an entry's value. `flatten` returns the content as a map of token id to
    value (never null), for counting and comparing. `check` raises `FormatError` for content that contradicts itself.
    """

    type: Any
    value: type
    flatten: Callable[[Any], dict[str, Any]]
    check: Callable[[Any], None] = lambda content: None

    def encode(self, content: Any) -> bytes:
        """Compact UTF-8 JSON with sorted keys: the same content is the same bytes."""
        if isinstance(content, dict):
            keys = list(content)
            if keys == sorted(keys):  # queries return them sorted; sorting again would double the time
                return msgspec.json.encode(content)
        return msgspec.json.encode(content, order="sorted")

    def validate(self, content: Any) -> None:
        """Raise `FormatError` unless the bot would load all of this content once it is encoded.

        Compares the set of types, which takes a tenth of the time of decoding 200,000 entries again.
        """
        flat = self.flatten(content)
        if set(map(type, flat.values())) - {self.value}:
            token_id, value = next(item for item in flat.items() if type(item[1]) is not self.value)
            raise FormatError(f"token {token_id!r} has the value {value!r}, which is not of type {self.value.__name__}")
        self.check(content)
        check_token_ids(flat)

    def parse(self, payload: bytes) -> Any:
        """The content of a file as the bot's loader reads it. Raises `FormatError` if the bot would ignore the file."""
        try:
            return msgspec.json.decode(payload, type=self.type)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FormatError(str(error)) from None

    def decode(self, payload: bytes) -> Any:
        """As `parse`, but also raises `FormatError` if the content contradicts itself or an id is not a token id."""
        content = self.parse(payload)
        self.check(content)
        check_token_ids(self.flatten(content))
        return content


def check_token_ids(ids: Collection[str]) -> None:
    """Raise `FormatError` for the first id that is not 1 to 78 decimal digits."""
    text = "".join(ids)  # one check of all together is ten times as fast as one for each
    digits = text.isascii() and text.encode().isdigit()
    if not ids or (digits and "" not in ids and max(map(len, ids)) <= MAX_ID_DIGITS):
        return
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
        raise FormatError("category_counts or total_tokens contradict categories")
    if len(_flatten_categorized(content)) != content.total_tokens:
        raise FormatError("a token id is in two categories")
    for ids in content.categories.values():
        _check_sorted(ids)
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)", content.updated):
        raise FormatError(f"updated {content.updated!r} is not ISO 8601 in UTC")


def _flatten_categorized(content: Categorized) -> dict[str, str]:
    return {token_id: category for category, ids in content.categories.items() for token_id in ids}


def _flatten_list(ids: list[str]) -> dict[str, bool]:
    return dict.fromkeys(ids, True)


def _same(content: _T) -> _T:
    return content


BOOL_MAP = Format(dict[str, bool], bool, _same)
TEXT_MAP = Format(dict[str, str], str, _same, _check_slugs)
ID_LIST = Format(list[str], bool, _flatten_list, _check_sorted)
CATEGORIZED = Format(Categorized, str, _flatten_categorized, _check_categorized)
