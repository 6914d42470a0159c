"""Another release of the service, from the repository's history, beside this one."""

import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from deepstack import processes
from deepstack.config import ROOT
from tests.chaos.ground import Ground


def before() -> str:
    """The last tag; this release itself where there is none."""
    told = _git("describe", "--tags", "--abbrev=0")
    return told.stdout.strip() if told.returncode == 0 else "HEAD"


def unpacked(ref: str, beside: Path) -> Path:
    """Its files, in a folder of their own. Raises ValueError for what git does not know."""
    folder, archive = beside / "release", beside / "release.tar"
    folder.mkdir(parents=True)
    done = _git("archive", "--output", str(archive), ref)
    if done.returncode:
        raise ValueError(f"--release {ref}: {done.stderr.strip()}")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder


def replace_all(ground: Ground, folder: Path) -> None:
    """Stop each worker and dispatcher warmly and start one of the release in `folder` in its
    place, one after the other."""
    for members, command in (
        (ground.workers, lambda name: processes.worker(name, threads=ground.team.threads)),
        (ground.dispatchers, lambda name: processes.dispatch()),
    ):
        for old in list(members):
            old.stop()
            members.remove(old)
            name = f"release-{len(ground.stack.members) + 1}"
            members.append(ground.stack.start(name, _from(folder, command(name)), **_home(folder)))
            ground.await_life()


def _from(folder: Path, command: Sequence[str]) -> list[str]:
    """The folder in which Python starts is the first that it imports from."""
    return ["env", "-C", str(folder), *command]


def _home(folder: Path) -> dict[str, str]:
    return {"DEEPSTACK_HOME": str(folder), "PYTHONPATH": str(folder)}


def _git(*words: str) -> "subprocess.CompletedProcess[str]":
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)
