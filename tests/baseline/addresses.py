"""Every address of the web process, with an id that is stored in each place for one."""

import re
from collections.abc import Iterator, Mapping

from django.urls import URLPattern, URLResolver, get_resolver

_PLACE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


def of_service(ids: Mapping[str, int]) -> list[str]:
    """`ids`: by a part of the address, such as `/order/`, of what is stored there; "" of all
    others."""
    found = {_filled(each, ids) for each in _patterns(get_resolver().url_patterns, "/")}
    return sorted(found)


def _patterns(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[str]:
    for each in patterns:
        whole = before + str(each.pattern)
        if isinstance(each, URLPattern):
            yield whole
        else:
            yield from _patterns(each.url_patterns, whole)


def _filled(pattern: str, ids: Mapping[str, int]) -> str:
    key = next(key for key in (*[each for each in ids if each], "") if key in pattern)
    named = {"app_label": "execution", "url": "nowhere/", "content_type_id": "1"}

    def fill(place: re.Match[str]) -> str:
        return named.get(place[1] or place[2], str(ids[key]))

    return _PLACE.sub(fill, pattern).replace("^", "").replace("$", "").replace("\\", "")
