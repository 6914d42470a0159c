"""Flower, every path of it behind FLOWER_BASIC_AUTH: its own figures for Prometheus, its health
check and its files are open by themselves.

As a program: `python -m deepstack.web.flower --address=HOST --port=PORT --read_only`.
"""

import hmac
import sys
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from flower import command
from flower.app import Flower
from tornado.httputil import HTTPServerRequest
from tornado.options import options
from tornado.web import RequestHandler
from typing_extensions import override

from deepstack.config import ConfigError, current

MISSING = (
    "FLOWER_BASIC_AUTH is not set: Flower shows every task and does not start without a password."
    " Set it to user:password"
)


class Refused(RequestHandler):
    """Whatever was asked for, and by whatever method."""

    @override
    def prepare(self) -> None:
        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Basic realm="flower"')
        self.finish("user and password are needed")


class GuardedFlower(Flower):
    @override
    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        if not known(request.headers.get("Authorization", ""), self.options.basic_auth):
            return self.get_handler_delegate(request, Refused)
        return super().find_handler(request, **kwargs)


def known(header: str, credentials: Sequence[str]) -> bool:
    """Whether the header of HTTP's basic authentication shows one of `credentials`, each
    user:password."""
    kind, _, coded = header.partition(" ")
    try:
        shown = b64decode(coded.strip(), validate=True)
    except ValueError:
        return False
    right = [hmac.compare_digest(shown, each.encode()) for each in credentials]
    return kind.lower() == "basic" and any(right)


def main(words: Sequence[str]) -> int:
    try:
        login = current().flower_basic_auth.get_secret_value()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not login:
        sys.stderr.write(f"{MISSING}\n")
        return 1
    command.apply_env_options()
    command.apply_options("flower", list(words))
    options.basic_auth = [login]
    command.extract_settings()
    command.setup_logging()
    from deepstack.celery import app

    flower = GuardedFlower(capp=app, options=options, **command.settings)
    flower.start_http_server()
    try:
        flower.start()
    except (KeyboardInterrupt, SystemExit):
        flower.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
