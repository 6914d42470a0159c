"""Files of settings are read strictly. Nothing may stand twice: of two values the last would win in
silence, and of two sections the first would be gone whole. No line may be passed over: a limit that
nobody reads is none."""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from dotenv.parser import Binding, parse_stream
from typing_extensions import override

_TAKEN_IN = re.compile(r"\$\{([^}:]*)\}")  # with `:-` another value stands for one that is not set
_INT, _FLOAT, _BOOL = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool"))
_REPLACED = (_INT, _FLOAT, _BOOL, "tag:yaml.org,2002:timestamp")


class StrictLoader(yaml.CSafeLoader):
    """Numbers are those that people write: to YAML, 010 is eight, 1:30 ninety, and the symbol ON a
    switch. Any other spelling stays a text, which a setting that is none then refuses."""

    yaml_implicit_resolvers = {
        first: [known for known in resolvers if known[0] not in _REPLACED]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key, count in Counter(str(key).lower() for key in keys).items():
            if count > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands twice", node.start_mark
                )
        for key in keys:
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is no name", node.start_mark
                )
        return super().construct_mapping(node, deep)


for tag, pattern, first in (
    (_INT, r"[-+]?(0|[1-9][0-9]{0,39})", "-+0123456789"),
    (_FLOAT, r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    (_FLOAT, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
):
    StrictLoader.add_implicit_resolver(tag, re.compile(f"(?:{pattern})$"), list(first))


def yaml_of(path: Path) -> dict[str, Any]:
    """Raises YAMLError that names the place."""
    with path.open(encoding="utf-8") as text:
        found = yaml.load(text, StrictLoader)  # noqa: S506
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise yaml.YAMLError("sections are allowed, each with its keys below it: `limits:`, ...")
    return found


def unread(*paths: Path) -> Iterator[str]:
    """A line for each of them that is there, but not as a file that can be read: it would be passed
    over. (A container makes a folder of a file that is mounted and missing.)"""
    for path in paths:
        other = path.with_suffix(".yml")
        if path.suffix == ".yaml" and os.path.lexists(other):
            yield f"  {other}: is not read; the file is called {path.name}"
        try:
            if path.is_fifo():
                yield f"  {path}: a file is allowed, this is a pipe"
            elif os.path.lexists(path):
                path.read_bytes()
        except OSError as error:
            yield f"  {path}: cannot be read: {error.strerror}"


def unknown(path: Path, known: Collection[str]) -> Iterator[str]:
    """A line for each section of the file that there is none of."""
    sections = yaml_of(path) if path.is_file() else {}
    for key in sections:
        if key.lower() not in known:
            allowed = ", ".join(sorted(known))
            yield f"  config/config.yaml: unknown key {key!r}; allowed are {allowed}"


def variables(path: Path) -> list[Binding]:
    """The lines of a file of variables, if there is one."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig") as text:
        return list(parse_stream(text))


def wrong_lines(path: Path) -> Iterator[str]:
    """A line for each variable that stands twice in the file, for each line that names none, and
    for each that takes in another variable which is not there."""
    lines = variables(path)
    names = Counter(line.key.upper() for line in lines if line.key)
    yield from (f"  {name}: stands twice in {path.name}" for name, n in names.items() if n > 1)
    for line in lines:
        if line.error or (line.key and line.value is None):
            yield f"  {path.name}, line {_number(line)}: KEY=value is allowed, {_begins(line)}"
    yield from _unset(path, lines)


def _unset(path: Path, lines: Sequence[Binding]) -> Iterator[str]:
    """Of a password with such a sign a part would be gone in silence."""
    known = set(os.environ)
    for line in lines:
        for name in _TAKEN_IN.findall(line.value or ""):
            if name not in known:
                place = f"{path.name}, line {_number(line)}"
                yield f"  {place}: {line.key} takes in a variable by ${{...}} that is not set"
        known.add(line.key or "")


def _number(line: Binding) -> int:
    """Blank lines count to what follows them."""
    text = line.original.string
    return line.original.line + text[: len(text) - len(text.lstrip())].count("\n")


def _begins(line: Binding) -> str:
    """The name alone; what follows may be a secret."""
    name = re.match(r"[A-Za-z_][\w.]*", line.original.string.strip())
    return f"not what begins with {name[0]}" if name else "and a quote that opens also closes"
