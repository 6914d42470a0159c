"""A file of orders: what is read of it, and which line is wrong."""

import pytest

from execution.domain import order_file
from execution.domain.signal import InvalidSignal

HEAD = "symbol,side,quantity\n"


def read(text: str) -> list[tuple[int, dict[str, str]]]:
    return [(line.number, dict(line.values)) for line in order_file.read(text.encode())]


AAPL = {"symbol": "AAPL", "side": "BUY", "quantity": "400"}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"{HEAD}AAPL,BUY,400\n", [(2, AAPL)]),
        (f"{HEAD}AAPL,BUY,400", [(2, AAPL)]),
        (f"\ufeff{HEAD}AAPL,BUY,400\n", [(2, AAPL)]),
        ("symbol,side,quantity\r\nAAPL,BUY,400\r\n", [(2, AAPL)]),
        (" Symbol , SIDE,quantity\n AAPL ,BUY, 400\n", [(2, AAPL)]),
        (f"\n{HEAD}\n,,\nAAPL,BUY,400\n\n", [(5, AAPL)]),
        ("symbol,side,quantity,strategy\nAAPL,BUY,400,\n", [(2, AAPL)]),
        ("symbol,action,quantity\nAAPL,BUY,400\n", [(2, {**AAPL, "action": "BUY"})]),
        (f'{HEAD}"AAPL","BUY","1,000"\n', [(2, {**AAPL, "quantity": "1,000"})]),
        (f"{HEAD}AAPL,BUY,400\nAAPL,BUY,400\n", [(2, AAPL), (3, AAPL)]),
    ],
    ids=[
        "plain",
        "no last newline",
        "byte order mark",
        "Windows",
        "blanks and capitals",
        "empty lines",
        "empty cell",
        "another name",
        "quoted",
        "two",
    ],
)
def test_what_is_read(text: str, lines: list[tuple[int, dict[str, str]]]) -> None:
    if "action" in text:
        lines = [(number, {k: v for k, v in one.items() if k != "side"}) for number, one in lines]
    assert read(text) == lines


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "file", "is empty"),
        ("\n\n", "file", "is empty"),
        (HEAD, "file", "has no orders"),
        ("symbol;side;quantity\nAAPL;BUY;400\n", "file", "by commas"),
        ("symbol\tside\tquantity\n", "file", "by commas"),
        ("symbol,side\nAAPL,BUY\n", "column quantity", "is missing"),
        ("symbol,side,quantity,price\nAAPL,BUY,1,2\n", "column 4, 'price'", "no field"),
        ("symbol,side,quantity,side\nAAPL,BUY,1,BUY\n", "column 4, 'side'", "twice"),
        ("symbol,side,quantity,\nAAPL,BUY,1,\n", "column 4, ''", "no field"),
        (f"{HEAD}AAPL,BUY\n", "line 2", "has 2 cells, the head has 3"),
        (f"{HEAD}AAPL,BUY,1\nAAPL,BUY,1,2\n", "line 3", "has 4 cells, the head has 3"),
        (f'{HEAD}AAPL,BUY,1\n"AAPL,BUY,1\n', "line 3", "cannot be read"),
        (f'{HEAD}AA"PL"x,BUY,"1"x\n', "line 2", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, where: str, what: str) -> None:
    with pytest.raises(InvalidSignal) as refused:
        read(text)
    assert what in refused.value.errors[where]


def test_a_file_that_is_no_text_or_too_large_is_refused() -> None:
    for content, what in ((b"\xff\xfe", "UTF-8"), (b"x" * 1_000_001, "1,000,000 bytes")):
        with pytest.raises(InvalidSignal, match=what):
            order_file.read(content)
    with pytest.raises(InvalidSignal, match="not hold more than 1,000 orders, holds 1,001"):
        read(HEAD + "AAPL,BUY,1\n" * 1_001)
    assert len(read(HEAD + "AAPL,BUY,1\n" * 1_000)) == 1_000


def test_the_errors_of_a_batch_name_the_lines() -> None:
    lines = order_file.read(f"{HEAD}\nAAPL,BUY,1\nKO,BUY,x\n".encode())
    told = order_file.by_line(InvalidSignal({"1.quantity": "wrong"}), lines)
    assert told.errors == {"line 4, quantity": "wrong"}
    [only] = order_file.read(f"{HEAD}KO,BUY,x\n".encode())
    assert order_file.by_line(InvalidSignal({"quantity": "wrong"}), [only]).errors == {
        "line 2, quantity": "wrong"
    }
