"""The way in and out of the admin, on record; who leaves gives back the reviews they had taken."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.signals import user_logged_out
from django.core.exceptions import ValidationError

from verification.services.review_queue import release_all
from verification.services.runtime import get_runtime
from verification.services.staff import record_login, record_logout, record_refusal


class RecordedLoginForm(AdminAuthenticationForm):
    """Lets nobody in before it is on record; a refusal reads the same for every reason."""

    def clean(self) -> dict[str, Any]:
        """Check name and password, and stage what came of it."""
        typed = self.cleaned_data.get("username")
        is_complete = bool(typed and self.cleaned_data.get("password"))
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            if typed and is_complete:
                record_refusal(typed=typed, runtime=get_runtime())
            raise
        person = self.get_user()
        if isinstance(person, AbstractUser):
            record_login(person=person, runtime=get_runtime())
        return cleaned


def _on_logout(*, user: object, **_kwargs: Any) -> None:
    if isinstance(user, AbstractUser):
        record_logout(person=user, runtime=get_runtime())
        release_all(by=user, runtime=get_runtime())


admin.site.login_form = RecordedLoginForm
user_logged_out.connect(_on_logout, dispatch_uid="verification.login")
