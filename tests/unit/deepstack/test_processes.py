"""A trial on one machine, a Procfile host, systemd and containers run the same processes."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from deepstack import processes
from deepstack.config import ROOT

HERE = {
    "web": processes.web("0.0.0.0:8000"),
    "stream": processes.stream("0.0.0.0:8100"),
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
    return shlex.split(
        LINES[name].replace("${PORT:-8000}", "8000").replace("${STREAM_PORT:-8100}", "8100")
    )


def in_compose(name: str) -> list[str]:
    return SERVICES[name].get("command") or in_dockerfile()


def in_dockerfile() -> list[str]:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    return yaml.safe_load(next(line for line in lines if line.startswith("CMD "))[4:])


UNITS = ROOT / "deploy" / "systemd"
SCRIPTS = "/srv/deepstack/.venv/bin/"


def in_unit(name: str) -> list[str]:
    """Bound to this machine; `%i` is the number of one of several, `%%` a percent sign."""
    (path,) = UNITS.glob(f"deepstack-{name}*.service")
    lines = path.read_text().splitlines()
    (line,) = [each.removeprefix("ExecStart=") for each in lines if each.startswith("ExecStart=")]
    assert line.startswith(SCRIPTS)
    return shlex.split(line.removeprefix(SCRIPTS).replace("w%i@", "w@").replace("%%", "%"))


def on_this_machine(command: list[str]) -> list[str]:
    return [word.replace("0.0.0.0", "127.0.0.1") for word in command]  # noqa: S104


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


@pytest.mark.parametrize("name", HERE)
def test_systemd_runs_what_the_stack_runs(name: str) -> None:
    assert in_unit(name) == on_this_machine(without_interpreter(HERE[name]))


def test_systemd_starts_every_process_after_the_tables_and_with_no_more_rights_than_it_needs() -> (
    None
):
    own = {path.name for path in UNITS.glob("deepstack-*.service")}
    kinds = {re.sub(r"deepstack-(\w+)@?\.service", r"\1", name) for name in own}
    assert kinds == {*HERE, "migrate", "backup"}
    target = (UNITS / "deepstack.target").read_text()
    wanted = set(re.findall(r"deepstack-\w+(?:@\d)?\.service", target))
    assert {re.sub(r"@\d", "@", name) for name in wanted} == {
        name for name in own if not re.search("migrate|backup", name)
    }
    for name in own - {"deepstack-migrate.service", "deepstack-backup.service"}:
        assert "Requires=deepstack-migrate.service" in (UNITS / name).read_text(), name
    bounds = (UNITS / "deepstack-.service.d" / "bounds.conf").read_text().splitlines()
    assert {"User=deepstack", "NoNewPrivileges=yes", "CapabilityBoundingSet="} <= set(bounds)
    assert {"ProtectSystem=strict", "UMask=0077"} <= set(bounds)


def test_no_process_is_missing_and_none_is_more() -> None:
    assert set(LINES) == set(HERE)
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert always - STORES == set(HERE)


def test_every_container_of_the_service_waits_for_the_tables_and_knows_the_mode() -> None:
    for name in HERE:
        assert "migrate" in SERVICES[name]["depends_on"], name
        assert SERVICES[name]["environment"]["TRADING_MODE"] == "${TRADING_MODE:-paper}", name


@pytest.mark.parametrize("name", [*HERE, *sorted(STORES)])
def test_a_container_has_no_more_rights_and_resources_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit"} <= set(service)
    assert service["logging"]["options"] == {"max-size": "20m", "max-file": "5"}
    assert set(service.get("cap_add", ())) <= {
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"
    }  # fmt: skip
    assert "privileged" not in service
    assert all(each.startswith("127.0.0.1:") for each in service.get("ports", ()))


def test_the_stores_are_on_a_network_without_a_way_out() -> None:
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert whole["networks"]["stores"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["stores"]


def test_the_first_start_makes_tables_and_roles() -> None:
    said = in_compose("migrate")[-1]
    assert said == "python manage.py migrate --noinput && python manage.py roles"
