"""A trial on one machine, a Procfile host and containers run the same processes."""

import shlex
from pathlib import Path

import pytest
import yaml

from deepstack import processes
from deepstack.config import ROOT

HERE = {
    "web": processes.web("0.0.0.0:8000"),
    "worker": processes.worker("w"),
    "dispatch": processes.dispatch(),
    "broker": processes.live_broker(),
    "beat": processes.beat(Path("var/beat-schedule")),
    "flower": processes.flower("0.0.0.0", 5555),  # noqa: S104  inside a container
}
STORES = {"postgres", "redis", "migrate"}
LINES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def in_procfile(name: str) -> list[str]:
    return shlex.split(LINES[name].replace("${PORT:-8000}", "8000"))


def in_compose(name: str) -> list[str]:
    return SERVICES[name].get("command") or in_dockerfile()


def in_dockerfile() -> list[str]:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return yaml.safe_load(next(line for line in lines if line.startswith("CMD "))[4:])


def without_interpreter(command: list[str]) -> list[str]:
    """`/path/python -m celery ...` is `celery ...`; our own module needs the interpreter."""
    assert command[1] == "-m"
    return ["python", *command[1:]] if command[2].startswith("deepstack.") else command[2:]


@pytest.mark.parametrize("name", HERE)
def test_procfile_runs_what_the_stack_runs(name: str) -> None:
    assert in_procfile(name) == without_interpreter(HERE[name])


@pytest.mark.parametrize("name", HERE)
def test_containers_run_what_the_stack_runs(name: str) -> None:
    assert in_compose(name) == without_interpreter(HERE[name])


def test_no_process_is_missing_and_none_is_more() -> None:
    assert set(LINES) == set(HERE)
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always - STORES == set(HERE)


def test_every_container_of_the_service_waits_for_the_tables_and_knows_the_mode() -> None:
    for name in HERE:
        assert "migrate" in SERVICES[name]["depends_on"], name
        assert SERVICES[name]["environment"]["TRADING_MODE"] == "${TRADING_MODE:-paper}", name
