import pytest

from polypipe.errors import PolypipeError
from polypipe.runtime.logs import LINES_OF_ONE, logs


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "daemon.log").write_text("".join(f"tick {n}\n" for n in range(300)))
    (tmp_path / "up.log").write_text("starting\n")
    (tmp_path / "daemon.log.1").write_text("old\n")
    return tmp_path


def test_logs_shows_the_last_lines_of_one_log_or_of_each(directory):
    one = list(logs(directory, "daemon"))
    assert one == [f"tick {n}" for n in range(300 - LINES_OF_ONE, 300)]
    everything = list(logs(directory))
    assert everything[-1] == "up     | starting"
    assert everything[0].startswith("daemon | tick 29")


def test_an_unfinished_last_line_is_shown(directory):
    with (directory / "up.log").open("a") as log:
        log.write("Fatal: out of mem")
    assert list(logs(directory, "up")) == ["starting", "Fatal: out of mem"]
    assert list(logs(directory))[-1] == "up     | Fatal: out of mem"


def test_an_unknown_name_is_refused_with_the_names_to_choose_from(directory, tmp_path):
    for name in ("deamon", "../daemon", "daemon.log", ""):
        with pytest.raises(PolypipeError, match=r"choose from daemon, up"):
            list(logs(directory, name))
    with pytest.raises(PolypipeError, match="nothing has been started on this home"):
        list(logs(tmp_path / "nowhere"))


def test_following_continues_across_rotations_and_holds_unfinished_lines_back(directory):
    path = directory / "up.log"
    lines = logs(directory, "up", follow=True)
    assert next(lines) == "starting"
    with path.open("a") as log:
        log.write("one\ntw")
    assert next(lines) == "one"
    with path.open("a") as log:
        log.write("o\nlast of the old file\n")
        path.rename(directory / "up.log.1")  # as the supervisor does it
        path.write_text("first of the new file\n")
        log.write("written late\n")
    assert [next(lines) for _ in range(4)] == ["two", "last of the old file", "written late", "first of the new file"]
    path.rename(directory / "up.log.2")
    path.write_text("again\n")
    assert next(lines) == "again"


def test_control_characters_are_replaced(directory):
    (directory / "up.log").write_bytes(b"title \x1b]0;owned\x07 \xff\t end\n")
    assert list(logs(directory, "up")) == [
        "title \N{REPLACEMENT CHARACTER}]0;owned\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}\t end"
    ]
