"""The kinds of events have one list: nothing is written under a name that is not in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepstack.config import ROOT
from execution.domain.event_kinds import EventKind
from execution.orders.event_text import SENTENCES

SOURCES = [
    path
    for package in ("execution", "monitoring", "deepstack", "benchmarks")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]


def literals(tree: ast.AST) -> Iterator[ast.Constant]:
    """Strings outside the bodies of enumerations: other kinds of things may share a word."""
    for node in ast.iter_child_nodes(tree):
        enumerates = isinstance(node, ast.ClassDef) and any(
            isinstance(base, ast.Name) and base.id == "StrEnum" for base in node.bases
        )
        if isinstance(node, ast.Constant):
            yield node
        elif not enumerates:
            yield from literals(node)


def test_every_kind_of_event_has_its_sentence() -> None:
    assert set(SENTENCES) == set(EventKind)


def test_every_kind_of_event_fits_into_its_column() -> None:
    assert max(map(len, EventKind)) <= 32


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_kind_of_event_is_written_as_a_literal(path: Path) -> None:
    found = literals(ast.parse(path.read_text()))
    assert [f"{each.lineno}: {each.value}" for each in found if each.value in set(EventKind)] == []
