"""The quality of any window: what the tables say of theirs, and what they cannot say, of others; as a command."""

import json
from datetime import date

import pytest
from click.testing import CliRunner

from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.metrics import compute_metrics
from polypipe.attribution.quality_report import quality_of
from polypipe.attribution.quality_text import quality_lines
from polypipe.cli.main import main
from polypipe.errors import PolypipeError
from polypipe.warehouse import Append, Window
from polypipe_tests.attribution.tables import COPIER, DAY, T0, WALLETS, WHALE, a_day, matched, measured, publish
from polypipe_tests.divergence.support import rows

FIRST, SECOND = date(2026, 9, 1), date(2026, 9, 2)


@pytest.fixture
def computed(stored):
    """Two days with their metrics and gaps."""
    compute_metrics(stored, WALLETS, T0, T0 + 2 * DAY)
    compute_gap(stored, WALLETS, T0, T0 + 2 * DAY)
    return stored


def test_the_report_of_a_day_equals_the_tables(computed) -> None:
    found = quality_of(computed, WALLETS, FIRST, FIRST)
    names = [name for name in found.metrics if name not in ("funnel", "markouts", "reasons", "window_days")]
    table = rows(computed, f"SELECT {', '.join(names)} FROM copy_metrics_daily WHERE window_days = 1 ORDER BY day")[0]
    assert {name: found.metrics[name] for name in names} == dict(zip(names, table, strict=True))
    gap, unexplained = rows(computed, "SELECT gap, unexplained FROM gap_attribution ORDER BY day")[0]
    assert (found.attribution["gap"], found.attribution["parts"][-1]["usd"]) == (gap, pytest.approx(unexplained))
    assert found.metrics["funnel"]["unfilled"]["fills"] == 1
    assert [row["token_id"] for row in found.exits] == ["U"]


@pytest.mark.slow
def test_the_report_of_other_days_is_computed_from_the_fills(computed) -> None:
    found = quality_of(computed, WALLETS, FIRST, SECOND)
    gap = found.attribution
    assert (gap["days"], gap["days_known"], gap["copier_pnl"]) == (2, 2, -9.0)
    assert gap["expected_pnl"] + sum(part["usd"] for part in gap["parts"]) == pytest.approx(gap["copier_pnl"], abs=1e-6)
    each = [quality_of(computed, WALLETS, day, day).metrics for day in (FIRST, SECOND)]
    for name in ("whale_fills", "eligible_fills", "copied_fills"):
        assert found.metrics[name] == sum(one[name] for one in each) > 0
    assert found.metrics["copy_rate"] == pytest.approx(
        100 * found.metrics["copied_fills"] / found.metrics["eligible_fills"]
    )
    assert quality_of(computed, WALLETS).last == SECOND  # the newest day, and all before it
    text = "\n".join(quality_lines(found))
    assert "2026-09-01 to 2026-09-02, the gap is known on 2 of 2 days" in text
    assert "$-" not in text


def test_unknown_numbers_of_the_report_have_reasons(stored) -> None:
    found = quality_of(stored, WALLETS, SECOND, date(2026, 9, 9))  # no gap is computed, and most days have no activity
    assert found.attribution["gap"] is None
    assert "gap_attribution of this day is not computed" in found.attribution["reason"]
    assert found.metrics["copy_rate"] is None
    assert found.coverage is None
    text = "\n".join(quality_lines(found))
    assert "copy rate                unknown: activity is known and matched on 1 of 8 days" in text
    assert "shortfall                unknown" in text
    assert "coverage at the end      unknown: gap_attribution of the last day is not computed" in text
    assert "uncopied exits           none; exits may be missing" in text


def test_a_report_without_history_is_refused(warehouse) -> None:
    with pytest.raises(PolypipeError, match="no past day"):
        quality_of(warehouse, WALLETS)


def test_command_prints_text_or_json_and_refuses_bad_days(computed, monkeypatch) -> None:
    for name, value in (("HOME", computed.layout.home), ("COPIER_ADDRESS", COPIER), ("WHALE_ADDRESS", WHALE)):
        monkeypatch.setenv(f"POLYPIPE_{name}", str(value))
    monkeypatch.setenv("POLYPIPE_SCALING_RATIO", "0.1")
    run = CliRunner().invoke
    text = run(main, ["quality", "--from", "2026-09-01"])
    assert text.exit_code == 0
    assert "unexplained" in text.output
    answer = json.loads(run(main, ["quality", "--json", "--to", "2026-09-01"]).output)
    assert (answer["first"], answer["last"]) == ("2026-09-01", "2026-09-01")
    assert answer["attribution"]["gap"] == pytest.approx(-14.0 - 0.1 * 201)
    assert {row["dimension"] for row in answer["breakdowns"]} >= {"sport", "league", "price", "size"}
    for bad, line in (("1066-10-14", "a day is in the years 2000 to 2200"), ("2027-01-01", "no days from")):
        failed = run(main, ["quality", "--from", bad])
        assert failed.exit_code != 0
        assert line in failed.output.strip().rpartition("\n")[2]


def test_a_title_cannot_write_to_the_terminal(warehouse, con) -> None:
    a_day(con)
    con.execute("UPDATE wallet_activity SET title = 'Who \x1b[2J wins?' WHERE asset = 'U'")
    measured(con, T0, -14.0, 201.0)
    matched(con)
    publish(warehouse, con)
    compute_gap(warehouse, WALLETS, T0, T0 + DAY)
    text = "\n".join(quality_lines(quality_of(warehouse, WALLETS)))
    assert "Who \\x1b[2J wins?" in text
    assert "\x1b" not in text


def test_unknown_days_are_warnings_of_the_report_and_notes_of_their_day(computed) -> None:
    with computed.batch("unknown") as batch:
        row = {"wallet": COPIER, "day": T0, "reason": "PnL moved while nothing was open", "read_at": T0}
        batch.add("activity_unknown_days", [row])
        computed.store(batch.commit({"activity_unknown_days": Append()}))
    with computed.batch("known") as batch:
        batch.add("activity_days", [])
        computed.store(batch.commit({"activity_days": Window("day", T0, T0 + DAY, {"wallet": COPIER})}))
    compute_gap(computed, WALLETS, T0, T0 + DAY)
    report = quality_of(computed, WALLETS, FIRST, SECOND)
    (warning,) = report.warnings
    assert warning == (
        "the copier's activity is not known completely on 1 day (2026-09-01): fills, copies and exits may be missing, "
        "because PnL moved while nothing was open; backfill wallet_activity for these days"
    )
    assert f"warning: {warning}" in quality_lines(report)
    (notes,) = rows(computed, "SELECT notes FROM gap_attribution ORDER BY day LIMIT 1")[0]
    assert "the copier's activity is not known completely: PnL moved while nothing was open" in json.loads(notes)
