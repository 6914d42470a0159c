"""The static files, looked for once a run: each client of a test has the middleware made anew."""

from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware


def look_once() -> None:
    found: dict[str, Any] = {}
    look = WhiteNoiseMiddleware.add_files_from_finders

    def remembered(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = remembered
