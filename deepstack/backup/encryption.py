"""A file encrypted with a pass phrase, by `openssl`: a person can read it back with that alone.

    openssl enc -d -aes-256-cbc -pbkdf2 -iter 600000 -pass env:BACKUP_KEY -in FILE | pg_restore ...

Encryption does not show that a file is as it was written: the manifest's seal does.
"""

import hashlib
import hmac
import shutil
from collections.abc import Mapping

from deepstack.backup.programs import BackupError

ITERATIONS = 600_000  # of PBKDF2, as OWASP advises for HMAC-SHA-256
_VARIABLE = "DEEPSTACK_BACKUP_KEY"  # of the child alone; a command line would show the key
_SALT = b"deepstack backup manifest"


def command(*, decrypt: bool) -> list[str]:
    """Reads standard input and writes standard output."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise BackupError("openssl is not installed: it is needed where BACKUP_KEY is set")
    cipher = ["-aes-256-cbc", "-pbkdf2", "-iter", str(ITERATIONS), "-salt"]
    way = ["-d"] if decrypt else []
    return [openssl, "enc", *way, *cipher, "-pass", f"env:{_VARIABLE}"]


def environment(base: Mapping[str, str], key: str) -> dict[str, str]:
    return {**base, _VARIABLE: key}


def seal(key: str, text: str) -> str:
    """HMAC-SHA-256 of a text, by a key derived from the pass phrase: nobody else can forge it."""
    derived = hashlib.scrypt(key.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=32)
    return hmac.new(derived, text.encode(), hashlib.sha256).hexdigest()
