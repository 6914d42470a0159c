"""What each further worker process adds, with a broker that fills at once and all limits set.

`python -m benchmarks.workers [--workers 1,2,4] [--rate 600] [--seconds 15]` asks for more than two
cores can send, and prints one JSON document.
"""

import argparse
import json
import os

from benchmarks import service
from benchmarks.load import stolen_since


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--workers", default="1,2,4", help="processes")
    words.add_argument("--rate", type=int, default=600, help="slices per second")
    words.add_argument("--seconds", type=int, default=15)
    asked = words.parse_args()
    stolen, rows = stolen_since(), {}
    with service.stores() as (folder, programs):
        for count in map(int, asked.workers.split(",")):
            with service.team(folder, programs, service.INSTANT, count) as kinds:
                rows[count] = service.rows([asked.rate], asked.seconds, kinds)[0]
    print(json.dumps({"cores": os.cpu_count(), "stolen_percent": stolen(), "by_workers": rows}))


if __name__ == "__main__":
    main()
