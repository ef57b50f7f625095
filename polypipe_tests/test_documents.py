"""Documents that say where things are: paths, tables, targets and links exist."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from polypipe.caches.registry import CACHES
from polypipe.definitions import TABLES, build_defs

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "deploy/*.md", "data/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
)


def section(title: str) -> str:
    """The text of a section of `docs/architecture.md`."""
    return ARCHITECTURE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def cells(text: str) -> list[list[str]]:
    """Rows of the Markdown table in `text`, without its head."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_each_newcomers_question_is_answered_by_one_path_that_exists():
    answers = cells(section("Where is ...?"))
    assert len(answers) == 10
    for question, answer in answers:
        (path,) = re.findall(r"^`([^`]+)`$", answer)
        assert (ROOT / path).exists(), question


def test_the_table_of_rooms_names_every_room_and_ground_module():
    named = {name for row in cells(section("Rooms")) for name in re.findall(r"`([\w./]+)`", row[0])}
    package = ROOT / "polypipe"
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    assert named == rooms | modules


def test_the_list_of_assets_names_every_asset_and_its_group():
    documented = {name: row[1] for row in cells(section("Assets")) for name in re.findall(r"`(\w+)`", row[0])}
    assert documented == {spec.key.to_user_string(): spec.group_name for spec in build_defs().resolve_all_asset_specs()}


def test_the_list_of_tables_names_every_table_and_the_asset_that_writes_it():
    caches = {spec.asset for spec in CACHES}
    documented = {row[0].strip("`"): row[1].strip("`") for row in cells(section("Tables"))}
    expected = {table: asset for asset, tables in TABLES.items() for table in tables if asset not in caches}
    assert documented == expected | {"publications": "the six cache files"}
    assert len(caches) == 6


def test_architecture_names_every_file_of_the_bot():
    for spec in CACHES:
        assert f"| `{spec.file}` |" in section("The contract with the bot")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#\s]+)\)|src=\"([^\"]+)\"", document.read_text("utf-8")):
        target = "".join(target)
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_decisions_are_numbered_without_gaps_and_listed():
    records = sorted(path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    for name in records:
        assert f"]({name})" in index
        assert (ROOT / "docs" / "adr" / name).read_text("utf-8").startswith(f"# {int(name[:4])}. ")


def test_documents_name_only_targets_that_the_makefile_has():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        named = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^ {4}make ([a-z-]+)", text, re.MULTILINE))
        assert named <= targets, document.name


def test_pre_commit_runs_what_make_lint_runs():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = makefile.split("\nlint:")[1].split("\n\n")[0].replace("$(VENV)", ".venv")
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == [line.strip() for line in recipe.splitlines()[1:]]


def test_the_ci_workflow_calls_ci_run():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    assert workflow["jobs"]["run"]["steps"][-1] == {"run": ".ci/run"}


def test_ci_runs_dg_the_wheel_and_all_tests():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    for target in ("lint", "defs", "wheel", "test"):
        assert re.search(rf"^make {target}\b", script, re.MULTILINE), target


def test_issue_forms_are_valid():
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text("utf-8"))
        if path.name != "config.yml":
            assert {"name", "description", "body"} <= set(form)
            ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
            assert len(ids) == len(set(ids))


def test_dg_and_the_workspace_load_the_same_definitions():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text("utf-8"))["load_from"]
    assert tools["dg"]["project"]["code_location_target_module"] == entry["python_module"]["module_name"]
    assert tools["dg"]["project"]["code_location_name"] == entry["python_module"]["location_name"]
