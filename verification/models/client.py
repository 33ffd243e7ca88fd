"""Clients: the onboarding applications that call our API, and their keys."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    """What a client may do."""

    SESSIONS_WRITE = "sessions:write", _("open sessions")
    ATTEMPTS_WRITE = "attempts:write", _("submit attempts")
    ATTEMPTS_READ = "attempts:read", _("read its attempts")
    ATTEMPTS_EXPORT = "attempts:export", _("export its attempts")
    LEDGER_READ = "ledger:read", _("read the log and prove its attempts")


class ApiClient(models.Model):
    """An onboarding application. It sees its own sessions and attempts, nobody else's."""

    id = models.UUIDField(primary_key=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    scopes = ArrayField(models.CharField(max_length=32, choices=Scope.choices))
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        """Known scopes only."""

        verbose_name = _("API client")
        verbose_name_plural = _("API clients")
        db_table = "verification_client"
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="client_scopes_known",
                condition=Q(scopes__contained_by=sorted(Scope.values)),
            ),
        ]

    def __str__(self) -> str:
        """Return the name staff know it by."""
        return self.name


class ApiKey(models.Model):
    """One credential of a client; several may be valid at once, so that keys can be changed.

    `bearer`: `public_id` is the key's prefix and `secret_sha256` the digest of the whole key.
    `sign`: `public_id` is the api_key of a drop-in key pair and `secret_sealed` its api_secret,
    sealed under `kek_id` because a signature cannot be checked with a digest.
    """

    class Kind(models.TextChoices):
        """How the caller proves who it is."""

        BEARER = "bearer", _("bearer key")
        SIGN = "sign", _("FaceID key pair")

    id = models.UUIDField(primary_key=True, editable=False)
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="keys")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    public_id = models.CharField(max_length=64, unique=True)
    secret_sha256 = models.BinaryField(null=True)
    secret_sealed = models.BinaryField(null=True)
    kek_id = models.CharField(max_length=32, null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        """Each kind carries its own secret and no other."""

        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        db_table = "verification_api_key"
        ordering = ("-created_at",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="key_secret_fits_kind",
                condition=Q(
                    kind="bearer",
                    secret_sha256__isnull=False,
                    secret_sealed__isnull=True,
                    kek_id__isnull=True,
                )
                | Q(
                    kind="sign",
                    secret_sha256__isnull=True,
                    secret_sealed__isnull=False,
                    kek_id__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        """Return the public part."""
        return self.public_id


class SpentSign(models.Model):
    """A single-use signature that was used: refused when it comes again."""

    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="+")
    digest = models.BinaryField()
    spent_at = models.DateTimeField()

    class Meta:
        """A signature is spent once."""

        verbose_name = _("spent sign")
        verbose_name_plural = _("spent signs")
        db_table = "verification_spent_sign"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="sign_spent_once", fields=["key", "digest"]),
        ]

    def __str__(self) -> str:
        """Return whose it was; the signature itself is a credential."""
        return f"spent sign of {self.key_id}"
