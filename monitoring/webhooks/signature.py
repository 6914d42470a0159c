"""How a receiver can tell that a message is ours: the scheme of www.standardwebhooks.com."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime


def headers(
    message_id: str, body: bytes, *, keys: Sequence[bytes], at: datetime
) -> Mapping[str, str]:
    """`webhook-signature` holds one HMAC-SHA256 of "id.timestamp.body" for each key."""
    seconds = str(int(at.timestamp()))
    signed = f"{message_id}.{seconds}.".encode() + body
    marks = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(mark).decode()}" for mark in marks),
    }
