"""docs/architecture.md names files and functions that exist, and every room."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from deepstack.config import ROOT

pytestmark = pytest.mark.any_date

PAGE = (ROOT / "docs" / "architecture.md").read_text()
PARTS = "execution|monitoring|deepstack|tests|docs"
FILES = sorted(set(re.findall(rf"`((?:{PARTS})/[\w./-]*)(?:: [\w.]+)?`", PAGE)))
NAMES = sorted(set(re.findall(r"`([\w/]+\.py): ([\w.]+)`", PAGE)))


def defined(path: Path) -> set[str]:
    """Functions and classes of a file; methods as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (ast.FunctionDef, ast.AsyncFunctionDef)
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, methods)}
    return found


@pytest.mark.parametrize("path", FILES)
def test_every_file_of_the_walk_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_every_function_of_the_walk_exists(path: str, name: str) -> None:
    assert name in defined(ROOT / path)


def test_the_picture_has_the_rooms_of_the_law_of_imports_in_its_order() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    law = project["tool"]["importlinter"]["contracts"][0]["layers"]
    drawn = [line.strip() for line in PAGE.split("```")[1].splitlines()]
    levels = [line for line in drawn if line and not line.startswith("─")]
    for level, line in zip(law, levels, strict=False):
        rooms = set(re.findall(r"\w+", level)) - {"apps"}
        assert rooms <= set(re.findall(r"\w+", line)), line


def test_the_walk_is_long_enough_to_be_one() -> None:
    assert len(NAMES) > 25
