"""The rules know nobody and are given their clock; `make check` holds the law of imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepstack.config import ROOT

pytestmark = pytest.mark.any_date

FRAMEWORKS = {"django", "rest_framework", "celery", "kombu", "redis", "psycopg"}
BROKER_LIBRARIES = {"ib_insync", "ib_async", "alpaca"}
OUTSIDE_WORLD = {"socket", "http", "urllib", "requests", "asyncio", "subprocess", "os"}
CHANCE_AND_TIME = {"time", "secrets", "uuid", "random"}
SEEDED = "random.Random"  # a generator that is passed in, or made from a seed that is
CLOCK_CALLS = {"now", "utcnow", "today"}
PURE = ["execution/domain", "monitoring/alerting/rules.py", "monitoring/reporting/tca.py"]
PURE += [
    f"monitoring/cost_report/{name}.py" for name in ("estimates", "measures", "reasons", "spread")
]
KNOWS_NOBODY = (
    FRAMEWORKS
    | BROKER_LIBRARIES
    | OUTSIDE_WORLD
    | CHANCE_AND_TIME
    | {"execution.models", "monitoring.models", "deepstack"}
)


def files(part: str) -> list[Path]:
    path = ROOT / part
    return [path] if path.suffix else sorted(path.rglob("*.py"))


def imported(tree: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    """Every module that the file imports, also inside functions and for type checking alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            prefix = ".".join(base) + "." if node.level else ""
            module = f"{prefix}{node.module or ''}".rstrip(".")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def clock_calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCK_CALLS:
            owner = ast.unparse(node.value)
            if owner.split(".")[-1] in {"datetime", "date", "timezone"}:
                yield node.lineno, f"{owner}.{node.attr}"


def is_within(module: str, forbidden: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in forbidden)


def violations(path: Path, forbidden: set[str]) -> list[str]:
    name = path.relative_to(ROOT)
    package = ".".join(name.parent.parts)
    tree = ast.parse(path.read_text())
    return [
        f"{name}:{line} imports {module}"
        for line, module in imported(tree, package)
        if is_within(module, forbidden) and module != SEEDED
    ]


@pytest.mark.parametrize("part", PURE)
def test_the_rules_know_neither_framework_nor_network(part: str) -> None:
    checked = files(part)
    assert checked, f"{part} is empty: has it moved?"
    found = [line for path in checked for line in violations(path, KNOWS_NOBODY)]
    assert not found, "\n".join([f"{part} must not import these:", *found])


@pytest.mark.parametrize("part", PURE)
def test_pure_code_is_given_its_clock(part: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} reads {name}"
        for path in files(part)
        for line, name in clock_calls(ast.parse(path.read_text()))
    ]
    assert not found, "\n".join(["pass the time in as an argument:", *found])


@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("import monitoring.models", "monitoring.models"),
        ("from monitoring import rules", "monitoring.rules"),
        ("def f():\n    from monitoring.alerting.rules import x", "monitoring.alerting.rules.x"),
        ("from . import monitoring", "execution.broker.monitoring"),
        ("from ..models import Order", "execution.models.Order"),
        ("if TYPE_CHECKING:\n    import monitoring", "monitoring"),
    ],
)
def test_every_way_to_import_is_seen(code: str, module: str) -> None:
    assert [name for _, name in imported(ast.parse(code), "execution.broker")] == [module]


def test_a_module_is_not_its_namesake() -> None:
    assert is_within("monitoring.alerting.rules", {"monitoring"})
    assert not is_within("monitoringx.rules", {"monitoring"})
    assert not is_within("execution.models", {"execution.models.orders"})
