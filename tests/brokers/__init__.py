import pytest

pytest.register_assert_rewrite(
    "tests.brokers.contract_knowledge", "tests.brokers.contract_orders", "tests.brokers.rig"
)
