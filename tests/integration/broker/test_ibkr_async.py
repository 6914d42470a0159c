"""The contract of every broker once more, with ib_async as the gateway's client library."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.brokers.ibkr_rig import Context, IbkrRig, rig, running_context
from tests.integration.broker.test_ibkr import TestIbkr

__all__ = ["rig"]

FOLDER = Path(sys.prefix, "ib_async")
pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER}: make test installs it"),
    pytest.mark.any_date,
]


@pytest.fixture(scope="module")
def context(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Context]:
    path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))
    with (
        django_db_blocker.unblock(),
        running_context(tmp_path_factory.mktemp("ib_async")) as context,
    ):
        context.begin(PYTHONPATH=path, IBKR__LIBRARY="ib_async")
        yield context


class TestIbAsync(TestIbkr):
    def test_the_gateway_says_which_library_it_uses(self, rig: IbkrRig) -> None:
        assert "ib_async" in rig.context.gateways[-1].output(1000)


del TestIbkr
