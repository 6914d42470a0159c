"""The way to the identity provider and back: OpenID Connect's code flow, by Authlib.

Authlib keeps state, nonce and PKCE verifier in the session and checks the ID token: signature,
issuer, audience, times, nonce. Nothing of the provider is kept from one login to the next, so that
other keys or addresses of its hold at once. Imported where single sign-on is on.
"""

from collections.abc import Mapping
from typing import Any

from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
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
USERINFO = "userinfo_endpoint"
_SIGNING = "id_token_signing_alg_values_supported"
# With a key that the provider alone has.
_SIGNATURES = {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)}
_METHODS = "token_endpoint_auth_methods_supported"
# What a library raises for an answer that is wrong, and for one of another shape.
_WRONG = (
    AuthlibBaseError,
    JoseError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)


class ProviderAway(Exception):
    """The identity provider does not answer. The text is for the log."""


class WrongAnswer(Exception):
    """Something that the provider said does not hold. The text is for the log."""


class NotAsked(WrongAnswer):
    """No login of this browser waits for the answer, or the answer is that there was none. Any page
    of anybody can send a browser here with it."""


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
    if "error" in request.GET:
        raise NotAsked(request.GET["error"])
    config = current()
    # Without these Authlib takes the discovery document's word, and `azp` in the place of `aud`.
    wanted = {
        "iss": {"essential": True, "value": config.oidc_issuer},
        "aud": {"essential": True, "value": config.oidc_client_id},
    }
    try:
        client = _client(config)
        token = client.authorize_access_token(request, claims_options=wanted, leeway=LEEWAY)
        found = _completed(client, token, config)
    except RequestException as error:
        raise ProviderAway(str(error)) from None
    except MismatchingStateError as error:
        raise NotAsked(_words(error)) from None
    except _WRONG as error:
        raise WrongAnswer(_words(error)) from None
    return found


def _completed(client: Any, token: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """The ID token's claims. Who the person is, and in which groups, some providers tell at their
    userinfo endpoint alone; how the person has logged in counts from the ID token only."""
    found = dict(token["userinfo"])
    needed = [config.oidc_user_claim, "email_verified", config.oidc_groups_claim]
    missing = [name for name in needed if name not in found]
    vital = config.oidc_user_claim in missing or (
        config.oidc_maps_roles and config.oidc_groups_claim in missing
    )
    if vital and USERINFO in client.server_metadata:
        told = client.userinfo(token=token)
        if told["sub"] != found["sub"]:
            raise ValueError("the userinfo is of somebody else")
        found.update({name: told[name] for name in missing if name in told})
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
            "leeway": 0,  # an access token of a minute, which is used at once, has not expired
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
    for name in (*_ENDPOINTS, *([USERINFO] if USERINFO in told else [])):
        config_urls.private_http(told[name])


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
