from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.errors import SettingError
from polypipe.setting_sources import SIMULATED, unknown_names
from polypipe.settings import load_settings, mark_simulated, short_address
from polypipe.variables import VARIABLES

COPIER = "0x" + "c0" * 20


def read(tmp_path, dotenv="", **environ):
    path = tmp_path / "dotenv"
    path.write_text(dotenv)
    return load_settings(environ, path)


def test_unset_settings_have_their_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = read(tmp_path)
    assert settings.home == tmp_path / "data"
    assert settings.bot_dir == tmp_path / "data" / "bot"
    assert (settings.copier_address, settings.whale_address) == (None, None)
    assert (settings.copier_label, settings.whale_label) == ("You", "whale")
    assert settings.scaling_ratio == pytest.approx(0.08)
    assert (settings.dashboard_host, settings.dashboard_port, settings.webserver_port) == ("127.0.0.1", 8765, 3000)
    assert datetime.now(UTC).date() - settings.history_start in (timedelta(days=90), timedelta(days=91))  # midnight
    assert set(settings.sources.values()) == {"default"}


@pytest.mark.parametrize("text", ["c0" * 20, "C0" * 20, "0x" + "c0" * 20, "0x" + "C0" * 20])
def test_address_is_accepted_in_any_spelling(tmp_path, text):
    assert read(tmp_path, POLYPIPE_COPIER_ADDRESS=text).copier_address == COPIER
    assert read(tmp_path, FUNDER_ADDRESS=text).copier_address == COPIER
    assert read(tmp_path, TARGET_WHALE_ADDRESS=text).whale_address == COPIER


def test_command_line_precedes_environment_precedes_dotenv_precedes_default(tmp_path):
    dotenv = "POLYPIPE_SCALING_RATIO=0.03\nPOLYPIPE_WEBSERVER_PORT=3003\nPOLYPIPE_DASHBOARD_PORT=4444\n"
    path = tmp_path / "dotenv"
    path.write_text(dotenv)
    settings = load_settings(
        {"POLYPIPE_SCALING_RATIO": "0.02", "POLYPIPE_WEBSERVER_PORT": ""}, path, {"POLYPIPE_DASHBOARD_PORT": "5555"}
    )
    assert (settings.scaling_ratio, settings.webserver_port, settings.dashboard_port) == (0.02, 3003, 5555)
    assert settings.sources["scaling_ratio"] == "environment"
    assert settings.sources["webserver_port"] == ".env"
    assert settings.sources["dashboard_port"] == "command line"


def test_our_name_precedes_the_bots_name(tmp_path):
    settings = read(tmp_path, FUNDER_ADDRESS="11" * 20, POLYPIPE_COPIER_ADDRESS="22" * 20)
    assert settings.copier_address == "0x" + "22" * 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLYPIPE_COPIER_ADDRESS", "0x12"),
        ("POLYPIPE_HOME", "~no-such-user/data"),
        ("TARGET_WHALE_ADDRESS", "z" * 40),
        ("POLYPIPE_SCALING_RATIO", "0"),
        ("POLYPIPE_SCALING_RATIO", "-0.1"),
        ("POLYPIPE_SCALING_RATIO", "nan"),
        ("POLYPIPE_SCALING_RATIO", "eight"),
        ("POLYPIPE_WEBSERVER_PORT", "0"),
        ("POLYPIPE_DASHBOARD_PORT", "70000"),
        ("POLYPIPE_TENNIS_SCOPE", "wta"),
        ("POLYPIPE_GAMMA_URL", "gamma-api.polymarket.com"),
        ("POLYPIPE_GAMMA_URL", "ftp://x"),
        ("POLYPIPE_DATA_URL", "http://:99"),
        ("POLYPIPE_GAMMA_URL", "http://x y"),
        ("POLYPIPE_CLOB_URL", "http://x/a\tb"),
        ("POLYPIPE_PNL_URL", "http://x<y>"),
        ("POLYPIPE_DATA_URL", "http://x:port"),
        ("POLYPIPE_DASHBOARD_HOST", "a b"),
        ("POLYPIPE_HISTORY_START", "2999-01-01"),
        ("POLYPIPE_HISTORY_START", "0226-11-01"),
        ("POLYPIPE_HISTORY_START", "90 days"),
    ],
)
def test_bad_value_is_one_line_with_variable_value_and_what_is_allowed(tmp_path, name, value):
    with pytest.raises(SettingError) as caught:
        read(tmp_path, **{name: value})
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{name}: {value!r} is not ")
    assert "from environment" in line


@pytest.mark.parametrize("name", ["POLYPIPE_HOME", "POLYPIPE_BOT_DIR"])
@pytest.mark.parametrize("below", ["", "sub/dir"])
def test_directory_that_is_a_file_is_one_line(tmp_path, name, below):
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(SettingError, match=rf"^{name}: '{file / below}' is not a directory") as caught:
        read(tmp_path, **{name: str(file / below)})
    assert "(from environment)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("POLYPIPE_ALERT_URLS", "not a url with s3cret"), ("POLYPIPE_GAMMA_URL", "https://me:s3cret@host")],
)
def test_bad_value_that_may_hold_a_secret_is_not_shown(tmp_path, name, value):
    with pytest.raises(SettingError) as caught:
        read(tmp_path, **{name: value})
    assert "s3cret" not in str(caught.value)
    assert name in str(caught.value)


def test_other_lines_of_dotenv_never_enter_the_settings(tmp_path):
    dotenv = "PRIVATE_KEY=0xs3cret\nexport CLOB_API_KEY='s3cret'\nX_POLYPIPE_HOME=s3cret\nPOLYPIPE_HOME=/x # note\n"
    settings = read(tmp_path, dotenv)
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(settings.to_env())
    assert str(settings.home) == "/x"


def test_alert_urls_are_not_in_the_repr(tmp_path):
    settings = read(tmp_path, POLYPIPE_ALERT_URLS="tgram://s3cret/1, discord://s3cret/2")
    assert settings.alert_urls == ("tgram://s3cret/1", "discord://s3cret/2")
    assert "s3cret" not in repr(settings)


def test_history_starts_on_any_day_up_to_today(tmp_path):
    assert read(tmp_path, POLYPIPE_HISTORY_START="2026-06-01").history_start == date(2026, 6, 1)
    today = datetime.now(UTC).date()
    assert read(tmp_path, POLYPIPE_HISTORY_START=str(today)).history_start == today


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'POLYPIPE_SCALING_RATIO="0.02\n', "POLYPIPE_SCALING_RATIO: its line in .* a quote not closed"),
        (b"A=1\nPOLYPIPE_ALERT_URLS='tgram://s3cret/1\nPOLYPIPE_HOME=/x\n", "POLYPIPE_ALERT_URLS: its line in"),
        ("POLYPIPE_SCALING_RATIO=0.02\n".encode("utf-16"), r"\.env: .* is not valid UTF-8"),
        (b"POLYPIPE_HOME=a\0b\n", r"\.env: .* is not valid UTF-8"),
    ],
)
def test_unreadable_line_of_dotenv_is_an_error_not_the_default(tmp_path, content, words, caplog):
    path = tmp_path / "dotenv"
    path.write_bytes(content)
    with pytest.raises(SettingError, match=words) as caught:
        load_settings({}, path)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caplog.records == []


def test_dotenv_with_byte_order_mark_is_read_from_its_first_line(tmp_path):
    path = tmp_path / "dotenv"
    path.write_bytes(b"\xef\xbb\xbfPOLYPIPE_SCALING_RATIO=0.02\r\nPOLYPIPE_WEBSERVER_PORT=3003\r\n")
    assert (load_settings({}, path).scaling_ratio, load_settings({}, path).webserver_port) == (pytest.approx(0.02), 3003)


def test_missing_dotenv_is_not_an_error(tmp_path):
    assert load_settings({}, tmp_path / "none").scaling_ratio == pytest.approx(0.08)


def test_settings_survive_a_child_environment(tmp_path):
    settings = read(
        tmp_path,
        POLYPIPE_COPIER_ADDRESS=COPIER,
        POLYPIPE_ALERT_URLS="json://a,json://b",
        POLYPIPE_SIMULATED="1",
        POLYPIPE_BOT_DIR=str(tmp_path / "b"),
    )
    assert load_settings(settings.to_env(), tmp_path / "none") == settings


@given(st.sampled_from(VARIABLES), st.text(max_size=60))
def test_any_text_gives_a_setting_or_a_one_line_error(variable, text):
    message = ""
    try:
        load_settings({variable.names[0]: text.replace("\0", "")}, None)
    except SettingError as error:
        message = str(error)
    assert "\n" not in message


def test_short_address_keeps_both_ends():
    assert short_address(COPIER) == "0xc0c0…c0c0"
    assert short_address(None) is None


def test_ping_url_is_unchanged_and_never_shown(tmp_path):
    url = "https://push.example/api/push/s3cret?status=up&msg=OK"
    settings = read(tmp_path, POLYPIPE_PING_URL=url)
    assert settings.ping_url == url
    assert "s3cret" not in repr(settings)
    assert settings.to_env()["POLYPIPE_PING_URL"] == url
    for bad in (
        "ftp://push.example/s3cret",
        "push.example/s3cret",
        "https://push.example/s3 cret",
        "https://",
        "https://me:s3@h/",
    ):
        with pytest.raises(SettingError) as error:
            read(tmp_path, POLYPIPE_PING_URL=bad)
        assert "POLYPIPE_PING_URL" in str(error.value)
        assert "s3" not in str(error.value)


def test_command_line_clears_optional_settings(tmp_path):
    unset = {variable.names[0]: "" for variable in VARIABLES if variable.default in (None, "")}
    environ = {
        "POLYPIPE_PING_URL": "https://push.example/x",
        "POLYPIPE_ALERT_URLS": "json://x",
        "POLYPIPE_WEBSERVER_NAME": "a.example",
    }
    settings = load_settings(environ, tmp_path / "none", overrides=unset)
    assert (settings.ping_url, settings.alert_urls, settings.webserver_name) == (None, (), None)


def test_home_of_the_demo_ignores_real_hosts_and_files(tmp_path):
    """Otherwise `refresh` with a real environment would mix real rows into simulated ones."""
    home = tmp_path / "data" / "demo"
    given = {
        "POLYPIPE_HOME": str(home),
        "POLYPIPE_BOT_DIR": str(home / "bot"),
        "POLYPIPE_GAMMA_URL": "http://127.0.0.1:4001",
        "POLYPIPE_ALERT_URLS": "",
        "POLYPIPE_PING_URL": "",
        "POLYPIPE_SIMULATED": "1",
    }
    started = load_settings({}, tmp_path / "none", given)
    mark_simulated(started)
    path = tmp_path / "dotenv"
    path.write_text(f"FUNDER_ADDRESS={COPIER}\nPOLYPIPE_BOT_DIR=/srv/bot\nPOLYPIPE_WEBSERVER_PORT=3003\n")
    real = {"POLYPIPE_HOME": str(home), "POLYPIPE_GAMMA_URL": "https://gamma.example", "POLYPIPE_ALERT_URLS": "json://a"}
    settings = load_settings(real, path)
    assert (settings.simulated, settings.gamma_url, settings.alert_urls) == (True, "http://127.0.0.1:4001", ())
    assert settings.bot_dir == home / "bot"
    assert settings.sources["gamma_url"] == settings.sources["alert_urls"] == "demo"
    assert (settings.webserver_port, settings.sources["webserver_port"]) == (3003, ".env")  # not in the demo's file
    assert load_settings(real, path, {"POLYPIPE_GAMMA_URL": "http://127.0.0.1:5"}).gamma_url == "http://127.0.0.1:5"
    assert load_settings(real | {"POLYPIPE_HOME": str(tmp_path / "data")}, path).gamma_url == "https://gamma.example"
    assert (home / SIMULATED).stat().st_mode & 0o777 == 0o644


def test_empty_demo_file_of_an_earlier_version_marks_data_as_simulated(tmp_path):
    (tmp_path / SIMULATED).touch()
    settings = load_settings({"POLYPIPE_HOME": str(tmp_path)}, tmp_path / "none")
    assert (settings.simulated, settings.sources["simulated"]) == (True, "demo")
    assert settings.sources["gamma_url"] == "default"


@pytest.mark.parametrize("content", ["{", "[]", "0", '"text"', "\xff"])
def test_damaged_demo_file_is_an_error_of_one_line(tmp_path, content):
    (tmp_path / SIMULATED).write_text(content, encoding="latin-1")
    with pytest.raises(SettingError) as caught:
        load_settings({"POLYPIPE_HOME": str(tmp_path)}, tmp_path / "none")
    assert str(tmp_path / SIMULATED) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_listed_with_their_source(tmp_path):
    dotenv = tmp_path / "dotenv"
    dotenv.write_text(
        "\n".join(["POLYPIPE_HOEM=/x", "# POLYPIPE_OLD=1", " export POLYPIPE_B = 2", "FUNDER_ADDRESS=0", "OTHER=3"])
    )
    environ = {"POLYPIPE_HOME": "x", "POLYPIPE_B": "3", "MY_POLYPIPE_C": "4", "POLYPIPE_\x1b[31m": "5"}
    assert unknown_names(dotenv, environ) == {"POLYPIPE_B": "environment", "POLYPIPE_HOEM": ".env"}
    assert unknown_names(tmp_path / "none", {}) == {}
