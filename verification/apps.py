"""The Django app."""

from django.apps import AppConfig


class VerificationConfig(AppConfig):
    """`verification`: models, API, admin, commands and jobs."""

    name = "verification"
    verbose_name = "Identity verification"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from verification import checks  # noqa: F401, PLC0415  (needs the loaded app registry)
