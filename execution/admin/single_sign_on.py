"""Login to the back office by single sign-on: to the identity provider, and back from it."""

import structlog
from django.contrib.auth import login, user_login_failed
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET

from deepstack.web import login_throttle, openid
from execution.access import single_sign_on
from execution.access.single_sign_on import Refused

log = structlog.get_logger(__name__)

NEXT = "single_sign_on_next"
BACKEND = "deepstack.web.login_backend.ThrottledBackend"
AWAY = (
    "The identity provider does not answer. Try again; trading can be halted with an API token or"
    " on the command line meanwhile."
)
WRONG = "What the identity provider sent does not hold. Nobody was logged in: begin again."
NOT_ASKED = (
    "The identity provider did not log you in, or this browser had not asked it to, or not within"
    " the last hour. Begin again."
)


@require_GET
def begin(request: HttpRequest) -> HttpResponse:
    _not_too_often(request)
    request.session[NEXT] = request.GET.get("next", "")
    back = request.build_absolute_uri(reverse("single_sign_on_callback"))
    try:
        return openid.redirect(request, back)
    except (openid.ProviderAway, openid.WrongAnswer) as error:
        return _not_reached(request, error)


@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    _not_too_often(request)
    try:
        claims = openid.claims(request)
        user = single_sign_on.person_of(claims)
    except openid.ProviderAway as error:
        return _not_reached(request, error)
    except openid.NotAsked as error:
        return _refused(request, NOT_ASKED, why=str(error))
    except openid.WrongAnswer as error:
        _failed(request)
        return _refused(request, WRONG, why=str(error))
    except Refused as error:
        _failed(request, error.name)
        return _refused(request, f"Refused: {error}.", why=str(error), name=error.name)
    onwards = _onwards(request, request.session.pop(NEXT, ""))
    login(request, user, backend=BACKEND)
    if single_sign_on.proves_second_factor(claims):
        single_sign_on.note_second_factor(request.session)
    return HttpResponseRedirect(onwards)


def _not_too_often(request: HttpRequest) -> None:
    seconds = login_throttle.throttle.wait(login_throttle.address(request.META))
    if seconds:
        raise login_throttle.TooManyFailures(seconds)


def _onwards(request: HttpRequest, wanted: str) -> str:
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()):
        return wanted
    return reverse("admin:index")


def _failed(request: HttpRequest, name: str = "") -> None:
    """Counts as a wrong password does. A page of somebody else must not be able to bring it about:
    who sends other people's browsers here would make their address wait."""
    user_login_failed.send(__name__, credentials={"username": name}, request=request)


def _refused(request: HttpRequest, said: str, *, why: str, name: str = "") -> HttpResponse:
    address = login_throttle.address(request.META)
    log.warning("single sign-on refused", user=name[:150], address=address, why=why[:300])
    return _page(request, 403, "Single sign-on did not let you in", said)


def _not_reached(request: HttpRequest, error: Exception) -> HttpResponse:
    log.error("identity provider away", why=str(error)[:300])
    return _page(request, 503, "Single sign-on is away", AWAY)


def _page(request: HttpRequest, status: int, title: str, detail: str) -> HttpResponse:
    shown = {"status": status, "title": title, "detail": detail}
    return render(request, "single_sign_on.html", shown, status=status)


urlpatterns = [
    path("", begin, name="single_sign_on"),
    path("callback/", callback, name="single_sign_on_callback"),
]
