"""The source in figures: short files and functions, few levels of imports, all annotated."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import grimp
import pytest

from deepstack.config import ROOT

pytestmark = pytest.mark.any_date

PRODUCT = ("deepstack", "execution", "monitoring")
LONGEST_FILE = 400  # lines
MEDIAN_FUNCTION = 8  # lines, from `def` to the end
LEVELS = 10  # of rooms that import each other, in a row

Function = ast.FunctionDef | ast.AsyncFunctionDef


def product() -> list[Path]:
    files = [path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in files if "migrations" not in path.parts]


@cache
def functions() -> list[tuple[str, Function]]:
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node)
        for path in product()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, Function)
    ]


def bare(function: Function) -> Iterator[str]:
    """What of its signature says nothing of its type; self and cls need not."""
    given = function.args
    named = [*given.posonlyargs, *given.args]
    if named and named[0].arg in {"self", "cls"}:
        named = named[1:]
    for each in (*named, *given.kwonlyargs, given.vararg, given.kwarg):
        if each is not None and each.annotation is None:
            yield each.arg
    if function.returns is None:
        yield "return"


@cache
def depth(room: str) -> int:
    """How many rooms stand under one another here, this one included."""
    graph = rooms()
    below = graph.find_modules_directly_imported_by(room) & graph.find_children("execution")
    return 1 + max((depth(each) for each in below - {room}), default=0)


@cache
def rooms() -> grimp.ImportGraph:
    graph = grimp.build_graph(*PRODUCT, cache_dir=None)
    for room in graph.find_children("execution"):
        graph.squash_module(room)
    return graph


def test_no_file_is_long() -> None:
    folders = [ROOT / "benchmarks", *(ROOT / package for package in PRODUCT)]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    long = {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}
    assert {name for name in long if "/migrations/" not in name} == set()


def test_functions_are_short() -> None:
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for _, node in functions()]
    assert median(lengths) <= MEDIAN_FUNCTION


def test_every_parameter_and_result_is_annotated() -> None:
    assert [(name, found) for name, node in functions() if (found := list(bare(node)))] == []


def test_rooms_stand_on_few_levels() -> None:
    levels = {room: depth(room) for room in rooms().find_children("execution")}
    assert max(levels.values()) <= LEVELS, levels
    assert levels["execution.domain"] == 1


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def f(self, a, *b, c=1, **d): ...", ["a", "c", "b", "d", "return"]),
        ("def f(a: int, /, b: int, *c: int, d: int = 1, **e: int) -> None: ...", []),
    ],
)
def test_a_missing_annotation_is_seen(code: str, found: list[str]) -> None:
    [function] = ast.parse(code).body
    assert isinstance(function, Function)
    assert list(bare(function)) == found
