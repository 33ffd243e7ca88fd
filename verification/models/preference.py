"""What a member of the staff has chosen for themselves."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Preference(models.Model):
    """Time zone and language of one person; empty means the site's."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    time_zone = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=10, blank=True)

    class Meta:
        """One row for each person who has chosen something."""

        verbose_name = _("preference")
        verbose_name_plural = _("preferences")
        db_table = "verification_preference"

    def __str__(self) -> str:
        """Return whose it is."""
        return f"preferences of {self.person_id}"
