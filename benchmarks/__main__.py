"""All benchmarks that need no market data, as one JSON document."""

import json

from benchmarks import planning, service

if __name__ == "__main__":
    print(json.dumps({"planning": planning.figures(), "service": service.figures()}, indent=2))
