"""A login by password alone, of a person whose second factor is asked for, can halt and nothing
else."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib.auth import SESSION_KEY
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from deepstack.web import problem_json, store_down
from execution.access import second_factor, single_sign_on
from execution.models import TradingState

GUARDED = ("/api/", "/admin/")
# What needs no login, ends it, or completes it.
OPEN = ("/admin/login/", "/admin/logout/", "/admin/jsi18n/", "/api/v1/token/")
PAGES = ("/admin/second-factor/", "/admin/single-sign-on/")
HALTS = ("/api/v1/halt/", "/admin/execution/tradingstate/halt-all/")
SETS_A_STATE = "/admin/execution/tradingstate/set/"
CODE_WANTED = "SECOND_FACTOR_NEEDED"
WORDS = "a code of your second factor is needed: give it at /admin/second-factor/"


class SecondFactorMiddleware:
    """After django-otp's, which says by which device a session was verified."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            refused = _is_guarded(request) and _lacks_the_code(request)
        except Error as error:
            answer = store_down.answer(request, error)
            if answer is None:
                raise
            return answer
        return _refusal(request) if refused else self.get_response(request)


def halts(request: HttpRequest) -> bool:
    """Whether the request can do nothing but halt, or asks for the page that does."""
    if request.path_info == SETS_A_STATE:
        wanted = request.POST.get("state")
        return request.method in ("GET", "HEAD") or wanted == TradingState.State.HALTED
    return request.path_info in HALTS


def _is_guarded(request: HttpRequest) -> bool:
    path = request.path_info
    return path.startswith(GUARDED) and path not in OPEN and not path.startswith(PAGES)


def _lacks_the_code(request: HttpRequest) -> bool:
    if SESSION_KEY not in request.session or not request.user.is_authenticated:
        return False
    return not _verified(request) and second_factor.asked_of(request.user) and not halts(request)


def _verified(request: HttpRequest) -> bool:
    """By a code of ours, or by what the identity provider asked for at this login."""
    if getattr(request.user, "otp_device", None) is not None:
        return True
    return single_sign_on.second_factor_given(request.session)


def _refusal(request: HttpRequest) -> HttpResponse:
    if problem_json.is_api(request):
        return problem_json.answer(403, WORDS, code=CODE_WANTED)
    back = {"next": request.get_full_path()} if request.method == "GET" else {}
    query = f"?{urlencode(back)}" if back else ""
    return HttpResponseRedirect(reverse("second_factor") + query)
