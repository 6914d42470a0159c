"""A stand-in broker in a process of its own: JSON over HTTP, and as unreliable as it is told to be.

`python -m tests.chaos.broker PORT LOG`. It outlives everything that is killed around it.
"""

import argparse
import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.chaos.book import Book

PATIENCE = 1.0  # seconds that the client waits for an answer
SILENCE = PATIENCE * 1.5


class Dropped(Exception):
    """The connection is closed without a word."""


class Context(BaseHTTPRequestHandler):
    """One connection of a client, with one request after the other."""

    book: Book
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        if where.path == "/settled":
            self._answer(200, self.book.settled())
        elif where.path == "/executed":
            self._answer(200, self.book.executed())
        elif where.path == "/news":
            asked = parse_qs(where.query)
            self._answer(200, self.book.reports(asked["account"][0], float(asked["since"][0])))
        else:
            placed = self.book.orders.get(where.path.removeprefix("/orders/"))
            self._answer(200, self.book.view(placed)) if placed else self._answer(404, {})

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            if self.path == "/orders":
                self._place(said)
            elif self.path == "/conduct":
                self.book.conduct = replace(self.book.conduct, **said)
                self._answer(200, {})
            elif self.path == "/reset":
                self.book.reset(said["seed"], Path(said["log"]))
                self._answer(200, {})
            else:
                placed = self.book.cancel(self.path.split("/")[2])
                self._answer(202 if placed else 404, {})
        except Dropped:
            self.close_connection = True

    def _place(self, wanted: dict[str, object]) -> None:
        book = self.book
        book.tell("attempt", client_order_id=wanted["client_order_id"])
        if book.happens("drop_before"):
            raise Dropped
        if book.happens("throttle"):
            self._answer(429, {"text": "too many requests", "retry_after": 0.3})
            return
        if book.happens("slow"):
            time.sleep(book.uniform(0.1, PATIENCE * 1.3))
        known = str(wanted["client_order_id"]) in book.orders
        if not known and book.happens("reject"):
            book.tell("reject", client_order_id=wanted["client_order_id"])
            self._answer(422, {"code": "BUYING_POWER", "text": "insufficient buying power"})
            return
        placed = book.accept(wanted)
        time.sleep(book.conduct.answer_after)
        if placed is None:
            self._answer(409, {"text": "client order id must be unique"})
            return
        if book.happens("drop_after"):
            raise Dropped
        if book.happens("silent"):
            time.sleep(SILENCE)
        self._answer(200, book.view(placed))

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """The book keeps the log."""


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed, or that gave up, is part of the trial."""


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("port", type=int)
    words.add_argument("log", type=Path)
    asked = words.parse_args()
    Context.book = Book(0, asked.log)
    server = Server(("127.0.0.1", asked.port), Context)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        Context.book.run_due()
        time.sleep(0.005)


if __name__ == "__main__":
    main()
