"""docs/controls.md names only what exists."""

import ast
import re

import pytest

from deepstack.config import ROOT

pytestmark = pytest.mark.any_date

PAGE = (ROOT / "docs" / "controls.md").read_text()
TESTS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
FILES = sorted(set(re.findall(r"`((?:execution|monitoring|docs|deepstack)/[\w./-]*)`", PAGE)))
NAMED = re.findall(r"`(execution/[\w/]+\.py)` \((`\w+`(?:, `\w+`)*)\)", PAGE)


def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), TESTS)
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert name in functions(path)


@pytest.mark.parametrize("path", FILES)
def test_every_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("path", "names"), NAMED)
def test_every_function_that_is_named_exists(path: str, names: str) -> None:
    assert set(re.findall(r"\w+", names)) <= functions(path)


def test_a_control_without_a_test_says_so() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")][2:]
    for row in rows:
        assert "::" in row or "**missing**" in row, row
