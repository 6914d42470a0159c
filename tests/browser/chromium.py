"""A real browser, driven over its DevTools protocol."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

from deepstack.local.child_cleanup import lifeline
from tests.stack import wait_for

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
ANSWER_SECONDS = 20.0


@dataclass(slots=True)
class Tab:
    socket: ClientConnection
    errors: list[str] = field(default_factory=list)  # of scripts, and of files that did not load
    _last: int = 0

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.until(f"document.readyState == 'complete' && location.href.startsWith({url!r})")

    def until(self, condition: str) -> None:
        """Wait for a JavaScript expression to be true, over as many pages as that takes."""
        wait_for(lambda: self.value(condition), ANSWER_SECONDS, condition)

    def value(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv(timeout=ANSWER_SECONDS))
            if said.get("id") == self._last:
                result: dict[str, Any] = said.get("result", {"result": {}})
                return result
            self._note(said.get("method"), said.get("params", {}))

    def _note(self, event: str | None, params: dict[str, Any]) -> None:
        entry = params.get("entry", {})
        if entry.get("level") == "error" and not entry.get("url", "").endswith("/favicon.ico"):
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")
        elif event == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["text"])


@contextmanager
def tab(profile: Path) -> Iterator[Tab]:
    """One page of a browser with a profile of its own."""
    command = [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=lifeline()
    ) as browser:
        try:
            note = profile / "DevToolsActivePort"
            wait_for(lambda: note.exists() and note.read_text(), ANSWER_SECONDS, "chromium")
            port = note.read_text().split()[0]
            with urlopen(f"http://127.0.0.1:{port}/json") as listed:
                pages = [each for each in json.load(listed) if each["type"] == "page"]
            with connect(pages[0]["webSocketDebuggerUrl"], max_size=None) as socket:
                opened = Tab(socket)
                for domain in ("Page", "Runtime", "Log"):
                    opened.call(f"{domain}.enable")
                yield opened
        finally:
            browser.kill()
