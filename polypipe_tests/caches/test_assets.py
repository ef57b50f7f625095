"""The market side as Dagster runs it, against the simulated exchange and an oracle that shares no code with it."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import dagster as dg
import httpx
import pytest

from polypipe.caches import publish, universe
from polypipe.caches.assets import RefreshConfig, cache_assets, sports_events
from polypipe.caches.categories import category_from_wording
from polypipe.caches.formats import CATEGORIZED
from polypipe.caches.registry import CACHES
from polypipe.health.dagster_adapter import FILE_CHECKS, check_results, file_check_results
from polypipe.health.facts import Facts
from polypipe.settings import load_settings
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import impatient, settings_for, small_exchange
from polypipe_tests.oracle import open_events, read_like_serde, six_files, token_ids

ALL = [sports_events, *cache_assets]
LIVE_SPEC = next(spec for spec in CACHES if spec.asset == "live_cache")


def materialized(settings, warehouse, polymarket, names=(), allow_shrink=False):
    """Dagster's result of materializing the named assets, or all."""
    chosen = [asset for asset in ALL if not names or asset.key.to_user_string() in names]
    config = RefreshConfig(allow_shrink=allow_shrink)
    return dg.materialize(
        chosen,
        resources={"settings": settings, "warehouse": warehouse, "polymarket": polymarket},
        run_config=dg.RunConfig(
            {a.key.to_user_string(): config for a in chosen if a is not sports_events},
            loggers={"console": {"config": {"log_level": "CRITICAL"}}},
        ),
        raise_on_error=False,
    )


@pytest.fixture
def run(settings, warehouse, polymarket):
    """Materializes assets in the home of the test."""

    def materialize(*names, settings=settings, warehouse=warehouse, allow_shrink=False):
        return materialized(settings, warehouse, polymarket, names, allow_shrink)

    return materialize


@pytest.fixture(scope="module")
def _refreshed_home(tmp_path_factory):
    home = tmp_path_factory.mktemp("refreshed")
    with small_exchange() as sim:
        settings = load_settings({}, home / "none", {"POLYPIPE_GAMMA_URL": sim.url, "POLYPIPE_HOME": str(home)})
        assert materialized(settings, Warehouse(home), impatient(settings)).success
    return home


@pytest.fixture
def refreshed(_refreshed_home, settings, warehouse):
    """A copy of the home after `run()`, which saves most tests a refresh."""
    shutil.copytree(_refreshed_home, settings.home, dirs_exist_ok=True)


def metadata(result, asset):
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def failure(result, asset):
    (event,) = [e for e in result.all_events if e.is_step_failure and e.step_key == asset]
    return event.step_failure_data.user_failure_data.description


def published(settings):
    return {spec.file: (settings.bot_dir / spec.file).read_bytes() for spec in CACHES}


def assert_right(settings, url):
    """All six files equal those of the oracle."""
    truth = six_files(open_events(url), settings.tennis_scope, category_from_wording)
    for file, expected in truth.items():
        assert read_like_serde(settings.bot_dir / file) == expected, file
    categorized = read_like_serde(settings.bot_dir / ".atp_categorized.json")
    by_category = {t: name for name, ids in categorized["categories"].items() for t in ids}
    assert by_category == truth[".atp_token_categories.json"]


@pytest.mark.slow
def test_all_six_files_equal_those_of_the_oracle(run, sim, settings, warehouse):
    result = run()
    assert result.success
    assert_right(settings, sim.url)
    live = read_like_serde(settings.bot_dir / ".live_cache.json")
    assert any(live.values())
    assert not all(live.values())
    with warehouse.read(pending=False) as con:
        rows = con.execute("SELECT file, entries, accepted FROM publications ORDER BY file").fetchall()
        crawls = con.execute("SELECT kind, complete, pages > 0, bytes > 0 FROM crawls ORDER BY started_at").fetchall()
    assert [file for file, _, _ in rows] == sorted(spec.file for spec in CACHES)
    assert all(accepted and entries == len(flat(settings, file)) for file, entries, accepted in rows)
    assert crawls == [("universe", True, True, True), ("live", True, True, True)]


def flat(settings, file):
    spec = next(spec for spec in CACHES if spec.file == file)
    return spec.format.flatten(spec.format.decode((settings.bot_dir / file).read_bytes()))


@pytest.mark.slow
def test_second_run_on_the_same_data_rewrites_no_file(refreshed, run, settings):
    before = {spec.file: (settings.bot_dir / spec.file).stat().st_mtime_ns for spec in CACHES}
    assert run().success
    assert {spec.file: (settings.bot_dir / spec.file).stat().st_mtime_ns for spec in CACHES} == before


@pytest.mark.slow
def test_files_of_two_homes_are_byte_identical(run, sim, settings, tmp_path):
    run()
    other = settings_for(sim.url, POLYPIPE_HOME=str(tmp_path / "other"))
    assert run(settings=other, warehouse=Warehouse(other.home)).success
    mine, theirs = published(settings), published(other)
    for content in (mine, theirs):
        categorized = CATEGORIZED.decode(content[".atp_categorized.json"])
        categorized.updated = ""  # the time of the crawl
        content[".atp_categorized.json"] = CATEGORIZED.encode(categorized)
    assert mine == theirs


@pytest.mark.slow
def test_tennis_scope_all_includes_every_tennis_event(run, sim, tmp_path):
    wide = settings_for(sim.url, POLYPIPE_TENNIS_SCOPE="all", POLYPIPE_HOME=str(tmp_path / "wide"))
    assert run(settings=wide, warehouse=Warehouse(wide.home)).success
    assert_right(wide, sim.url)
    narrow = six_files(open_events(sim.url), "atp", category_from_wording)[".atp_token_categories.json"]
    assert len(read_like_serde(wide.bot_dir / ".atp_token_categories.json")) > len(narrow) > 0


@pytest.mark.slow
def test_runs_have_the_metadata_that_the_ui_shows(run, settings):
    result = run()
    for spec in CACHES:
        shown = metadata(result, spec.asset)
        assert shown["dagster/row_count"] == len(flat(settings, spec.file))
        assert shown["dagster/uri"] == f"file://{settings.bot_dir / spec.file}"
        assert {"added", "removed", "changed"} <= shown.keys()
    assert metadata(result, "live_cache")["newest_live_events"].count("\n") >= 2
    crawl = metadata(result, "sports_events")
    assert crawl["markets_skipped"] > 0
    assert "clobTokenIds" in crawl["skipped"]


@pytest.mark.slow
def test_run_on_simulated_data_is_marked(run, sim, tmp_path):
    marked = settings_for(sim.url, POLYPIPE_SIMULATED="1", POLYPIPE_HOME=str(tmp_path / "marked"))
    result = run(settings=marked, warehouse=Warehouse(marked.home))
    assert all("SIMULATED DATA" in metadata(result, asset.key.to_user_string()) for asset in ALL)
    assert "SIMULATED DATA" in metadata(result, "live_cache")["newest_live_events"]


# ------------------------------------------------------------------------- faulty responses

LISTING = "/events/keyset"
WANTED = {"1", "864", "100639", "102070"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "status", "status": 500}, "HTTP 500"),
        ({"kind": "html"}, "between you and Polymarket"),
        ({"kind": "cut_json"}, "truncated or invalid JSON"),
        ({"kind": "reset"}, ""),
        ({"kind": "repeat_cursor"}, "repeats the cursor"),
        ({"kind": "missing_key"}, "events"),
    ],
    ids=lambda value: value.get("kind", "") + str(value.get("status", "")) if isinstance(value, dict) else "",
)
def test_permanently_failing_page_changes_no_file(refreshed, run, sim, settings, warehouse, fault, reason):
    before = published(settings)
    sim.clock.advance(3 * 3600)  # so that a successful crawl would change the files
    fault = dict(fault)
    sim.faults.add(fault.pop("kind"), LISTING, query={"tag_id": "1"}, page=2, **fault)
    result = run()
    assert not result.success
    line = failure(result, "sports_events")
    assert "\n" not in line
    assert "page " in line
    assert LISTING in line
    assert reason in line
    assert published(settings) == before
    with warehouse.read() as con:
        assert con.execute("SELECT count(DISTINCT crawl_id), count(*) > 0 FROM tokens").fetchone() == (1, True)
        last = con.execute("SELECT complete, error FROM crawls ORDER BY started_at DESC LIMIT 1").fetchone()
    assert last[0] is False
    assert line.startswith(last[1][:40])


@pytest.mark.slow
def test_hanging_page_fails_the_crawl_at_its_deadline(refreshed, run, sim, settings, monkeypatch):
    before = published(settings)
    monkeypatch.setattr(universe, "CRAWL_DEADLINE_SECONDS", 1.0)
    sim.faults.add("hang", LISTING, query={"tag_id": "1"}, page=2)
    line = failure(run(), "sports_events")
    assert "within 1 s" in line
    assert "page " in line
    assert published(settings) == before


@pytest.mark.slow
def test_empty_universe_is_refused(refreshed, run, sim, settings):
    before = published(settings)
    sim.faults.add("mutate", LISTING, mutate=lambda page: {"events": []})
    assert "empty universe" in failure(run(), "sports_events")
    assert published(settings) == before


@pytest.mark.slow
def test_temporary_fault_is_retried(run, sim, settings):
    sim.faults.add("status", LISTING, status=503, times=1)
    assert run().success
    assert_right(settings, sim.url)


@pytest.mark.slow
def test_live_filter_ignored_by_the_server_gives_the_same_file(run, sim, settings):
    sim.faults.add("ignore_live", LISTING)
    result = run()
    assert result.success
    assert metadata(result, "live_cache")["filter_ignored_by_server"] is True
    assert_right(settings, sim.url)


# ------------------------------------------------------------------------------ faulty rows


def edit_events(sim, change):
    """Let `change(event)` edit every event of every page that the server sends from now on."""

    def mutate(page):
        for event in page["events"]:
            change(event)
        return page

    sim.faults.add("mutate", LISTING, mutate=mutate)


def usable_markets(event):
    return [m for m in event["markets"] if m.get("active") and not m.get("closed") and token_ids(m)]


def first_market(event):
    return usable_markets(event)[0]


@pytest.mark.slow
def test_hostile_and_incomplete_rows_are_named_and_leave_the_files_right(run, sim, settings):
    events = [e for e in open_events(sim.url) if {t["id"] for t in e["tags"]} & WANTED and usable_markets(e)]
    is_live = [e.get("live") is True and e.get("ended") is not True for e in events]
    victims = [event for event, live in zip(events, is_live, strict=True) if not live][:12]
    victims[9] = events[is_live.index(True)]
    ids = [event["id"] for event in victims]

    def change(event):
        if event["id"] not in ids:
            return
        number = ids.index(event["id"])
        market = first_market(event)
        market["version"] = "v1"
        if number == 0:
            market.pop("clobTokenIds", None)
        elif number == 1:
            market["clobTokenIds"] = None
        elif number == 2:
            market["clobTokenIds"] = '["12", "3'
        elif number == 3:
            event["live"] = None
        elif number == 4:
            market.pop("negRisk", None)
            event["negRisk"] = True
        elif number == 5:
            market.pop("negRisk", None)
            event.pop("negRisk", None)
        elif number == 6:
            market["closed"] = True
        elif number == 7:
            market["active"] = False
        elif number == 8:
            market |= {"version": "v2", "positionIds": ["9" * 78, "8" * 77], "clobTokenIds": '["1", "2"]'}
        elif number == 9:
            event["title"] = '<img src=x onerror=alert(1)> "quoted" | 🎾 ’'
        elif number == 10:
            market["version"] = "v9"
        elif number == 11:
            market["negRisk"] = not event.get("negRisk", False)

    edit_events(sim, change)
    result = run()
    assert result.success, [failure(result, e.step_key) for e in result.all_events if e.is_step_failure]
    assert_right(settings, sim.url)
    slugs = read_like_serde(settings.bot_dir / ".clob_slug_cache.json")
    assert {"9" * 78, "8" * 77} <= slugs.keys()
    assert not {"1", "2", "12"} & slugs.keys()
    skipped = metadata(result, "sports_events")["skipped"]
    for number in (0, 1, 2, 10):
        market = first_market(victims[number])
        assert f"| {market['id']} |" in skipped, number
    preview = metadata(result, "live_cache")["newest_live_events"]
    assert "<img" not in preview
    assert "&lt;img" in preview


def test_event_on_several_pages_counts_once(run, sim, settings):
    first_pages = {}

    def mutate(page):
        if page["events"]:
            first_pages.setdefault("event", page["events"][0])
            page["events"] = [first_pages["event"], *page["events"], page["events"][-1]]
        return page

    sim.faults.add("mutate", LISTING, mutate=mutate)
    result = run("sports_events")
    assert result.success
    shown = metadata(result, "sports_events")
    assert shown["duplicate_events"] > 0
    sim.faults.clear()
    assert shown["events"] == len({e["id"] for e in open_events(sim.url) if {t["id"] for t in e["tags"]} & WANTED})


def test_unreadable_row_is_dropped_and_named(run, sim):
    (victim,) = [e["id"] for e in open_events(sim.url) if {t["id"] for t in e["tags"]} & WANTED][5:6]
    edit_events(sim, lambda event: event["id"] == victim and event.update(live="yes"))
    result = run("sports_events")
    assert result.success, failure(result, "sports_events")
    assert metadata(result, "sports_events")["rows_dropped"] == 1
    assert victim in metadata(result, "sports_events")["dropped"]


def test_too_many_unreadable_rows_fail_the_crawl(refreshed, run, sim, settings):
    before = published(settings)
    edit_events(sim, lambda event: event.update(live="yes"))
    assert "could not be read" in failure(run(), "sports_events")
    assert published(settings) == before


# ------------------------------------------------------------------------------ live


def test_new_tokens_of_live_events_are_added_at_once(refreshed, run, sim, settings):
    stored = read_like_serde(settings.bot_dir / ".clob_slug_cache.json")
    live_now = [e for e in open_events(sim.url) if e.get("live") is True and e.get("ended") is not True]
    chosen = next(e["id"] for e in live_now if {t["id"] for t in e["tags"]} & WANTED and e["markets"])

    def change(event):
        if event["id"] == chosen:
            market = json.loads(json.dumps(first_market(event)))
            market |= {"id": "999999", "version": "v1", "clobTokenIds": '["77", "78"]'}
            event["markets"].append(market)

    edit_events(sim, change)
    result = run("live_cache")
    assert result.success
    live = read_like_serde(settings.bot_dir / ".live_cache.json")
    assert live["77"] is live["78"] is True
    assert live.keys() == stored.keys() | {"77", "78"}
    assert metadata(result, "live_cache")["tokens_not_in_universe_yet"] == 2


def test_live_event_with_unreadable_ids_keeps_its_stored_tokens(refreshed, run, sim, settings):
    """The unreadable markets are those of one event: too few to conclude that the API has changed."""
    before = read_like_serde(settings.bot_dir / ".live_cache.json")
    live_now = [e for e in open_events(sim.url) if e.get("live") is True and e.get("ended") is not True]
    chosen = next(e for e in live_now if {t["id"] for t in e["tags"]} & WANTED and any(map(token_ids, e["markets"])))

    def change(event):
        for market in event["markets"] if event["id"] == chosen["id"] else ():
            market["version"] = "v3"

    edit_events(sim, change)
    result = run("live_cache")
    assert result.success
    assert read_like_serde(settings.bot_dir / ".live_cache.json") == before
    assert all(before[token] for market in chosen["markets"] if market["active"] for token in token_ids(market))


def test_live_refresh_takes_at_most_three_requests(refreshed, run, sim):
    sim.requests.clear()
    assert run("live_cache").success
    assert 1 <= len(sim.requests) <= 3
    assert {seen.path for seen in sim.requests} == {LISTING}


@pytest.mark.slow
def test_live_file_follows_matches_that_start_and_end(refreshed, run, sim, settings):
    changes = 0
    for _ in range(4):
        sim.clock.advance(1800)
        result = run("live_cache")
        assert result.success
        changes += metadata(result, "live_cache")["changed"]
        live = read_like_serde(settings.bot_dir / ".live_cache.json")
        truth = six_files(open_events(sim.url), wording=category_from_wording)[".live_cache.json"]
        assert {t for t, on in live.items() if on} == {t for t, on in truth.items() if on}
    assert changes > 0


@pytest.mark.slow
def test_live_refresh_on_an_old_universe_crawls_everything(refreshed, run, sim, settings, warehouse, monkeypatch):
    monkeypatch.setattr("polypipe.caches.live_cache.MAX_UNIVERSE_AGE", timedelta(0))
    sim.clock.advance(86400)
    result = run("live_cache")
    assert result.success
    assert metadata(result, "live_cache")["full_crawl"] is True
    assert (
        read_like_serde(settings.bot_dir / ".live_cache.json")
        == (six_files(open_events(sim.url), wording=category_from_wording)[".live_cache.json"])
    )
    with warehouse.read(pending=False) as con:
        assert con.execute("SELECT count(*) FROM crawls WHERE kind = 'universe'").fetchone() == (2,)


def test_live_refresh_without_a_universe_crawls_one(run, sim, settings):
    assert run("live_cache").success
    assert read_like_serde(settings.bot_dir / ".live_cache.json")


def test_failed_live_crawl_changes_no_file(refreshed, run, sim, settings):
    before = published(settings)
    sim.faults.add("status", LISTING, query={"live": "true"}, status=502)
    assert "HTTP 502" in failure(run("live_cache"), "live_cache")
    assert published(settings) == before


# ------------------------------------------------------------------------------ guard, warehouse, checks


def test_run_before_the_first_crawl_fails_with_the_command_to_run(run):
    assert "polypipe refresh" in failure(run("market_cache"), "market_cache")


@pytest.mark.slow
def test_shrunken_universe_is_published_after_three_crawls(refreshed, run, sim, settings):
    before = published(settings)
    kept = {e["id"] for e in open_events(sim.url)[::4]}
    sim.faults.add("mutate", LISTING, mutate=lambda page: page | {"events": [e for e in page["events"] if e["id"] in kept]})
    for number in (1, 2):
        result = run()
        assert not result.success
        assert f"number {number}" in failure(result, "market_cache")
        assert published(settings)[".clob_market_cache.json"] == before[".clob_market_cache.json"]
    assert run().success
    assert_right(settings, sim.url)


@pytest.mark.slow
def test_shrunken_universe_is_published_at_once_with_allow_shrink(refreshed, run, sim, settings):
    kept = {e["id"] for e in open_events(sim.url)[::4]}
    sim.faults.add("mutate", LISTING, mutate=lambda page: page | {"events": [e for e in page["events"] if e["id"] in kept]})
    assert run(allow_shrink=True).success
    assert_right(settings, sim.url)


@pytest.mark.slow
@pytest.mark.parametrize("held", ["polypipe.duckdb", "polypipe.lock"])
def test_files_are_published_from_the_spool_while_the_warehouse_is_held(
    refreshed, run, sim, settings, warehouse, monkeypatch, held
):
    sim.clock.advance(6 * 3600)
    monkeypatch.setattr(universe, "STORE_WAIT_SECONDS", 0.3)
    monkeypatch.setattr(publish, "RECORD_WAIT_SECONDS", 0.1)
    how = "duckdb.connect(path)" if held.endswith("duckdb") else "open(path, 'a'); fcntl.flock(held, fcntl.LOCK_EX)"
    code = f"import duckdb, fcntl, sys; path = sys.argv[1]; held = {how}; print(1, flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(settings.home / held)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"1\n"
        result = run()
        assert result.success
        (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "stored_in_warehouse"]
        assert not check.passed
        assert "spool" in check.description
        if held.endswith("duckdb"):
            assert f"{holder.pid}" in check.description
        assert_right(settings, sim.url)
    finally:
        holder.communicate()
    warehouse.merge()
    with warehouse.read(pending=False) as con:
        assert con.execute("SELECT count(*) FROM crawls WHERE kind = 'universe'").fetchone() == (2,)
        assert con.execute("SELECT count(*) FROM publications").fetchone() == (12,)
        tokens = {t for (t,) in con.execute("SELECT token_id FROM tokens").fetchall()}
    assert tokens == read_like_serde(settings.bot_dir / ".clob_market_cache.json").keys()


def checks(settings, warehouse, spec=LIVE_SPEC):
    return {result.check_name: result for result in file_check_results(spec, settings, warehouse)}


@pytest.mark.slow
def test_checks_pass_after_a_refresh(run, settings, warehouse):
    run()
    for spec in CACHES:
        results = checks(settings, warehouse, spec)
        assert all(result.passed for result in results.values()), results
        assert ("live_count" in results) == (spec.asset == "live_cache")


def test_checks_report_before_anything_was_published(settings, warehouse):
    results = checks(settings, warehouse)
    assert not any(result.passed for result in results.values())
    assert "does not exist" in results["entries"].description


def test_checks_see_a_file_that_somebody_broke(refreshed, settings, warehouse):
    path = settings.bot_dir / LIVE_SPEC.file
    path.write_text('{"1":null}')
    results = checks(settings, warehouse)
    assert "the bot would ignore" in results["entries"].description
    assert not results["coverage"].passed
    path.write_text("{}")
    assert "wipes the bot's map" in checks(settings, warehouse)["entries"].description


def test_age_check_fails_for_a_file_older_than_its_limit(refreshed, settings, warehouse):
    later = datetime.now(UTC) + timedelta(minutes=6)
    with Facts(settings, later, warehouse=warehouse, specs=(LIVE_SPEC,)) as facts:
        results = {result.check_name: result for result in check_results(FILE_CHECKS, facts)}
    assert not results["age"].passed
    assert results["age"].severity == dg.AssetCheckSeverity.ERROR


@pytest.mark.slow
def test_every_listing_request_has_the_documented_parameters(run, sim):
    run()
    for seen in sim.requests:
        params = httpx.QueryParams(seen.query)
        assert params["closed"] == "false"
        assert params.get_list("version") == ["v1", "v2"]
        assert (params["order"], params["ascending"], params["limit"]) == ("id", "true", "100")
