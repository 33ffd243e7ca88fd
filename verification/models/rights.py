"""Changes by which rights grow: asked for by one person, decided by another, used once."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

RIGHTS_REQUESTED = "rights.requested"
RIGHTS_APPROVED = "rights.approved"
RIGHTS_REFUSED = "rights.refused"
RIGHTS_WITHDRAWN = "rights.withdrawn"
RIGHTS_GLASS_BROKEN = "rights.glass_broken"
RIGHTS_GLASS_REVIEWED = "rights.glass_reviewed"
RIGHTS_SEALED = "rights.sealed"
"""Kinds of the log's entries about rights, beside `role.changed`, which the database stages."""


class Growth(models.TextChoices):
    """In which way somebody gets more rights."""

    ROLE = "role", _("Give a role")
    RETURN = "return", _("Let an account work again")
    SUPERUSER = "superuser", _("Make a superuser")


class RightsDecision(models.TextChoices):
    """What came of it."""

    APPROVED = "approved", pgettext_lazy("a request", "approved")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")


class RightsChange(models.Model):
    """A request that somebody gets more rights, and what came of it.

    `applied_at` is set by the trigger that lets the right through, once. A change by broken glass
    was made by one person alone and waits for somebody else to look at it.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    growth = models.CharField(max_length=9, choices=Growth.choices)
    role = models.ForeignKey(Group, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(max_length=500)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    requested_at = models.DateTimeField()
    decision = models.CharField(max_length=9, choices=RightsDecision.choices, null=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    glass_broken = models.BooleanField(default=False)
    glass_reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    glass_reviewed_at = models.DateTimeField(null=True)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        """Four eyes, in the database: not who asked, and not who gets more."""

        db_table = "verification_rights_change"
        verbose_name = _("change of rights")
        verbose_name_plural = _("changes of rights")
        ordering = ("-requested_at", "-id")
        permissions = (
            ("request_rights", "Can ask for rights for somebody"),
            ("decide_rights", "Can approve or refuse rights for somebody"),
        )
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="rights_four_eyes",
                condition=Q(decided_by__isnull=True)
                | Q(decision="withdrawn", decided_by=F("requested_by"))
                | Q(glass_broken=True)
                | (
                    ~Q(decision="withdrawn")
                    & ~Q(decided_by=F("requested_by"))
                    & ~Q(decided_by=F("account"))
                ),
            ),
            models.CheckConstraint(
                name="rights_glass_by_one",
                condition=Q(glass_broken=False, glass_reviewed_by__isnull=True)
                | Q(glass_broken=True, decision="approved", decided_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="rights_glass_reviewed_by_another",
                condition=Q(glass_reviewed_by__isnull=True, glass_reviewed_at__isnull=True)
                | Q(glass_reviewed_by__isnull=False, glass_reviewed_at__isnull=False)
                & ~Q(glass_reviewed_by=F("decided_by"))
                & ~Q(glass_reviewed_by=F("account")),
            ),
            models.CheckConstraint(
                name="rights_decided_whole",
                condition=Q(
                    decision__isnull=True,
                    decided_by__isnull=True,
                    decided_at__isnull=True,
                    glass_broken=False,
                )
                | Q(decision__isnull=False, decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="rights_known",
                condition=(Q(decision__isnull=True) | Q(decision__in=RightsDecision.values))
                & (
                    Q(growth="role", role__isnull=False)
                    | Q(growth__in=["return", "superuser"], role__isnull=True)
                ),
            ),
            models.CheckConstraint(
                name="rights_applied_approved",
                condition=Q(applied_at__isnull=True) | Q(decision="approved"),
            ),
            models.CheckConstraint(name="rights_has_reason", condition=~Q(reason="")),
            models.UniqueConstraint(
                name="rights_open_once",
                fields=["account", "growth", "role"],
                condition=Q(decision__isnull=True),
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        """Return which request it is."""
        return f"change of rights {self.pk}"


class RightsSeal(models.Model):
    """The one row after which rights grow by two people only; it stays for ever."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    sealed_at = models.DateTimeField()

    class Meta:
        """One row at most."""

        db_table = "verification_rights_seal"
        verbose_name = _("seal of rights")
        verbose_name_plural = _("seals of rights")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="rights_seal_once", condition=Q(id=1)),
        ]

    def __str__(self) -> str:
        """Return since when."""
        return f"sealed at {self.sealed_at:%Y-%m-%d %H:%M}"
