"""Who works on reviews."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

BACKEND = "django.contrib.auth.backends.ModelBackend"


def colleagues() -> list[AbstractUser]:
    """Return the active staff who may work on reviews, by name; one query."""
    model = get_user_model()
    people = model.objects.with_perm("verification.work_review", backend=BACKEND)
    return list(people.filter(is_staff=True).order_by(model.USERNAME_FIELD))
