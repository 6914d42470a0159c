"""The signature of a webhook against the published example of Standard Webhooks' libraries."""

from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from deepstack.config_webhooks import Webhooks, key_of
from monitoring.webhooks.signature import headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://risk.example/orders"


def test_the_published_example() -> None:
    made = headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        keys=[key_of(SecretStr(SECRET))],
        at=datetime.fromtimestamp(1614265330, UTC),
    )
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("risk", {"url": "http://risk.example/"}, "http:// only on this machine"),
        ("risk", {"url": "risk.example"}, "an address such as https://"),
        ("risk", {"secret": "whsec_c2hvcnQ="}, "24 to 64 random bytes"),
        ("risk", {"secret": "a" * 40}, "whsec_ and"),
        ("risk", {"previous_secret": ""}, "whsec_ and"),
        ("Risk", {}, "small letters, digits and _"),
        ("risk", {"kind": ["FILL"]}, "kind"),
    ],
)
def test_a_setting_that_cannot_work_says_what_is_allowed(
    name: str, values: dict[str, object], words: str
) -> None:
    receiver = {"url": URL, "secret": SECRET, **values}
    with pytest.raises(ValueError, match=words) as caught:
        Webhooks.model_validate({"receivers": {name: receiver}})
    assert SECRET.removeprefix("whsec_") not in str(caught.value)


def test_address_and_secret_are_never_shown() -> None:
    found = Webhooks.model_validate({"receivers": {"risk": {"url": URL, "secret": SECRET}}})
    assert URL not in repr(found)
    assert SECRET not in repr(found)
