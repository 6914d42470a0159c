"""All benchmarks that need no market data: one table, and all figures as JSON beside it.

`python -m benchmarks [--rates 50,100,200,400] [--seconds 20] [--json FILE] [--page FILE]`; `--page`
writes the table as a page, such as docs/performance.md.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks import planning, service, table


def _apart(module: str, *words: str) -> object:
    """In a process of its own: its Django has another database. Its last words are a document that
    begins with a line of one brace; what its servers and processes say may stand before."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    began = max(place for place, line in enumerate(lines) if line == "{")
    return json.loads("\n".join(lines[began:]))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rates", default="50,100,200,400", help="slices per second")
    words.add_argument("--seconds", type=int, default=20, help="of each rate")
    words.add_argument("--json", type=Path, default=Path("var/benchmarks.json"))
    words.add_argument("--page", type=Path, help="also write the table there")
    asked = words.parse_args()
    rates = [int(rate) for rate in asked.rates.split(",")]
    found = service.figures(rates, asked.seconds)
    found |= {
        "entry": _apart("entry"),
        "slow_broker": _apart("slow_broker", "--rate", "300", "--seconds", str(asked.seconds)),
        "idle": _apart("idle"),
        "planning": planning.figures(),
    }
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(found, indent=2) + "\n")
    text = table.of(found)
    print(text, end="")
    if asked.page:
        asked.page.write_text(table.page(text))


if __name__ == "__main__":
    main()
