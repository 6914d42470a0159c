#!/usr/bin/env python
import os
import sys

from django.core.management import execute_from_command_line

from deepstack.config import ConfigError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deepstack.settings")
    try:
        execute_from_command_line(sys.argv)
    except ConfigError as error:
        sys.exit(str(error))
