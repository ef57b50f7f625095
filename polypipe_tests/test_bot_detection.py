"""Which bot runs in a directory."""

import json
from dataclasses import replace

import pytest

from polypipe import bot_detection
from polypipe.bot_detection import Trader, constants, detect, traders
from polypipe.bot_profile import CLASSIC, SCALED, STRATEGIES, TRADERS
from polypipe.runtime.environment import up_environment
from polypipe.settings import load_settings
from polypipe_tests.bot.corpus import line, my
from polypipe_tests.bot.support import HEADER, text

COPIER = "0x" + "c0" * 20


def write(tmp_path, **files):
    """The bot's directory with files; `__` stands for a slash and `_rs` for `.rs`."""
    for name, content in files.items():
        path = tmp_path / name.replace("__", "/").replace("_rs", ".rs").replace("_json", ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def log(tmp_path, *statuses):
    (tmp_path / bot_detection.LOG).write_text(HEADER + text([line(status) for status in statuses]))
    return tmp_path


@pytest.mark.parametrize(
    ("statuses", "profile"),
    [
        ([f"200 OK [SCALED] | {my()}"], None),
        (["AGG_PENDING", "AGG_FLUSH(2) SKIPPED_SMALL (<10 shares)"], TRADERS),
        ([f"200 OK [CAPPED] | {my()}"], TRADERS),
        (["SKIPPED_NO_POSITION"], TRADERS),
        (["200 OK [PERCENTAGE(10.0%)] | 24.00/24.00 filled @ 0.51 | whale 1200.0 @ 0.50"], STRATEGIES),
        (["SKIPPED_BELOW_MIN ($0.50 < $1.00)"], STRATEGIES),
        (["AGG_PENDING", "SKIPPED_INVALID_SIZE", "MOCK_ONLY"], STRATEGIES),  # the newest line decides
    ],
)
def test_log_shows_the_bot_that_wrote_it(tmp_path, statuses, profile):
    assert detect(log(tmp_path, *statuses)).profile == profile


@pytest.mark.parametrize(
    ("files", "profile"),
    [
        ({}, None),
        ({"traders_json": "[]"}, TRADERS),
        ({"users__77__x": ""}, SCALED),
        ({"users__readme": ""}, None),
        ({"src__settings_rs": "pub const SCALING_RATIO: f64 = 0.02;"}, CLASSIC),
        ({"src__settings_rs": 'pub const SCALING_RATIO: f64 = 1.0; env_parse("COPY_STRATEGY")'}, STRATEGIES),
        ({"src__config__mod_rs": "pub static POSITION_SCALE: Lazy<f64>"}, SCALED),
        ({"src__settings_rs": "pub const SCALING_RATIO: f64 = 0.02; pub traders: TradersConfig,"}, TRADERS),
    ],
)
def test_files_show_the_bot_that_runs_there(tmp_path, files, profile):
    assert detect(write(tmp_path, **files)).profile == profile


def test_log_decides_against_the_files(tmp_path):
    found = detect(log(write(tmp_path, traders_json="[]"), "SKIPPED_BELOW_MIN (x)"))
    assert (found.profile, found.other) == (STRATEGIES, TRADERS)


def test_only_the_end_of_a_long_log_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(bot_detection, "TAIL_BYTES", 600)
    assert detect(log(tmp_path, "AGG_PENDING", *["MOCK_ONLY"] * 5)).profile is None


def test_missing_directory_shows_nothing(tmp_path):
    assert detect(tmp_path / "none").profile is None
    assert constants(tmp_path / "none") == {}


def test_constants_are_read_without_comments(tmp_path):
    source = "pub const MIN_WHALE_SHARES_TO_COPY: f64 = 1_075.0; // WAS: 10.0\n// const MIN_CASH_VALUE: f64 = 9.0;\n"
    assert constants(write(tmp_path, src__settings_rs=source)) == {"MIN_WHALE_SHARES_TO_COPY": "1075.0"}


def read(tmp_path, **environ):
    given = {"POLYPIPE_BOT_DIR": str(tmp_path), "POLYPIPE_COPIER_ADDRESS": COPIER, "POLYPIPE_WHALE_ADDRESS": COPIER}
    return load_settings(given | environ, tmp_path / "none")


def test_detected_profile_gives_ratio_and_minimum_of_the_wallets(tmp_path):
    settings = read(log(tmp_path, "AGG_PENDING"))
    assert settings.wallets is not None
    assert (settings.wallets.bot, settings.wallets.ratio) == (TRADERS, 0.02)
    assert settings.sources["bot_profile"] == "the bot"
    assert settings.sources["scaling_ratio"] == "default"


def test_set_ratio_and_set_profile_win(tmp_path):
    settings = read(log(tmp_path, "AGG_PENDING"), POLYPIPE_SCALING_RATIO="0.05")
    assert (settings.bot_profile, settings.scaling_ratio) == (TRADERS, 0.05)
    settings = read(tmp_path, POLYPIPE_BOT_PROFILE="classic")
    assert (settings.bot_profile, settings.scaling_ratio) == (CLASSIC, 0.08)
    assert settings.sources["bot_profile"] == "environment"


def test_settings_of_the_bot_in_the_environment_win_over_its_source(tmp_path):
    write(tmp_path, src__settings_rs="COPY_STRATEGY const MIN_WHALE_SHARES_TO_COPY: f64 = 25.0;")
    settings = read(tmp_path, COPY_SIZE="5", MIN_ORDER_SIZE_USD="2")
    assert (settings.scaling_ratio, settings.bot_profile.minimum_usd, settings.bot_profile.floor_shares) == (0.05, 2, 25)
    (tmp_path / "dotenv").write_text("PRIVATE_KEY=secret\nCOPY_SIZE=4\n")
    assert load_settings({"POLYPIPE_BOT_DIR": str(tmp_path)}, tmp_path / "dotenv").scaling_ratio == 0.04
    chosen = read(tmp_path, COPY_SIZE="5", POLYPIPE_BOT_PROFILE="strategies,floor_shares=7")
    assert (chosen.scaling_ratio, chosen.bot_profile.floor_shares) == (0.05, 7)


def test_settings_of_another_bot_change_nothing(tmp_path):
    assert read(tmp_path, COPY_SIZE="5", POSITION_SCALE="1").bot_profile == CLASSIC


def test_profile_survives_a_child_environment(tmp_path):
    settings = read(log(tmp_path, "SKIPPED_INVALID_SIZE"), COPY_SIZE="5")
    child = load_settings(settings.to_env(), tmp_path / "none")
    assert child == settings
    assert child.scaling_ratio == 0.05
    assert "POLYPIPE_SCALING_RATIO" not in read(tmp_path / "none").to_env()


def test_floor_is_that_of_the_whale_in_traders_json(tmp_path):
    whale = "0x" + "a1" * 20
    entries = [{"address": "A1" * 20, "min_shares": 100.0}, {"address": "b2" * 20, "enabled": False}]
    (tmp_path / "traders.json").write_text(json.dumps(entries))
    assert traders(tmp_path) == [Trader(whale, 100.0)]
    assert read(tmp_path, POLYPIPE_WHALE_ADDRESS=whale).bot_profile.floor_shares == 100
    assert read(tmp_path).bot_profile.floor_shares == 10  # of another whale
    for bad in ("", "{", "[1]", '[{"label": "x"}]', '{"address": 1}'):
        (tmp_path / "traders.json").write_text(bad)
        assert traders(tmp_path) == []


def test_strategy_in_the_log_is_one_without_a_constant_ratio(tmp_path):
    log(tmp_path, "200 OK [FIXED($50.00)] | 24.00/24.00 filled @ 0.51 | whale 1200.0 @ 0.50")
    assert read(tmp_path).bot_profile == replace(STRATEGIES, strategy="FIXED")


def test_constants_of_a_source_are_not_read_from_the_environment(tmp_path):
    assert read(tmp_path, MIN_CASH_VALUE="5", SCALING_RATIO="1").bot_profile == CLASSIC


def test_variables_of_the_bot_reach_a_detached_up_and_no_others_of_its_env():
    given = {"COPY_SIZE": "5", "PRIVATE_KEY": "secret", "POLYPIPE_BOT_PROFILE": "strategies"}
    assert up_environment(given) == {"COPY_SIZE": "5", "POLYPIPE_BOT_PROFILE": "strategies"}
