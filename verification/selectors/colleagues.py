"""Who may do what, among the active staff."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

BACKEND = "django.contrib.auth.backends.ModelBackend"


def colleagues() -> list[AbstractUser]:
    """Return the active staff who may work on reviews, by name; one query."""
    return _with("work_review")


def may_change_rights() -> tuple[list[str], list[str]]:
    """Return the names of who may ask for rights, and of who may decide."""
    asking, deciding = _with("request_rights"), _with("decide_rights")
    return [each.get_username() for each in asking], [each.get_username() for each in deciding]


def _with(codename: str) -> list[AbstractUser]:
    model = get_user_model()
    people = model.objects.with_perm(f"verification.{codename}", backend=BACKEND)
    return list(people.filter(is_staff=True).order_by(model.USERNAME_FIELD))
