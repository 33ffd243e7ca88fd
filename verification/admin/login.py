"""The way in and out of the admin, on record; who leaves gives back the reviews they had taken."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.signals import user_logged_out
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from verification.conf import get_conf
from verification.services.errors import TooManyTriesError
from verification.services.lockout import claim_try, forget_tries
from verification.services.review_queue import release_all
from verification.services.runtime import get_runtime
from verification.services.staff import (
    Step,
    record_login,
    record_logout,
    record_password,
    record_refusal,
)


class RecordedLoginForm(AdminAuthenticationForm):
    """Lets nobody in before it is on record; a refusal reads the same for every reason.

    Raises TooManyTriesError after five failures, which `SecondStepMiddleware` answers.
    """

    def clean(self) -> dict[str, Any]:
        """Check name and password, and stage what came of it."""
        typed = self.cleaned_data.get("username")
        is_complete = bool(typed and self.cleaned_data.get("password"))
        if typed and is_complete:
            _claim(typed, address_of(self.request))
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            if typed and is_complete:
                record_refusal(typed=typed, runtime=get_runtime())
            raise
        person = self.get_user()
        if typed and isinstance(person, AbstractUser):
            forget_tries(typed=typed, address=address_of(self.request), runtime=get_runtime())
            _record(person)
        return cleaned


def address_of(request: HttpRequest | None) -> str:
    """Return where a request came from, as a proxy says it if one is named; may be empty."""
    if request is None:
        return ""
    return str(request.META.get(get_conf().address_header or "REMOTE_ADDR", ""))


def _claim(typed: str, address: str) -> None:
    try:
        claim_try(typed=typed, address=address, runtime=get_runtime())
    except TooManyTriesError:
        record_refusal(typed=typed, step=Step.LOCKED, runtime=get_runtime())
        raise


def _record(person: AbstractUser) -> None:
    if get_conf().second_factor:
        record_password(person=person, runtime=get_runtime())
    else:
        record_login(person=person, proved_by=Step.PASSWORD.value, runtime=get_runtime())


def _on_logout(*, user: object, **_kwargs: Any) -> None:
    if isinstance(user, AbstractUser):
        record_logout(person=user, runtime=get_runtime())
        release_all(by=user, runtime=get_runtime())


admin.site.login_form = RecordedLoginForm
user_logged_out.connect(_on_logout, dispatch_uid="verification.login")
