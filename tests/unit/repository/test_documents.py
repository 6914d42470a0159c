"""The pages name files, commands and links that exist; a decision has a number of its own."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from pydantic import BaseModel

from deepstack.config import ROOT, Config

pytestmark = pytest.mark.any_date

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)?(?:#([\w-]+))?\)")


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {path}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {path}#{anchor}"


def test_every_decision_has_a_number_of_its_own_and_names_it() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(folder.glob("[0-9]*.md"))
    numbers = [page.name[:3] for page in pages]
    assert numbers == [f"{place:03}" for place in range(1, len(pages) + 1)]
    assert [page.read_text()[2:5] for page in pages] == numbers
    index = (folder / "README.md").read_text()
    assert [page.name for page in pages if f"[{page.name[:3]}]({page.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page: Path) -> None:
    """Of the product and its tests; `NAME` stands for what the reader will write."""
    named = re.findall(
        r"`((?:execution|monitoring|deepstack|tests|benchmarks|docs)/[\w./-]+)", page.read_text()
    )
    missing = [path for path in named if "NAME" not in path and not (ROOT / path).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= {*get_commands(), "help"}
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert set(re.findall(r"`make ([\w-]+)|^make ([\w-]+)", text, re.M)) <= {
        pair for target in targets for pair in ((target, ""), ("", target))
    }
    modules = re.findall(r"-m (benchmarks\.\w+)", text)
    assert all((ROOT / f"{module.replace('.', '/')}.py").exists() for module in modules)


def setting(name: str) -> bool:
    """Whether the name, such as execution.twap.*, is a setting, a section or a module of ours."""
    *path, last = name.removesuffix(".*").split(".")
    part: Any = Config
    for key in path:
        field = part.model_fields.get(key)
        part = field and field.annotation
        if not (isinstance(part, type) and issubclass(part, BaseModel)):
            return find_spec(name) is not None
    return last in part.model_fields or find_spec(name) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_setting_that_is_named_exists(page: Path) -> None:
    sections = "execution|limits|market|paper|ibkr"
    named = re.findall(rf"`((?:{sections})\.[a-z_.]*[a-z_](?:\.\*)?)[`=]", page.read_text())
    assert [name for name in named if not setting(name)] == []
