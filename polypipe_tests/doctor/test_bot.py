"""The bot's directory, its six files, what it hears, and its ratio: in good and in every bad state."""

import hashlib
import json
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from polypipe.bot.logs import TRADE_LOG
from polypipe.bot_profile import CLASSIC, SCALED, STRATEGIES, TRADERS
from polypipe.caches.formats import Categorized
from polypipe.caches.publish import publish
from polypipe.caches.registry import CACHES
from polypipe.doctor.answers import Answer, Network, WalletAnswers
from polypipe.doctor.bot_files import check_file
from polypipe.doctor.bot_hearing import Heard, judge_hearing, read_tail
from polypipe.doctor.bot_program import CURRENT, OF_V2_MARKETS, RETIRED, Named, read_named
from polypipe.doctor.ratio import judge_bot_ratio
from polypipe.health.files import file_old
from polypipe.health.records import FileState
from polypipe.warehouse import Upsert, Warehouse
from polypipe_tests.bot.corpus import line
from polypipe_tests.conftest import settings_for
from polypipe_tests.doctor.support import NOW, fill, inputs_of, results
from polypipe_tests.oracle import read_like_serde

SPECS = {spec.file: spec for spec in CACHES}
CONTENT = {
    ".live_cache.json": {"1": True, "2": False},
    ".clob_market_cache.json": {"1": True, "2": False},
    ".clob_slug_cache.json": {"1": "atp-a", "2": "atp-b"},
    ".atp_token_categories.json": {"1": "moneyline"},
    ".atp_categorized.json": Categorized({"moneyline": ["1"]}, {"moneyline": 1}, "gamma", 1, "2026-11-20T12:00:00Z"),
    ".ligue1_tokens.json": ["1", "2"],
}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bot(tmp_path):
    directory = tmp_path / "bot"
    directory.mkdir()
    return directory


@pytest.fixture
def here(bot):
    return settings_for("http://127.0.0.1:9", POLYPIPE_BOT_DIR=str(bot))


def publish_all(settings, observed_at):
    warehouse = Warehouse(settings.home)
    for spec in CACHES:
        publish(
            settings.bot_dir / spec.file,
            spec.format,
            CONTENT[spec.file],
            crawl_id="c1",
            observed_at=observed_at,
            warehouse=warehouse,
        )
    return warehouse


def test_files_are_ok_as_published_stale_when_old_and_errors_when_another_program_writes_them(here, bot):
    now = datetime.now(UTC)
    publish_all(here, now - timedelta(hours=3))  # the age counts from the confirmation, as in the health registry
    (bot / "matches_optimized.csv").write_text("timestamp\n")
    before = states(bot)
    found = results(inputs_of(here), "files", "bot directory", "ratio")
    assert states(bot) == before  # no file of the bot is changed
    found = {name: found[name] for name in SPECS}
    assert [result.status for result in found.values()] == ["ok"] * 6
    assert found[".ligue1_tokens.json"].finding.startswith("2 entries; .ligue1_tokens.json was last confirmed")

    old = results(inputs_of(here, now=now + timedelta(hours=3)), "files")
    assert {result.status for result in old.values()} == {"error"}
    assert old[".live_cache.json"].finding.endswith(" ago; limit 5 min")

    cron = bot / ".live_cache.json"
    cron.write_text('{"1": true, "2": false}')  # the same entries, as the old script spaces them
    mine = results(inputs_of(here), "files")
    assert mine[".live_cache.json"].status == "unknown"  # it may be a publication in progress
    later = results(inputs_of(here, now=datetime.now(UTC) + MINUTE), "files")
    assert later[".live_cache.json"].status == "error"
    assert "another program wrote it" in later[".live_cache.json"].finding
    assert "build_live_cache.py" in later[".live_cache.json"].advice
    assert later[".clob_slug_cache.json"].status == "ok"

    cron.unlink()
    assert "is missing" in results(inputs_of(here), "files")[".live_cache.json"].finding


def test_missing_files_before_the_first_start_are_skipped(here):
    found = results(inputs_of(here), "files")
    assert {result.status for result in found.values()} == {"skipped"}


def test_files_are_judged_even_if_the_tables_are_broken(here, bot):
    publish_all(here, datetime.now(UTC))
    (here.home / "CURRENT.json").write_text("torn")
    (bot / ".live_cache.json").write_text('{"1":null}')
    (bot / ".ligue1_tokens.json").unlink()
    found = results(inputs_of(here), "files")
    assert found[".live_cache.json"].status == "error"
    assert found[".ligue1_tokens.json"].status == "unknown"
    assert (found[".clob_slug_cache.json"].status, "2 entries, valid" in found[".clob_slug_cache.json"].finding) == (
        "unknown",
        True,
    )


def check(path, payload, ago=MINUTE, refused=None, entries=1):
    """The result for a file that was published with this content at `NOW`, some time later."""
    spec = SPECS[path.name]
    state = FileState(spec.file, spec.fresh_within, NOW, refused, entries, hashlib.sha256(payload).hexdigest())
    facts = SimpleNamespace(files=[state], now=NOW + ago, since=None)
    return check_file(spec, path, state, next(file_old(facts)), NOW + ago)


@pytest.mark.parametrize(
    ("file", "payload", "status", "words"),
    [
        (".live_cache.json", b'{"1":true}', "ok", "1 entry"),
        (".live_cache.json", b'{"1":true,"2":null}', "error", "the bot ignores this file"),
        (".live_cache.json", b'{"1":1}', "error", "the bot ignores this file"),
        (".live_cache.json", b'{"1":"true"}', "error", "the bot ignores this file"),
        (".live_cache.json", b'{"1":tr', "error", "the bot ignores this file"),
        (".live_cache.json", b"", "error", "the bot ignores this file"),
        (".live_cache.json", b"<html>", "error", "the bot ignores this file"),
        (".live_cache.json", b"\xef\xbb\xbf{}", "error", "the bot ignores this file"),
        (".live_cache.json", b'["1"]', "error", "the bot ignores this file"),
        (".live_cache.json", b"{}", "error", "it would erase what the bot knows"),
        (".live_cache.json", b'{"1":true,"1":false}', "warning", "key '1' is duplicated"),
        (".live_cache.json", b'{"one":true}', "warning", "'one' is not a token id"),
        (".clob_slug_cache.json", b'{"1":null}', "error", "the bot ignores this file"),
        (".clob_slug_cache.json", b'{"1":"a"}', "ok", "1 entry"),
        (".clob_slug_cache.json", b'{"1":""}', "warning", "empty slug"),
        (".ligue1_tokens.json", b'["1",2]', "error", "the bot ignores this file"),
        (".ligue1_tokens.json", b'["2","1"]', "warning", "not sorted"),
        (".ligue1_tokens.json", b'["1","1"]', "warning", "not sorted and unique"),
        (".ligue1_tokens.json", b'["1","2"]', "ok", "2 entries"),
        (".atp_categorized.json", b'{"categories":{}}', "error", "the bot ignores this file"),
    ],
)
def test_file_is_judged_as_the_bot_parses_it(bot, file, payload, status, words):
    """The file was published with this content a minute ago."""
    (bot / file).write_bytes(payload)
    (bot / file).chmod(0o644)
    result = check(bot / file, payload)
    assert (result.status, words in result.finding) == (status, True), result
    assert bool(result.advice) == (status != "ok")
    if status == "ok":
        assert read_like_serde(bot / file)
    elif status == "error":
        with pytest.raises((AssertionError, ValueError, AttributeError, TypeError)):
            read_like_serde(bot / file)


@pytest.mark.parametrize(
    ("mode", "changes", "status", "words"),
    [
        (0o600, {}, "warning", "mode 0600"),
        (0o644, {"refused": "it would shrink"}, "warning", "a newer one was refused: it would shrink"),
        (0o644, {"ago": timedelta(hours=1), "refused": "no crawl"}, "error", "last refused: no crawl"),
    ],
)
def test_unreadable_mode_and_a_newer_refusal_are_reported(bot, mode, changes, status, words):
    path, payload = bot / ".live_cache.json", b'{"1":true}'
    path.write_bytes(payload)
    path.chmod(mode)
    result = check(path, payload, **changes)
    assert (result.status, words in result.finding) == (status, True), result


def test_empty_file_is_ok_if_its_publication_was_empty(bot):
    path = bot / ".ligue1_tokens.json"
    path.write_bytes(b"[]")
    path.chmod(0o644)
    assert check(path, b"[]", entries=0).status == "ok"


def test_file_without_a_publication_is_a_warning(bot):
    (bot / ".live_cache.json").write_bytes(b'{"1":true}')
    result = check_file(SPECS[".live_cache.json"], bot / ".live_cache.json", None, None, NOW)
    assert result.status == "warning"
    assert "another program wrote it" in result.finding


def test_bot_directory_must_exist_be_a_directory_and_be_set(here, bot, tmp_path, monkeypatch):
    assert results(inputs_of(here), "bot directory")["bot directory"].status == "ok"
    assert list(bot.iterdir()) == []  # the probe was removed
    missing = settings_for("http://127.0.0.1:9", POLYPIPE_BOT_DIR=str(tmp_path / "none"))
    named = results(inputs_of(missing), "bot directory")["bot directory"]
    assert (named.status, "polypipe would create it" in named.finding) == ("warning", True)
    assert not (tmp_path / "none").exists()
    with monkeypatch.context() as patch:
        patch.setattr("os.access", lambda path, mode: path != tmp_path)
        locked = results(inputs_of(missing), "bot directory")["bot directory"]
    assert (locked.status, f"cannot be created in {tmp_path}" in locked.finding) == ("error", True)
    unset = settings_for("http://127.0.0.1:9")
    assert results(inputs_of(unset), "bot directory")["bot directory"].status == "skipped"
    (tmp_path / "file").write_text("")
    wrong = replace(missing, bot_dir=tmp_path / "file")  # made a file after the settings were read
    assert "is not a directory" in results(inputs_of(wrong), "bot directory")["bot directory"].finding
    inside = settings_for("http://127.0.0.1:9")
    inside.bot_dir.mkdir(parents=True)
    assert "POLYPIPE_BOT_DIR" in "".join(results(inputs_of(inside), "bot directory")["bot directory"].details)


def test_bot_directory_that_is_not_writable_is_an_error(here, monkeypatch):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("polypipe.doctor.bot_directory.tempfile.NamedTemporaryFile", refuse)
    result = results(inputs_of(here), "bot directory")["bot directory"]
    assert (result.status, "Permission denied" in result.finding) == ("error", True)


# The bot's log against the whale's fills


def fills(count, newest, apart=MINUTE, **changes):
    """The whale's fills, newest first."""
    return [fill(newest + n * apart, transaction_hash=f"0x{n:064X}", **changes) for n in range(count)]


def heard(newest, known, first=timedelta(days=1)):
    return Heard(NOW - first, NOW - newest, {fill.transaction_hash.lower() for fill in known})


NOTHING = Named()
OLD_BOT = Named({"src/settings.rs": set(RETIRED)})
NEW_BOT = Named({"src/settings.rs": set(CURRENT)})
HOUR = timedelta(hours=1)
RECENT = fills(20, 15 * MINUTE)


@pytest.mark.parametrize(
    ("whale", "log", "versions", "named", "status", "words"),
    [
        (RECENT, heard(MINUTE, RECENT), {}, NOTHING, "ok", "20 of the whale's last 20 fills"),
        (RECENT, heard(MINUTE, RECENT[:4]), {}, NOTHING, "warning", "4 of the whale's last 20 fills"),
        # The log proves it, whatever an old source beside it contains.
        (RECENT, heard(MINUTE, RECENT), {}, OLD_BOT, "ok", "20 of"),
        (
            RECENT,
            heard(2 * HOUR, []),
            {},
            NOTHING,
            "error",
            "for 2 h 00 min; meanwhile the whale had 20 or more",
        ),
        (RECENT, heard(2 * HOUR, []), {}, OLD_BOT, "error", "contains only exchange contracts that were retired"),
        (RECENT, heard(2 * HOUR, []), {}, NEW_BOT, "error", "logged nothing"),
        # Too few fills, or too young ones, prove nothing.
        (RECENT[:4], heard(2 * HOUR, []), {}, NOTHING, "ok", "no fills of the whale to compare"),
        (fills(20, MINUTE, MINUTE / 60), heard(2 * HOUR, []), {}, NOTHING, "ok", "no fills of the whale to compare"),
        ([], heard(2 * HOUR, []), {}, NOTHING, "ok", "no fills of the whale to compare"),
        # Without a log only the bot's files count.
        (RECENT, None, {}, NOTHING, "skipped", "does not exist"),
        (RECENT, Heard(), {}, NOTHING, "skipped", "has no lines yet"),
        (RECENT, None, {}, OLD_BOT, "error", "src/settings.rs contains only exchange contracts"),
        (RECENT, None, {}, NEW_BOT, "skipped", "does not exist"),
    ],
)
def test_bot_is_silent_only_if_enough_old_fills_are_missing_from_its_log(
    whale, log, versions, named, status, words, tmp_path
):
    result = judge_hearing(whale, log, versions, named, NOW, tmp_path / "matches_optimized.csv")
    assert (result.status, words in result.finding) == (status, True), result
    if status == "error":
        assert next(iter(CURRENT)) in result.advice


def test_advice_on_contracts_names_the_constant_of_the_bot(tmp_path):
    whale = fills(6, timedelta(minutes=30))
    log = heard(timedelta(hours=2), [])
    for profile, words in ((CLASSIC, "MONITORED_ADDRESSES in its settings.rs"), (SCALED, "EXCHANGE_ADDRESSES in its src/")):
        assert words in judge_hearing(whale, log, {}, NOTHING, NOW, tmp_path, profile).advice


def test_missing_fills_of_one_market_version_are_an_error(tmp_path):
    known = fills(10, 15 * MINUTE, asset="1")
    unheard = [fill(20 * MINUTE, asset="2", transaction_hash=f"0xdead{n}") for n in range(6)]
    versions = {"1": "v1", "2": "v2"}
    result = judge_hearing([*known, *unheard], heard(MINUTE, known), versions, NOTHING, NOW, tmp_path)
    assert result.status == "error"
    assert "none of the whale's 6 fills on v2 markets" in result.finding
    assert next(iter(OF_V2_MARKETS)) in result.advice
    one = judge_hearing([*known, *unheard], heard(MINUTE, [*known, unheard[0]]), versions, NOTHING, NOW, tmp_path)
    assert one.status == "ok"


def test_silent_bot_is_reported_even_if_the_tables_are_broken(here, bot):
    publish_all(here, datetime.now(UTC))
    (here.home / "CURRENT.json").write_text("torn")
    (bot / "matches_optimized.csv").write_text(line(time="2026-11-20 09:00:00.000") + "\n")
    settings = replace(here, whale_address=RECENT[0].wallet)
    network = Network(wallets={RECENT[0].wallet: WalletAnswers(Answer(RECENT), Answer())})
    result = results(inputs_of(settings, network, NOW), "bot hears the whale")["bot hears the whale"]
    assert (result.status, "has logged nothing for 3 h" in result.finding) == ("error", True), result


def test_retired_contracts_are_reported_without_a_whale_and_without_an_answer(here, bot):
    assert results(inputs_of(here), "bot hears the whale")["bot hears the whale"].status == "skipped"
    (bot / "src").mkdir()
    (bot / "src" / "settings.rs").write_text(f'pub const A: &str = "0x{next(iter(RETIRED))}";')
    for settings in (here, replace(here, whale_address=RECENT[0].wallet)):
        result = results(inputs_of(settings), "bot hears the whale")["bot hears the whale"]
        assert (result.status, "were retired on 2026-04-28" in result.finding) == ("error", True), result


def test_tail_of_the_log_skips_torn_and_unknown_lines(tmp_path):
    path = tmp_path / "matches_optimized.csv"
    with pytest.raises(FileNotFoundError):
        read_tail(path)
    lines = [line(time=f"2026-11-20 12:0{n}:00.000", tx=f"0x{n:064X}") for n in range(3)]
    path.write_text("\n".join(["timestamp,block", *lines, "torn line, not a fill", lines[0][:40]]))
    tail = read_tail(path)
    assert (tail.first, tail.last) == (NOW, NOW + 2 * MINUTE)
    assert tail.transactions == {f"0x{n:064x}" for n in range(3)}


def test_contracts_and_ratio_are_read_from_sources_and_executable_binaries(bot):
    (bot / "src" / "config").mkdir(parents=True)
    old = "0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E"
    settings = bot / "src" / "config" / "settings.rs"
    settings.write_text(f'pub const A: &str = "{old}";\npub const SCALING_RATIO: f64 = 0.02;')
    (bot / ".env").write_text(f"PRIVATE_KEY=secret\nX={next(iter(CURRENT))}")
    (bot / "notes.txt").write_text(next(iter(CURRENT)))
    (bot / "pm_bot").write_bytes(b"\x7fELF\0\0" + bytes.fromhex(next(iter(OF_V2_MARKETS))))
    named = read_named(bot)
    assert named.constants["SCALING_RATIO"] == "0.02"
    assert named.contracts == {"src/config/settings.rs": {old[2:].lower()}}  # the binary is not executable yet
    (bot / "pm_bot").chmod(0o755)
    assert read_named(bot).contracts["pm_bot"] == set(OF_V2_MARKETS)
    assert read_named(bot / "nowhere") == Named()


def test_secret_files_of_the_bot_are_never_opened(bot, monkeypatch):
    for name in (".env", ".clob_creds.json", "id.key"):
        (bot / name).write_text("secret")
        (bot / name).chmod(0o755)
    opened = []
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda self: opened.append(self.name) or b"")
    read_named(bot)
    assert opened == []


@pytest.mark.parametrize(
    ("compiled", "setting", "status"), [(None, 0.08, "skipped"), (0.08, 0.08, "ok"), (0.02, 0.08, "error")]
)
def test_ratio_that_differs_from_the_bots_source_is_an_error(compiled, setting, status):
    assert judge_bot_ratio(compiled, setting).status == status


def found_ratio(settings):
    return results(inputs_of(settings), "ratio")["ratio of the bot"]


def test_advice_on_the_ratio_comes_from_settings_that_the_program_uses(here, bot, monkeypatch):
    (bot / "src").mkdir()
    source = bot / "src" / "settings.rs"
    source.write_text("pub const SCALING_RATIO: f64 = 0.02;")
    assert found_ratio(here).status == "error"  # 0.08 is in force
    source.write_text('pub const SCALING_RATIO: f64 = 1.00; env_parse("COPY_STRATEGY")')
    found = found_ratio(replace(here, bot_profile=STRATEGIES, scaling_ratio=0.1))
    assert (found.status, found.finding) == (
        "skipped",
        "the configured ratio is 0.1; the bot's COPY_SIZE is not in its source or in polypipe's environment",
    )
    monkeypatch.setenv("COPY_SIZE", "5")
    found = found_ratio(replace(here, bot_profile=STRATEGIES, scaling_ratio=0.1))
    assert (found.status, found.advice.split(":")[0]) == ("error", "set POLYPIPE_SCALING_RATIO=0.05")
    assert found_ratio(replace(here, bot_profile=STRATEGIES, scaling_ratio=0.05)).status == "ok"


def profile_of(settings):
    return results(inputs_of(settings), "bot profile")


def test_profile_is_shown_with_its_reason_and_rule(here, bot):
    found = profile_of(here)["bot profile"]
    assert (found.status, found.finding.split(":")[0]) == ("ok", "classic")
    assert "nothing in its directory identifies the bot" in found.finding
    assert list(found.details)[1:] == [
        "ratio 0.08, fills from 10 shares, x 1.25 for purchases from 4,000 shares",
        "orders of at least $1.01; smaller ones are sent as the minimum by chance",
        "resting orders: 61 s in play, 1,800 s otherwise, sales up to 1,800 s",
    ]
    (bot / TRADE_LOG.file).write_text(line("AGG_PENDING") + "\n")
    found = profile_of(replace(here, bot_profile=TRADERS, sources={**here.sources, "bot_profile": "the bot"}))[
        "bot profile"
    ]
    assert (found.status, found.finding) == ("ok", "traders: the log has AGG_PENDING")
    assert "orders of at least $1.01 and 5 shares" in found.details[2]


def test_set_profile_of_another_bot_than_the_one_that_runs_is_a_warning(here, bot):
    (bot / TRADE_LOG.file).write_text(line("SKIPPED_INVALID_SIZE") + "\n")
    found = profile_of(replace(here, sources={**here.sources, "bot_profile": "environment"}))["bot profile"]
    assert (found.status, found.advice) == ("warning", "remove POLYPIPE_BOT_PROFILE, or set it to strategies")
    (bot / "traders.json").write_text("[]")
    found = profile_of(replace(here, bot_profile=STRATEGIES))["bot profile"]
    assert (found.status, found.advice) == ("warning", "set POLYPIPE_BOT_PROFILE to the bot that runs")


def test_strategy_without_a_constant_ratio_is_a_warning(here):
    found = profile_of(replace(here, bot_profile=replace(STRATEGIES, strategy="FIXED")))
    assert found["bot strategy"].status == "warning"
    assert "COPY_STRATEGY FIXED" in found["bot strategy"].finding


def test_funder_address_that_the_bot_ignores_is_a_warning(here, monkeypatch):
    of_traders = replace(here, bot_profile=TRADERS)
    assert "bot wallet" not in profile_of(of_traders)
    monkeypatch.setenv("FUNDER_ADDRESS", "c0" * 20)
    assert profile_of(of_traders)["bot wallet"].status == "warning"
    assert "bot wallet" not in profile_of(here)
    monkeypatch.setenv("USE_SEPARATE_FUNDER", "true")
    assert "bot wallet" not in profile_of(of_traders)


def test_other_traders_of_the_bot_are_a_warning(here, bot):
    whale, other = "0x" + "a1" * 20, "0x" + "b2" * 20
    of_traders = replace(here, bot_profile=TRADERS, whale_address=whale)
    for followed, words in (
        ([whale], None),
        ([whale, other], "1 other trader besides the whale"),
        ([other], "does not enable"),
    ):
        (bot / "traders.json").write_text(json.dumps([{"address": address[2:].upper()} for address in followed]))
        found = profile_of(of_traders).get("bot traders")
        assert (found is None) if words is None else (words in found.finding)


@pytest.mark.parametrize(
    ("realised", "pairs", "status", "words"),
    [
        (0.0801, 300, "ok", "median of 300 pairs"),
        (0.02, 300, "warning", "the copier's fills show a ratio of 0.02"),
        (None, 3, "skipped", "3 unambiguous pairs, 20 are needed"),
    ],
)
def test_ratio_that_differs_from_the_copiers_fills_is_a_warning(here, realised, pairs, status, words):
    settings = replace(here, copier_address="0x" + "1" * 40, whale_address="0x" + "2" * 40)
    reasons = {} if realised else {"realised_ratio": f"{pairs} unambiguous pairs, 20 are needed"}
    row = {
        "day": NOW.replace(hour=0),
        "window_days": 30,
        "user1_address": settings.copier_address,
        "user2_address": settings.whale_address,
        "days_known": 30,
        "realised_ratio": realised,
        "realised_pairs": pairs,
        "funnel": "{}",
        "reasons": json.dumps(reasons),
    }
    warehouse = Warehouse(settings.home)
    with warehouse.batch("metrics") as batch:
        batch.add("copy_metrics_daily", [row])
        batch.commit({"copy_metrics_daily": Upsert(("day", "window_days"))})
    result = results(inputs_of(settings), "ratio")["ratio realised"]
    assert (result.status, words in result.finding) == (status, True), result


def states(directory):
    """Content, time and mode of every file."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, stat.S_IMODE(path.stat().st_mode))
        for path in directory.iterdir()
    }
