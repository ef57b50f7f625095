"""Splitting a log into lines keeps every byte."""

import hashlib

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from polypipe.bot import lines as module
from polypipe.bot.lines import lines
from polypipe_tests.bot.support import log_lines


@given(st.lists(st.binary(max_size=200_000), max_size=3), st.integers(1, 3000), st.booleans())
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_byte_is_lost_between_blocks(tmp_path, parts, block, closed):
    file = tmp_path / "log"
    file.write_bytes(b"\n".join(parts))
    content = file.read_bytes()
    with pytest.MonkeyPatch.context() as patch, file.open("rb") as log:
        patch.setattr(module, "READ_BYTES", block * 100)
        patch.setattr(module, "MAX_LINE", 50_000)
        found = list(lines(log, 0, closed))
    end = 0
    for line in found:
        assert line.offset == end
        of_file = content[end : end + line.size]
        end = line.end
        assert not line.whole or content[end - 1 : end] == b"\n"
        if line.sha256 is None:
            assert line.text == of_file
        else:
            assert line.sha256 == hashlib.sha256(of_file).hexdigest()
            assert len(line.text) <= 50_000 + block * 100
            assert of_file.startswith(line.text[:25_000])
            assert of_file.endswith(line.text[-25_000:])
    assert b"\n" not in content[end:]
    assert not closed or end == len(content)


def test_line_longer_than_the_memory_limit_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 1000)
    monkeypatch.setattr(module, "READ_BYTES", 700)
    before, after = (one.encode() for one in log_lines(2))
    endless = b"<" * 5000 + b">"
    file = tmp_path / "log"
    file.write_bytes(before + b"\n" + endless + b"\n" + after + b"\n")
    with file.open("rb") as log:
        first, long, last = lines(log, 0)
    assert (first.text, last.text, last.whole) == (before, after, True)
    assert (long.size, long.whole, long.sha256) == (5001, True, hashlib.sha256(endless).hexdigest())
    assert long.text.endswith(b">")
    assert len(long.text) < 2500


def test_line_after_a_fragment_of_any_length_is_found(tmp_path):
    fragment, whole = (one.encode() for one in log_lines(2))
    file = tmp_path / "log"
    for length in range(1, len(fragment) + 1):
        file.write_bytes(fragment[:length] + whole + b"\n")
        with file.open("rb") as log:
            assert [line.text for line in lines(log, 0)] == [fragment[:length], whole]
