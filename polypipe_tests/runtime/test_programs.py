"""The commands of the supervised programs."""

import pytest

from polypipe.runtime.programs import dagster_programs
from polypipe_tests.conftest import settings_for


@pytest.mark.parametrize(("value", "expected"), [("0", False), ("1", True)])
def test_the_webserver_is_read_only_if_the_setting_says_so(sim, tmp_path, value, expected):
    programs = dagster_programs(settings_for(sim.url, POLYPIPE_WEBSERVER_READ_ONLY=value), tmp_path)
    assert ("--read-only" in next(p.command for p in programs if p.name == "webserver")) == expected


def test_every_dagster_server_binds_loopback(settings, tmp_path):
    programs = {program.name: program.command for program in dagster_programs(settings, tmp_path)}
    assert not any("0.0.0.0" in command for command in programs.values())
    webserver = programs["webserver"]
    assert webserver[webserver.index("-h") + 1] == "127.0.0.1"
    assert "127.0.0.1" in (tmp_path / "workspace.yaml").read_text()
