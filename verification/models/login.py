"""The second factor of a member of the staff, and what slows down guesses at the login."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device, ThrottlingMixin

DIGEST_HEX = 64


class SecondFactor(ThrottlingMixin, Device):
    """An authenticator app: its key sealed under the keyring, and the last step it was used at.

    Not `confirmed` until a code of it was given. `secret_id` names the key in its seal.
    """

    secret_id = models.UUIDField(unique=True, editable=False)
    kek_id = models.CharField(max_length=32)
    sealed = models.BinaryField()
    last_step = models.BigIntegerField(null=True)
    made_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        """One for each person; who may see everybody's logins."""

        db_table = "verification_second_factor"
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")
        default_permissions = ()
        permissions = (("view_logins", "Can see recent logins"),)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="second_factor_person", fields=["user"]),
            models.CheckConstraint(
                name="second_factor_confirmed",
                condition=Q(confirmed=True, confirmed_at__isnull=False)
                | Q(confirmed=False, confirmed_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        """Return whose it is."""
        return f"second factor of {self.user_id}"

    def get_throttle_factor(self) -> float:
        """Have 1, 2, 4, 8 ... seconds pass after each wrong code."""
        return 1.0


class RecoveryCode(models.Model):
    """A code for whoever has lost the app: its keyed digest, and when it was used."""

    factor = models.ForeignKey(SecondFactor, on_delete=models.CASCADE, related_name="codes")
    digest = models.BinaryField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        """No code twice."""

        db_table = "verification_recovery_code"
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="recovery_code_once", fields=["factor", "digest"]),
        ]

    def __str__(self) -> str:
        """Return whose it is; the code itself is a credential."""
        return f"recovery code of {self.factor_id}"


class LoginTry(models.Model):
    """Logins in a row that failed, of one typed name from one address: of both a keyed digest."""

    digest = models.CharField(max_length=DIGEST_HEX, primary_key=True)
    failures = models.PositiveIntegerField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        """Forgotten when it has expired, or after a login that succeeds."""

        db_table = "verification_login_try"
        default_permissions = ()

    def __str__(self) -> str:
        """Return how many there are."""
        return f"{self.failures} failed logins"


class LoginMinute(models.Model):
    """How many logins were refused in a minute, whoever tried."""

    minute = models.DateTimeField(primary_key=True)
    refused = models.PositiveIntegerField()

    class Meta:
        """Gone when the minute is closed."""

        db_table = "verification_login_minute"
        default_permissions = ()

    def __str__(self) -> str:
        """Return how many there were."""
        return f"{self.refused} refused logins"
