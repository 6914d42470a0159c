"""Single sign-on by OpenID Connect; off unless an issuer is named."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from deepstack import config_urls
from deepstack.config_types import Checked

_NEEDED = ("oidc_issuer", "oidc_client_id", "oidc_client_secret")
_CLAIM = r"^[!-~]+$"


def _split(value: object) -> object:
    """As the environment holds a list; a list of config.yaml as it is."""
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _issuer(url: str) -> str:
    if "?" in config_urls.private_http(url) or "#" in url:
        raise ValueError("an issuer has neither ? nor #, such as https://login.example/realms/desk")
    return url


def _scopes(text: str) -> str:
    if "openid" not in text.split():
        raise ValueError("openid must be one of the scopes, separated by blanks")
    return text


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class SingleSignOn(Checked):
    """The identity provider, whom it lets in, and as what."""

    # Its discovery document is below this address; https, on this machine also http.
    oidc_issuer: Annotated[str, AfterValidator(config_urls.optional(_issuer))] = ""
    oidc_client_id: Annotated[str, Field(pattern=r"^[ -~]*$", max_length=255)] = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_scopes: Annotated[str, AfterValidator(_scopes)] = "openid profile email"
    # Holds the user name; `email` counts only where `email_verified` is true.
    oidc_user_claim: Annotated[str, Field(pattern=_CLAIM)] = "preferred_username"
    oidc_groups_claim: Annotated[str, Field(pattern=_CLAIM)] = "groups"
    # The provider's groups whose members have the role; all empty: roles are given here by hand.
    oidc_viewer_groups: Names = ()
    oidc_trader_groups: Names = ()
    oidc_risk_groups: Names = ()
    # Values of `amr` or `acr` that stand for a second factor; empty: its own is always asked for.
    oidc_second_factor: Names = ("mfa", "otp", "hwk")
    oidc_create_users: bool = False  # at their first login, with the roles of their groups
    oidc_superusers: bool = False  # may come in this way, too
    oidc_only: bool = False  # no password opens the back office, but a superuser's

    @property
    def oidc_role_groups(self) -> Mapping[str, tuple[str, ...]]:
        return {
            "Viewer": self.oidc_viewer_groups,
            "Trader": self.oidc_trader_groups,
            "Risk": self.oidc_risk_groups,
        }

    @property
    def oidc_maps_roles(self) -> bool:
        return any(self.oidc_role_groups.values())

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        given = self.model_fields_set & set(SingleSignOn.model_fields)
        asked = sorted(name for name in given if getattr(self, name) != _default(name))
        missing = [name.upper() for name in _NEEDED if not _value(self, name)]
        if asked and missing:
            raise ValueError(
                f"{', '.join(missing)}: missing, while {', '.join(asked).upper()} is set; single"
                " sign-on needs OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET"
            )
        if self.oidc_create_users and not self.oidc_maps_roles:
            raise ValueError(
                "OIDC_CREATE_USERS: needs OIDC_VIEWER_GROUPS, OIDC_TRADER_GROUPS or"
                " OIDC_RISK_GROUPS, so that a new user has a role"
            )
        return self


def _value(section: SingleSignOn, name: str) -> str:
    value = getattr(section, name)
    return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _default(name: str) -> object:
    return SingleSignOn.model_fields[name].default
