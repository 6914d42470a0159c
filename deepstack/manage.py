"""Django's commands, for `manage.py` and for the service's own processes."""

import os
import sys

from django.core.management import execute_from_command_line

from deepstack.config import ConfigError
from deepstack.pipes import until_nobody_reads


def main(words: list[str] | None = None) -> None:
    """Run the management command in `words` (without the program's name; default: sys.argv)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deepstack.settings")
    try:
        with until_nobody_reads():
            execute_from_command_line(sys.argv if words is None else [sys.argv[0], *words])
    except ConfigError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
