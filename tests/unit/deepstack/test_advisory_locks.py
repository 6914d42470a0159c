"""Two things that are locked never share a key: one would wait for the other, unseen."""

import re

from deepstack.config import ROOT
from deepstack.database import advisory_locks

KEYS = {name: key for name, key in vars(advisory_locks).items() if isinstance(key, int)}
A_KEY = re.compile(r"0x4453_")


def test_no_two_names_have_one_key() -> None:
    assert len(KEYS) > 10
    assert len(set(KEYS.values())) == len(KEYS)


def test_every_key_stands_where_two_alike_would_be_seen() -> None:
    files = [
        path
        for part in ("deepstack", "execution", "monitoring")
        for path in ROOT.glob(f"{part}/**/*.py")
    ]
    found = {path.relative_to(ROOT).as_posix() for path in files if A_KEY.search(path.read_text())}
    assert found == {"deepstack/database/advisory_locks.py"}
