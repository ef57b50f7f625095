"""Who may import whom: the rules of docs/architecture.md, read from every import statement of the package.

Lazy imports inside functions and imports for type checking count too.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "polypipe"
NAME = PACKAGE.name

DAGSTER_ROOMS = {"orchestration", "runtime", "definitions"}
DAGSTER_MODULES = re.compile(r"assets|automation|metadata|dagster_\w+")
"""In the other rooms, the modules that define assets, and adapters, whose name begins with `dagster_`."""


@dataclass(frozen=True)
class Import:
    """One import: the importing file and line, its room, and the imported module."""

    file: Path
    line: int
    room: str
    module: str

    @property
    def target(self) -> str:
        """The room of `polypipe` that is imported; "" for a module of another package."""
        package, _, rest = self.module.partition(".")
        return rest.partition(".")[0] if package == NAME else ""

    @property
    def imports_dagster(self) -> bool:
        """True for dagster itself and for its companion packages."""
        return re.match(r"dagster(_\w+)?(\.|$)", self.module) is not None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: imports {self.module}"


def imports_of(source: str, file: Path) -> Iterator[Import]:
    """Every import in a source text; `file` is relative to the directory of the package."""
    inside = file.relative_to(NAME)
    room = inside.parts[0] if len(inside.parts) > 1 else inside.stem
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*file.parent.parts[: len(file.parent.parts) - node.level + 1]]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            modules = [f"{module}.{alias.name}" for alias in node.names] if module == NAME else [module]
        else:
            continue
        for module in modules:
            yield Import(file, node.lineno, room, module)


def read_package() -> list[Import]:
    """Every import of the package."""
    return [
        found
        for path in sorted(PACKAGE.rglob("*.py"))
        for found in imports_of(path.read_text(), path.relative_to(PACKAGE.parent))
    ]


def ground() -> set[str]:
    """The modules at the top of the package, which all rooms may import."""
    return {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "definitions"}


def reachable(room: str, edges: dict[str, set[str]]) -> set[str]:
    """Rooms that `room` imports, directly or through others."""
    found: set[str] = set()
    waiting = [room]
    while waiting:
        for target in edges.get(waiting.pop(), set()) - found:
            found.add(target)
            waiting.append(target)
    return found


def cyclic(imports: list[Import]) -> list[Import]:
    """The imports that close a cycle between rooms."""
    edges: dict[str, set[str]] = {}
    for one in imports:
        if one.target and one.target != one.room:
            edges.setdefault(one.room, set()).add(one.target)
    return [
        one for one in imports if one.target and one.target != one.room and one.room in reachable(one.target, edges)
    ]  # fmt: skip


def may_import_dagster(one: Import) -> bool:
    return one.room in DAGSTER_ROOMS or DAGSTER_MODULES.fullmatch(one.file.stem) is not None


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return read_package()


def check(broken: list[Import], rule: str) -> None:
    assert not broken, "\n".join(f"{one}; {rule}" for one in broken)


def test_ground_imports_nothing_above_it(imports: list[Import]) -> None:
    above = [one for one in imports if one.room in ground() and one.target and one.target not in ground()]
    check(above, "modules at the top of the package import only each other")


def test_rooms_do_not_import_each_other(imports: list[Import]) -> None:
    check(cyclic(imports), "rooms must not import each other, directly or through others, not even inside a function")


def test_only_the_command_line_imports_the_definitions(imports: list[Import]) -> None:
    broken = [one for one in imports if one.target == "definitions" and one.room != "cli"]
    check(broken, "definitions.py imports the rooms, and only cli/ imports it")


def test_simulated_exchange_imports_nothing_of_the_package(imports: list[Import]) -> None:
    broken = [one for one in imports if one.room == "sim" and one.target not in ("", "sim")]
    check(broken, "sim/ stands in for Polymarket and shares no code with what it tests")


def test_plain_modules_do_not_import_dagster(imports: list[Import]) -> None:
    broken = [one for one in imports if one.imports_dagster and not may_import_dagster(one)]
    check(broken, f"only {', '.join(sorted(DAGSTER_ROOMS))} and modules named {DAGSTER_MODULES.pattern} import dagster")


def test_health_imports_dagster_in_one_module(imports: list[Import]) -> None:
    modules = sorted({str(one.file) for one in imports if one.room == "health" and one.imports_dagster})
    assert len(modules) <= 1, f"health/ imports dagster in one adapter, not in {', '.join(modules)}"


def test_reader_sees_lazy_relative_and_type_checking_imports() -> None:
    source = """
import dagster as dg, polypipe.text
from polypipe import settings
if TYPE_CHECKING:
    from polypipe.warehouse.read import reader
def f():
    from .assets import x
    from ..caches import y
"""
    found = [(one.line, one.module) for one in imports_of(source, Path("polypipe/bot/logs.py"))]
    assert found == [
        (2, "dagster"),
        (2, "polypipe.text"),
        (3, "polypipe.settings"),
        (5, "polypipe.warehouse.read"),
        (7, "polypipe.bot.assets"),
        (8, "polypipe.caches"),
    ]


def test_cycle_through_a_third_room_is_found() -> None:
    def of(room: str, target: str) -> Import:
        return Import(Path(f"polypipe/{room}/x.py"), 1, room, f"polypipe.{target}.y")

    chain = [of("a", "b"), of("b", "c"), of("c", "a"), of("d", "a"), of("a", "a")]
    assert cyclic(chain) == chain[:3]


def test_support_code_of_tests_is_not_in_another_test() -> None:
    for path in Path(__file__).parent.rglob("*.py"):
        borrowed = re.findall(r"^ *from polypipe_tests\S*\.test_\w+ import .*", path.read_text("utf-8"), re.MULTILINE)
        assert not borrowed, path
