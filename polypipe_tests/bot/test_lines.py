"""Splitting a log into lines keeps every byte."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from polypipe.bot import lines as module
from polypipe.bot.lines import lines
from polypipe_tests.bot.support import log_lines


@given(st.lists(st.binary(max_size=200_000), max_size=3), st.integers(1, 3000))
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_byte_is_lost_between_blocks(tmp_path, parts, block):
    file = tmp_path / "log"
    file.write_bytes(b"\n".join(parts))
    content = file.read_bytes()
    with pytest.MonkeyPatch.context() as patch, file.open("rb") as log:
        patch.setattr(module, "READ_BYTES", block * 100)
        found = list(lines(log, 0))
    end = 0
    for offset, piece, whole in found:
        assert offset == end
        assert content[offset:].startswith(piece)
        end = offset + len(piece) + whole
        assert not whole or content[end - 1 : end] == b"\n"
    assert b"\n" not in content[end:]


def test_line_after_a_fragment_of_any_length_is_found(tmp_path):
    fragment, whole = (one.encode() for one in log_lines(2))
    file = tmp_path / "log"
    for length in range(1, len(fragment) + 1):
        file.write_bytes(fragment[:length] + whole + b"\n")
        with file.open("rb") as log:
            assert [piece for _, piece, _ in lines(log, 0)] == [fragment[:length], whole]
