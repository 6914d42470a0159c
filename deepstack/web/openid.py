"""The way to the identity provider and back: OpenID Connect's code flow, by Authlib.

Authlib keeps state, nonce and PKCE verifier in the session and checks the ID token: signature,
issuer, audience, times, nonce. Nothing of the provider is kept from one login to the next, so that
other keys or addresses of its hold at once. Imported where single sign-on is on.
"""

from collections.abc import Mapping
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.django_client import OAuth
from django.http import HttpRequest, HttpResponse
from joserfc.errors import JoseError
from requests import RequestException

from deepstack import config_urls
from deepstack.config import Config, current

DISCOVERY = "/.well-known/openid-configuration"
SECONDS = (3.0, 5.0)  # to connect, and without a byte
LEEWAY = 60  # seconds that the provider's clock may be off
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_SIGNING = "id_token_signing_alg_values_supported"
# With a key that the provider alone has.
_SIGNATURES = {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)}
_METHODS = "token_endpoint_auth_methods_supported"
# What a library raises for an answer that is wrong, and for one of another shape.
_WRONG = (AuthlibBaseError, JoseError, RuntimeError, ValueError, KeyError, TypeError)


class ProviderAway(Exception):
    """The identity provider does not answer. The text is for the log."""


class WrongAnswer(Exception):
    """Something that the provider, or whoever came by its name, said does not hold. The text is for
    the log."""


def redirect(request: HttpRequest, back: str) -> HttpResponse:
    """To the provider's login page; it sends the browser on to `back`. Raises ProviderAway and
    WrongAnswer."""
    try:
        answer: HttpResponse = _client(current()).authorize_redirect(request, back)
    except RequestException as error:
        raise ProviderAway(str(error)) from None
    except _WRONG as error:
        raise WrongAnswer(_words(error)) from None
    return answer


def claims(request: HttpRequest) -> Mapping[str, Any]:
    """Of whom the provider sent back. Raises ProviderAway and WrongAnswer."""
    config = current()
    try:
        wanted = {"iss": {"essential": True, "value": config.oidc_issuer}}
        token = _client(config).authorize_access_token(
            request, claims_options=wanted, leeway=LEEWAY
        )
        found: dict[str, Any] = dict(token["userinfo"])
    except RequestException as error:
        raise ProviderAway(str(error)) from None
    except _WRONG as error:
        raise WrongAnswer(_words(error)) from None
    return found


def _client(config: Config) -> Any:
    """With the provider's discovery document, read now."""
    client = OAuth().register(
        "single_sign_on",
        client_id=config.oidc_client_id,
        client_secret=config.oidc_client_secret.get_secret_value(),
        server_metadata_url=config.oidc_issuer.rstrip("/") + DISCOVERY,
        client_kwargs={
            "scope": config.oidc_scopes,
            "code_challenge_method": "S256",
            "default_timeout": SECONDS,
        },
    )
    told = client.load_server_metadata()
    _check(told, config)
    told[_SIGNING] = sorted(_SIGNATURES.intersection(told.get(_SIGNING, ()))) or ["RS256"]
    # By the standard a provider takes the secret as HTTP's Basic unless it says otherwise.
    if "client_secret_basic" not in told.get(_METHODS, ["client_secret_basic"]):
        client.client_kwargs["token_endpoint_auth_method"] = "client_secret_post"  # noqa: S105
    return client


def _check(told: Mapping[str, Any], config: Config) -> None:
    if told["issuer"] != config.oidc_issuer:
        raise ValueError(
            f"OIDC_ISSUER = {config.oidc_issuer!r}, the provider calls itself {told['issuer']!r}"
        )
    for name in _ENDPOINTS:
        config_urls.private_http(told[name])


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
