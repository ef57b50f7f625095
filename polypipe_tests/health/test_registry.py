"""The registry of probes, and the asset checks that render its findings."""

import dagster as dg
import pytest

from polypipe.health.dagster_adapter import CHECKS, LIVE_CHECKS, Check, asset_checks, check_result, check_results
from polypipe.health.facts import Facts, UnknownFact
from polypipe.health.finding import Finding, Probe, judged, unknown
from polypipe.health.records import NewestSnapshot
from polypipe.health.registry import BY_NAME, FRESHNESS, PROBES, STATUS, failing, findings, of_subjects
from polypipe_tests.health.support import MINUTE, NOW, facts

PROBE = Probe("a_probe", "a subject", "critical", lambda facts: ())
CHECK = Check("recent", "a_probe", "It is recent.", "seconds")


def test_every_probe_has_a_name_of_its_own_and_is_rendered():
    assert len(BY_NAME) == len(PROBES)
    checked = {check.probe for checks in (*CHECKS.values(), LIVE_CHECKS) for check in checks}
    in_doctor = {"universe_old", "history_days"}
    for probe in PROBES:
        assert probe.rule or probe.subject in STATUS or probe.name in checked | in_doctor, probe.name


def test_findings_carry_the_name_of_their_probe():
    known = facts(snapshot=NewestSnapshot(NOW - 6 * MINUTE, {}, {}, None, None))
    (finding,) = BY_NAME["snapshot_old"].run(known)
    assert (finding.probe, finding.key, finding.state) == ("snapshot_old", "snapshots", "failing")
    assert (finding.value, finding.limit) == (360.0, 300.0)


def test_unreadable_part_is_one_unknown_finding_and_the_other_probes_go_on():
    reads = []

    def unreadable(known: Facts) -> list[Finding]:
        reads.append(known)
        raise UnknownFact("published tables: torn")

    probes = [Probe(name, "files", "critical", unreadable) for name in ("one", "two")]
    other = Probe("other", "files", "critical", lambda known: [judged(True, "", "it fails")])
    found = list(findings([*probes, other], facts()))
    assert [(one.probe, one.state, one.text) for one in found] == [
        ("one", "unknown", "published tables: torn"),
        ("other", "failing", "it fails"),
    ]
    assert failing(found) == ["it fails"]


def test_part_that_cannot_be_read_is_tried_once_a_round():
    tries = []

    def unreadable() -> None:
        tries.append(1)
        raise OSError("no such file")

    known = facts()
    for _ in range(3):
        with pytest.raises(UnknownFact, match=r"^spool: no such file$"):
            known.part("spool", unreadable)
    assert len(tries) == 1


def test_healthz_and_status_share_the_probes_of_stale_data():
    assert set(FRESHNESS) < set(STATUS)
    names = {probe.name for probe in of_subjects(*FRESHNESS)}
    assert names == {
        "file_old", "file_refused", "snapshot_old", "source_silent", "positions_old", "publishing_silent",
        "database_damaged", "rows_lost", "records_lost",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "passed", "description", "seconds"),
    [
        ([], True, "nothing to check", None),
        ([judged(False, "a", "fine", 1.0)], True, "fine", 1.0),
        ([judged(False, "a", "fine", 1.0), judged(True, "b", "late", 9.0)], False, "late", 9.0),
        ([unknown("no fresh snapshot")], False, "no fresh snapshot", None),
        ([judged(True, str(n), f"{n}") for n in range(9)], False, "0; 1; 2; 3; 4", None),
    ],
)
def test_check_passes_only_if_every_finding_is_ok_and_names_the_others(found, passed, description, seconds):
    result = check_result(CHECK, PROBE, found)
    assert (result.passed, result.description) == (passed, description)
    assert {name: value.value for name, value in result.metadata.items()} == ({"seconds": seconds} if seconds else {})
    assert result.severity == dg.AssetCheckSeverity.ERROR


def test_check_results_keep_their_names():
    names = [(key.asset_key.to_user_string(), key.name) for one in asset_checks for key in one.check_keys]
    assert len(names) == len(set(names)) == 5 * 4 + 5 + sum(map(len, CHECKS.values()))
    known = facts(snapshot=NewestSnapshot(NOW, {}, {}, None, None))
    results = {one.check_name: one for one in check_results(CHECKS["divergence_snapshot"], known)}
    assert list(results) == ["recent", "complete", "gaps"]
    assert results["recent"].passed
