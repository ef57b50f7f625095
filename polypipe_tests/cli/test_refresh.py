"""`polypipe refresh` and `polypipe sql`: once as real processes, otherwise in this one."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from polypipe.attribution.stored_days import STORED_DAYS
from polypipe.caches.registry import CACHES
from polypipe.cli.dagster_here import FILE_OF
from polypipe.cli.main import main
from polypipe.definitions import build_defs
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe_tests.oracle import open_events, read_like_serde, six_files
from polypipe_tests.support import POLYPIPE

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()


@pytest.fixture
def polypipe(settings, tmp_path):
    """Runs the command against the simulated exchange in a process; returns the finished process."""

    def run(*arguments, **environ):
        env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)} | settings.to_env() | environ
        return subprocess.run([POLYPIPE, *arguments], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def here(settings, monkeypatch):
    """Runs the command in this process, which has loaded Dagster already; returns the result of click's runner."""
    monkeypatch.setenv("DAGSTER_HOME", "")  # restored afterwards: the command sets it

    def run(*arguments, **environ):
        return CliRunner().invoke(main, arguments, env=settings.to_env() | environ)

    return run


@pytest.mark.slow
def test_refresh_publishes_all_six_files_and_prints_one_line_each(polypipe, sim, settings):
    first = polypipe("refresh")
    assert (first.returncode, first.stderr) == (0, "")
    lines = first.stdout.splitlines()
    assert lines[0].startswith("sports_events: ")
    for spec, line in zip(CACHES, lines[1:], strict=False):
        entries = len(spec.format.flatten(spec.format.decode((settings.bot_dir / spec.file).read_bytes())))
        outcome = f"accepted, {entries} entries, first publication, {entries} added, 0 removed, 0 changed, "
        assert line.startswith(f"{spec.file}: {outcome}")
    truth = six_files(open_events(sim.url), wording=lambda question: "")
    for file in (".live_cache.json", ".clob_market_cache.json", ".clob_slug_cache.json", ".ligue1_tokens.json"):
        assert read_like_serde(settings.bot_dir / file) == truth[file]

    second = polypipe("refresh")
    assert second.returncode == 0
    assert second.stdout.count("0 added, 0 removed, 0 changed") == len(CACHES)

    table = polypipe("sql", "SELECT count(*) AS n FROM publications WHERE accepted")
    assert (table.returncode, table.stdout.split()) == (0, ["n", "--", str(2 * len(CACHES)), "(1", "row)"])
    bad = polypipe("sql", "SELECT nonsense FROM publications")
    assert bad.returncode == 1
    assert len(bad.stderr.splitlines()) == 1
    assert "nonsense" in bad.stderr


@pytest.mark.slow
def test_only_named_assets_are_refreshed(here, settings):
    assert here("refresh", "sports_events", "ligue1_tokens").exit_code == 0
    assert [path.name for path in settings.bot_dir.iterdir()] == [".ligue1_tokens.json"]


@pytest.mark.slow
def test_refused_file_exits_1_with_the_reason(here, sim, settings):
    assert here("refresh").exit_code == 0
    before = (settings.bot_dir / ".clob_market_cache.json").read_bytes()
    kept = {event["id"] for event in open_events(sim.url)[::5]}
    sim.faults.add(
        "mutate", "/events/keyset", mutate=lambda page: page | {"events": [e for e in page["events"] if e["id"] in kept]}
    )
    refused = here("refresh", "sports_events", "market_cache")
    assert refused.exit_code == 1
    assert ".clob_market_cache.json: NOT accepted: " in refused.stdout
    assert "would fall from" in refused.stdout
    assert (settings.bot_dir / ".clob_market_cache.json").read_bytes() == before
    assert here("refresh", "--allow-shrink", "market_cache").exit_code == 0


@pytest.mark.slow
def test_failed_crawl_exits_1_and_names_the_page(here, sim, settings):
    sim.faults.add("status", "/events/keyset", status=404, query={"tag_id": "1"})
    failed = here("refresh")
    assert failed.exit_code == 1
    (line,) = [line for line in failed.stdout.splitlines() if line.startswith("sports_events: ")]
    assert "NOT accepted" in line
    assert "page" in line
    assert "HTTP 404" in line
    assert failed.stdout.count("NOT refreshed: the crawl before it failed") == len(CACHES)
    assert not settings.bot_dir.exists()


def test_unknown_asset_gets_a_hint_and_bad_setting_is_one_line(here):
    unknown = here("refresh", "live_cash")
    assert unknown.exit_code == 1
    assert "unknown asset 'live_cash'; choose from " in unknown.stderr
    assert unknown.stderr.splitlines()[-1] == "hint: did you mean live_cache?"
    bad = here("refresh", POLYPIPE_SCALING_RATIO="eight")
    assert bad.exit_code == 1
    assert bad.stderr == ("polypipe: POLYPIPE_SCALING_RATIO: 'eight' is not a number above 0 (from environment)\n")


@pytest.mark.slow
def test_simulated_data_is_marked(here):
    assert "SIMULATED DATA" in here("refresh", "ligue1_tokens", POLYPIPE_SIMULATED="1").stdout


# Every asset


@pytest.fixture
def filled(sim, settings, monkeypatch):
    """Runs `refresh` with both wallets at the current time; returns (exit code, lines of the output)."""
    sim.clock.set(datetime.now(UTC).timestamp())
    monkeypatch.setenv("DAGSTER_HOME", "")
    env = settings.to_env() | {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}

    def run(*arguments):
        result = CliRunner().invoke(main, ["refresh", *arguments], env=env, catch_exceptions=False)
        return result.exit_code, (result.stdout + result.stderr).splitlines()

    return run


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_asset_of_the_graph_can_be_refreshed(filled, settings):
    graph = build_defs(settings=settings).resolve_asset_graph()
    settings.bot_dir.mkdir(parents=True)
    (settings.bot_dir / "matches_optimized.csv").write_text("")
    assets = [key.to_user_string() for level in graph.toposorted_asset_keys_by_level for key in level]
    for asset in assets:
        code, lines = filled(asset)
        if asset == "dashboard":
            assert (code, len(lines)) == (1, 1)
            assert lines[0].startswith("polypipe: dashboard is never materialized: ")
            continue
        assert code == 0, lines
        checks = [line for line in lines if line.startswith(("WARN ", "ERROR "))]
        line, done = [line for line in lines if line not in checks]
        name = FILE_OF.get(asset, f"{asset}, {YESTERDAY}" if asset in STORED_DAYS else asset)
        assert line.startswith(f"{name}: ")
        assert done.startswith("done in ")


@pytest.mark.slow
def test_days_of_an_asset_are_refreshed_and_its_missing_upstream_is_named_in_one_line(filled):
    first = YESTERDAY - timedelta(days=1)
    code, (line, *rest) = filled("wallet_pnl", "--from", str(first))
    assert code == 0
    assert line.startswith(f"wallet_pnl, {first} to {YESTERDAY}: 2 days, 96 rows, ")
    code, (line, *rest) = filled("copy_fills", "--day", str(first))
    assert code == 1
    assert line.startswith(
        f"copy_fills, {first}: FAILED: these days were not stored: wallet_activity is missing for 1 day: "
    )
    assert rest[-1].startswith("FAILED in ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["wallet_pnl", "--day", "2026-11-01", "--from", "2026-11-01"], "--day excludes --from and --to"),
        (["wallet_pnl", "--to", "2026-11-01"], "--to needs --from"),
        (["wallet_pnl", "--day", "2099-01-01"], "2099-01-01 is not over yet"),
        (["live_cache", "--day", "2026-11-01"], "live_cache has no days"),
    ],
)
def test_days_that_do_not_fit_are_refused_in_one_line(here, arguments, message):
    refused = here("refresh", *arguments)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert message in refused.stderr.splitlines()[0]


@pytest.mark.slow
def test_an_asset_without_its_wallets_fails_with_the_setting_to_set(here):
    failed = here("refresh", "divergence_snapshot", "positions", "wallet_pnl")
    assert failed.exit_code == 1
    assert failed.exception is None or isinstance(failed.exception, SystemExit)
    assert failed.stdout.count("set POLYPIPE_COPIER_ADDRESS") == 3
