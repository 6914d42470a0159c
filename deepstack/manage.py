"""Django's commands, for `manage.py` and for the service's own processes."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

from deepstack import config_stand_in
from deepstack.config import ConfigError
from deepstack.pipes import until_nobody_reads


def main(words: list[str] | None = None) -> None:
    """Run the management command in `words` (without the program's name; default: sys.argv)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deepstack.settings")
    given = sys.argv[1:] if words is None else words
    try:
        if given[:1] == ["halt"]:
            config_stand_in.prepare()
        with until_nobody_reads():
            execute_from_command_line([sys.argv[0], *given])
    except ConfigError as error:
        sys.exit(str(error))
    except OperationalError as error:
        if "--traceback" in given:
            raise
        sys.exit(f"PostgreSQL: {error}".strip())


if __name__ == "__main__":
    main()
