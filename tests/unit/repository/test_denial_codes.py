"""The table of denial codes, the code that denies, and the page for people say the same."""

import ast
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command

from deepstack.config import ROOT
from execution.domain.risk_checks import CODES

pytestmark = pytest.mark.any_date

Used = tuple[str, str, frozenset[str] | None]


def denials() -> Iterator[Used]:
    """(where, code, the names of its numbers if they are written there) of every `Denial(...)`."""
    for path in sorted((ROOT / "execution").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Denial"):
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                code = node.args[0]
                assert isinstance(code, ast.Constant), f"{where}: a code is written out"
                yield where, code.value, _names(node.args[1:])


def _names(rest: list[ast.expr]) -> frozenset[str] | None:
    if not rest:
        return frozenset()
    if not isinstance(rest[0], ast.Dict):
        return None
    return frozenset(key.value for key in rest[0].keys if isinstance(key, ast.Constant))


FOUND = list(denials())


@pytest.mark.parametrize(("where", "code", "names"), FOUND)
def test_every_denial_is_described(where: str, code: str, names: frozenset[str] | None) -> None:
    assert code in CODES, f"{where}: describe {code} in execution/domain/risk_checks/codes.py"
    assert (names or set()) <= set(CODES[code].numbers), where


def test_every_described_code_is_used() -> None:
    assert set(CODES) == {code for _, code, _ in FOUND}


def test_the_page_is_up_to_date() -> None:
    printed = StringIO()
    call_command("denial_codes", stdout=printed)
    page = (ROOT / "docs" / "denials.md").read_text()
    assert page == printed.getvalue(), "run: manage.py denial_codes > docs/denials.md"
