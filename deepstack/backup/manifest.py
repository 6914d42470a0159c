"""What stands beside each backup: what it holds, and how to see that it is whole."""

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from deepstack.backup import encryption
from deepstack.backup.programs import BackupError

SUFFIX = ".json"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """`rows`: how many each table had in the snapshot that was dumped. `sha256`: of the file as it
    lies there. `seal`: over all of this, where the backup is encrypted."""

    file: str
    taken_at: str  # UTC, ISO 8601: the snapshot's
    database: str
    server_version: int
    encrypted: bool
    size: int
    sha256: str
    rows: dict[str, int] = field(default_factory=dict)
    seal: str = ""

    @property
    def taken(self) -> datetime:
        return datetime.fromisoformat(self.taken_at)

    @classmethod
    def beside(cls, backup: Path) -> Self:
        """Raises BackupError where either is missing, or the manifest cannot be read."""
        if not backup.is_file():
            raise BackupError(f"{backup} does not exist, or is no file")
        path = backup.with_name(backup.name + SUFFIX)
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            raise BackupError(
                f"{path} is missing: a backup without its manifest was never finished"
            ) from None
        except (OSError, ValueError, TypeError) as error:
            raise BackupError(f"{path} is no manifest of a backup: {error}") from None

    def sealed(self, key: str) -> "Manifest":
        return Manifest(**{**asdict(self), "seal": encryption.seal(key, self._text())})

    def write(self, folder: Path) -> Path:
        path = folder / (self.file + SUFFIX)
        part = path.with_name(path.name + ".part")
        part.write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n")
        part.chmod(0o600)
        part.rename(path)
        return path

    def check(self, backup: Path, key: str) -> None:
        """Raises BackupError unless the file is what was written by whoever has the key."""
        if self.encrypted and not key:
            raise BackupError(f"{backup.name} is encrypted: set BACKUP_KEY to the key of that time")
        if self.encrypted and not hmac.compare_digest(
            encryption.seal(key, self._text()), self.seal
        ):
            raise BackupError(
                f"the seal of {backup.name} does not fit: BACKUP_KEY is another key, or somebody"
                " changed the manifest"
            )
        if backup.stat().st_size != self.size or sha256(backup) != self.sha256:
            raise BackupError(f"{backup} is damaged: it is not the file that was written")

    def _text(self) -> str:
        return json.dumps({**asdict(self), "seal": ""}, sort_keys=True)


def sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()
