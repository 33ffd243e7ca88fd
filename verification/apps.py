"""The Django app."""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.auth import get_user_model
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class VerificationConfig(AppConfig):
    """`verification`: models, API, admin, commands and jobs."""

    name = "verification"
    verbose_name = _("Identity verification")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register checks and background jobs; make the staff roles whenever tables were made."""
        # A worker looks for modules named `tasks` only: it would run without our periodic jobs.
        from verification import checks, jobs  # noqa: F401, PLC0415  (need the app registry)

        post_migrate.connect(_make_roles, sender=self, dispatch_uid="verification.roles")


def _make_roles(*, app_config: AppConfig, using: str, **_: Any) -> None:
    """Make the permissions first: an app listed after ours may be the one that makes them."""
    from django.contrib.auth.management import (  # noqa: PLC0415  (needs the loaded app registry)
        create_permissions,
    )

    from verification.services.roles import ensure_roles  # noqa: PLC0415  (the same)

    for each in (app_config, *_of_accounts()):
        create_permissions(each, verbosity=0, using=using)
    ensure_roles()


def _of_accounts() -> set[AppConfig]:
    user = get_user_model()._meta.app_label  # noqa: SLF001 - Django's documented API
    return {apps.get_app_config(each) for each in ("auth", user)}
