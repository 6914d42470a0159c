"""Pages of a person's own second factor: enrol a phone, give its code, renew the recovery codes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import django_otp
import segno
from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views import View
from django_otp.plugins.otp_totp.models import TOTPDevice

from deepstack.config import current
from deepstack.web import login_throttle
from deepstack.web.login_throttle import TooManyFailures
from execution.access import recovery_codes, second_factor
from execution.access.second_factor import Secret, WrongCode
from execution.admin import halt_all
from execution.domain.exchange_time import exchange_time

if TYPE_CHECKING:
    from django.forms import TextInput
else:
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

PENDING = "second_factor_secret"  # of the session, until the phone has shown a code
LONGEST = 40  # characters of a code, with what stands between its groups


class CodeField(forms.CharField):
    def __init__(self, label: str, **attrs: Any) -> None:
        shown = {"autocomplete": "one-time-code", "spellcheck": "false", **attrs}
        super().__init__(label=label, max_length=LONGEST, widget=TextInput(attrs=shown))


class CodeForm(forms.Form):
    code = CodeField("Code", autofocus=True)


class EnrolForm(forms.Form):
    code = CodeField("Code that the phone shows now", inputmode="numeric")


class ReplaceForm(EnrolForm):
    proof = CodeField("Code of the phone of before, or a recovery code")


class EnterCodeView(View):
    """The second step of a login; of whom has taken it, the state of the second factor."""

    def get(self, request: HttpRequest) -> HttpResponse:
        device = second_factor.device_of(request.user)
        if device is None:
            return _to("second_factor_enrol", request)
        if _is_verified(request):
            return _state(request, device, CodeForm())
        return _page(request, "code", "Second factor", form=CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = CodeForm(request.POST)
        if form.is_valid() and _checked(request, form, "code"):
            return HttpResponseRedirect(_onwards(request))
        return _page(request, "code", "Second factor", form=form)


class EnrolView(View):
    """GET shows a secret, which the session keeps; POST takes the code that proves it arrived."""

    def get(self, request: HttpRequest) -> HttpResponse:
        device = second_factor.device_of(request.user)
        return self._ask(request, device, _form_for(device)())

    def post(self, request: HttpRequest) -> HttpResponse:
        device = second_factor.device_of(request.user)
        form = _form_for(device)(request.POST)
        if not form.is_valid():
            return self._ask(request, device, form)
        secret, code = _pending(request), form.cleaned_data["code"]
        if not second_factor.shows(secret, code):
            form.add_error("code", second_factor.NOT_OF_NOW)
        elif device is None or _checked(request, form, "proof"):
            return self._enrol(request, device, secret, form)
        return self._ask(request, device, form)

    def _enrol(
        self, request: HttpRequest, device: TOTPDevice | None, secret: Secret, form: forms.Form
    ) -> HttpResponse:
        user = _person(request)
        try:
            codes = second_factor.enrol(user, secret, form.cleaned_data["code"], replacing=device)
        except WrongCode as error:
            form.add_error("code", str(error))
            return self._ask(request, second_factor.device_of(user), form)
        del request.session[PENDING]
        _verify(request, second_factor.device_of(user))
        return _codes(request, codes)

    def _ask(
        self, request: HttpRequest, device: TOTPDevice | None, form: forms.Form
    ) -> HttpResponse:
        secret, user = _pending(request), _person(request)
        address = secret.address(user)
        picture = segno.make(address, error="m").svg_inline(scale=5, light="#fff", title="QR code")
        return _page(
            request,
            "enrol",
            "Another phone" if device else "Enrol a second factor",
            form=form,
            picture=picture,
            secret=secret.readable,
            required=second_factor.required_of(user, current()),
            replaces=device is not None,
        )


class RenewCodesView(View):
    def post(self, request: HttpRequest) -> HttpResponse:
        form = CodeForm(request.POST)
        if form.is_valid() and _checked(request, form, "code"):
            return _codes(request, second_factor.renew_codes(_person(request)))
        device = second_factor.device_of(request.user)
        if device is None or not _is_verified(request):
            return _to("second_factor", request)
        return _state(request, device, form)


def _form_for(device: TOTPDevice | None) -> type[EnrolForm]:
    return EnrolForm if device is None else ReplaceForm


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)


def _pending(request: HttpRequest) -> Secret:
    if PENDING not in request.session:
        request.session[PENDING] = second_factor.new_secret().key
    return Secret(request.session[PENDING])


def _checked(request: HttpRequest, form: forms.Form, field: str) -> bool:
    """Whether the field holds a code of the person; the session is verified from then on."""
    address = login_throttle.address(request.META)
    try:
        device = second_factor.check(_person(request), form.cleaned_data[field], address=address)
    except WrongCode as error:
        form.add_error(field, str(error))
    except TooManyFailures as error:
        form.add_error(field, f"{error}: try again in {error.seconds} s")
    else:
        _verify(request, device)
        return True
    return False


def _verify(request: HttpRequest, device: TOTPDevice | None) -> None:
    request.session.cycle_key()
    django_otp.login(request, device)


def _is_verified(request: HttpRequest) -> bool:
    return getattr(request.user, "otp_device", None) is not None


def _onwards(request: HttpRequest) -> str:
    wanted = request.GET.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}):
        return wanted
    return reverse("admin:index")


def _to(name: str, request: HttpRequest) -> HttpResponse:
    wanted = request.GET.get("next")
    query = f"?{urlencode({'next': wanted})}" if wanted else ""
    return HttpResponseRedirect(reverse(name) + query)


def _state(request: HttpRequest, device: TOTPDevice, form: forms.Form) -> HttpResponse:
    left = recovery_codes.left(_person(request))
    since = exchange_time(device.created_at)
    return _page(request, "state", "Second factor", form=form, left=left, since=since)


def _codes(request: HttpRequest, codes: Sequence[str]) -> HttpResponse:
    return _page(request, "codes", "Recovery codes", codes=codes, onwards=_onwards(request))


def _page(request: HttpRequest, name: str, title: str, **more: Any) -> HttpResponse:
    shown = {
        **admin.site.each_context(request),
        "title": title,
        "may_halt": request.user.has_perm(halt_all.PERMISSION),
        **more,
    }
    return TemplateResponse(request, f"admin/second_factor/{name}.html", shown)


def _own(view: type[View]) -> Any:
    return admin.site.admin_view(view.as_view())


urlpatterns = [
    path("", _own(EnterCodeView), name="second_factor"),
    path("enrol/", _own(EnrolView), name="second_factor_enrol"),
    path("codes/", _own(RenewCodesView), name="second_factor_codes"),
]
