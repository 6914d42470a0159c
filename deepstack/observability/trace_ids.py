"""The identifiers of an order's trace: every process derives them from the order's own rows."""

from hashlib import blake2b


def trace_id(*stable: object) -> int:
    """128 bits of what never changes."""
    return _number(16, stable)


def span_id(*stable: object) -> int:
    """64 bits of what never changes."""
    return _number(8, stable)


def _number(size: int, stable: tuple[object, ...]) -> int:
    """Not zero, which the W3C's Trace Context forbids."""
    text = ":".join(map(str, stable)).encode()
    return int.from_bytes(blake2b(text, digest_size=size).digest(), "big") or 1
