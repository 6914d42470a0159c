"""Files of settings, in which nothing may stand twice: of two values the last would win in silence,
and of two sections the first would be gone whole."""

from collections import Counter
from pathlib import Path
from typing import Any

import yaml
from dotenv.parser import parse_stream
from typing_extensions import override


class OnceLoader(yaml.SafeLoader):
    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key, count in Counter(map(str, keys)).items():
            if count > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def yaml_of(path: Path) -> dict[str, Any]:
    """Raises YAMLError that names the place."""
    with path.open(encoding="utf-8") as text:
        return yaml.load(text, OnceLoader) or {}  # noqa: S506


def twice_in(path: Path) -> list[str]:
    """A line for each variable that stands twice in a file of variables."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as text:
        names = Counter(line.key.upper() for line in parse_stream(text) if line.key)
    return [f"  {name}: stands twice in {path.name}" for name, count in names.items() if count > 1]
