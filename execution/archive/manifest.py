"""What stands beside the files of an archive: what they hold, and that they are whole."""

import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from deepstack.backup import encryption
from deepstack.backup.manifest import sha256

NAME = "manifest.json"


class ArchiveError(RuntimeError):
    """Nothing was removed from the database, or what should be in the files is not."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file: how many rows below its heading, and its checksum as it lies there."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`parts` by the name of the file. `previous`: the checksum of the manifest before this one, so
    that none can go missing unseen. `seal`: over all of this, where BACKUP_KEY is set."""

    orders: Sequence[int]
    previous: str
    parts: Mapping[str, Part] = field(default_factory=dict)
    seal: str = ""

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts.values())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises ArchiveError where there is none, or it is none."""
        try:
            stored = json.loads((folder / NAME).read_text())
            parts = {name: Part(**part) for name, part in stored.pop("parts").items()}
            return cls(**stored, parts=parts)
        except FileNotFoundError:
            raise ArchiveError(f"{folder / NAME} is missing") from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ArchiveError(f"{folder / NAME} is no manifest of an archive: {error}") from None

    def sealed(self, key: str) -> Self:
        return replace(self, seal=encryption.seal(key, self._text()))

    def write(self, folder: Path) -> str:
        """Returns the checksum of what was written."""
        path = folder / NAME
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return sha256(path)

    def check(self, folder: Path, *, key: str, known: str) -> None:
        """Raises ArchiveError unless manifest and files are those that were written; `known` is the
        manifest's checksum as the database has it."""
        if not hmac.compare_digest(sha256(folder / NAME), known):
            raise ArchiveError(f"{folder / NAME} is not the manifest that was written")
        if (
            self.seal
            and key
            and not hmac.compare_digest(encryption.seal(key, self._text()), self.seal)
        ):
            raise ArchiveError(f"the seal of {folder / NAME} does not fit BACKUP_KEY")
        for name, part in self.parts.items():
            path = folder / name
            if not path.is_file():
                raise ArchiveError(f"{path} is missing")
            if sha256(path) != part.sha256:
                raise ArchiveError(f"{path} is damaged: it is not the file that was written")

    def _text(self) -> str:
        return json.dumps({**asdict(self), "seal": ""}, sort_keys=True)
