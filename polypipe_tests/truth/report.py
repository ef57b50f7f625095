"""The tables of docs/accuracy.md, from the scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from polypipe_tests.truth.score import Score
from polypipe_tests.truth.world import Kind

BEGIN, END = "<!-- tables: written by `make accuracy` -->", "<!-- end of tables -->"

FILLS_TARGET, WRONG_DAYS, UNEXPLAINED_TARGET, CAUSE_TARGET = 0.99, 0.05, 0.02, 0.01


def tables(scores: Mapping[Kind, Score]) -> str:
    """All tables as Markdown."""
    return "\n".join(
        [
            "### Targets\n",
            *_targets(scores),
            "\n### Copied fills\n",
            "| world | copied | precision | recall | flagged | precision of the others | lost without a flag |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(_fills(kind, score) for kind, score in scores.items()),
            "\n### Causes and numbers\n",
            "| world | days | worst cause | error | days within 1 % | unexplained | exits | wrong (days) |",
            "|---|---:|---|---:|---:|---:|---:|---|",
            *(_causes(kind, score) for kind, score in scores.items()),
            "\n### Worlds\n",
            "| world | what it is |",
            "|---|---|",
            *(f"| {kind.name} | {kind.about} |" for kind in scores),
        ]
    )


def missed(kind: Kind, score: Score) -> list[str]:
    """The targets that a kind of world misses, in words."""
    fills, found = score.fills, []
    if kind.targets == "all":
        for name, value in (("precision", fills.precision), ("recall", fills.recall)):
            if value < FILLS_TARGET:
                found.append(f"{name} of copied fills {value:.3f}")
    elif fills.sure_precision < FILLS_TARGET:
        found.append(f"precision of fills that are not flagged {fills.sure_precision:.3f}")
    if score.wrong_numbers:
        found.append("wrong numbers: " + ", ".join(score.wrong_numbers))
    if kind.evening and score.unexplained > UNEXPLAINED_TARGET:
        found.append(f"unexplained {score.unexplained:.1%}")
    cause, error = _worst(score)
    if kind.targets == "all" and error > CAUSE_TARGET:
        found.append(f"error of {cause} {error:.1%}")
    return found


def write(document: Path, text: str, opens: str = BEGIN, closes: str = END) -> None:
    """Replace what is between the marks. Raises `ValueError` if the document has none."""
    before, begin, rest = document.read_text("utf-8").partition(opens)
    _, end, after = rest.partition(closes)
    if not begin or not end:
        raise ValueError(f"{document} has no lines {opens!r} and {closes!r}")
    document.write_text(f"{before}{opens}\n{text}\n{closes}{after}", "utf-8")


def _targets(scores: Mapping[Kind, Score]) -> Sequence[str]:
    lines = ["| world | misses |", "|---|---|"]
    lines += [f"| {kind.name} | {'; '.join(missed(kind, score)) or 'nothing'} |" for kind, score in scores.items()]
    return lines


def _fills(kind: Kind, score: Score) -> str:
    fills = score.fills
    return (
        f"| {kind.name} | {fills.copied:,} | {fills.precision:.3f} | {fills.recall:.3f} | {fills.flagged} | "
        f"{fills.sure_precision:.3f} | {fills.unsaid} |"
    )


def _causes(kind: Kind, score: Score) -> str:
    cause, error = _worst(score)
    within = sum(day.worst <= CAUSE_TARGET for day in score.days)
    wrong = ", ".join(f"{name} ({days})" for name, days in score.wrong_numbers.items())
    return (
        f"| {kind.name} | {len(score.days)} | {cause} | {error:.1%} | {within} | {score.unexplained:.1%} | "
        f"{score.right_exits} of {len(score.exits)} | {wrong} |"
    )


def _worst(score: Score) -> tuple[str, float]:
    return max(score.causes.items(), key=lambda item: item[1], default=("none", 0.0))
