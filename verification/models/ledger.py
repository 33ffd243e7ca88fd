"""The log of everything that matters: entries, the tree over them, and its checkpoints.

The bytes and the hashes are those of docs/formats/. Nothing in these tables is ever updated or
deleted, but for the stage, from which a row goes when its entry stands in the log.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Length, Now
from django.utils.translation import gettext_lazy as _

models.BinaryField.register_lookup(Length)

HASH_BYTES = 32


class StagedEntry(models.Model):
    """An entry whose business transaction has committed, and which has no index yet."""

    no = models.BigAutoField(primary_key=True)
    raw = models.BinaryField()
    staged_at = models.DateTimeField(db_default=Now())

    class Meta:
        """Taken in the order of `no`."""

        verbose_name = _("staged entry")
        verbose_name_plural = _("staged entries")
        db_table = "verification_ledger_stage"
        ordering = ("no",)

    def __str__(self) -> str:
        """Return its number."""
        return f"staged entry {self.no}"


class LedgerEntry(models.Model):
    """One entry of the log. `kind` and `attempt_id` repeat what stands in `raw`, to be found by."""

    index = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=40)
    attempt_id = models.UUIDField(null=True)
    raw = models.BinaryField()
    leaf_hash = models.BinaryField()
    staged_no = models.BigIntegerField(unique=True, null=True)
    sequenced_at = models.DateTimeField()

    class Meta:
        """Found by attempt and by kind."""

        verbose_name = _("log entry")
        verbose_name_plural = _("log entries")
        db_table = "verification_ledger_entry"
        ordering = ("-index",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="ledger_entry_hash_length", condition=Q(leaf_hash__length=HASH_BYTES)
            ),
            models.CheckConstraint(name="ledger_entry_index", condition=Q(index__gte=0)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                name="ledger_entry_attempt",
                fields=["attempt_id", "index"],
                condition=Q(attempt_id__isnull=False),
            ),
            models.Index(name="ledger_entry_kind", fields=["kind", "index"]),
            models.Index(
                name="ledger_entry_staff",
                fields=["index"],
                condition=Q(kind__startswith="staff."),
            ),
        ]

    def __str__(self) -> str:
        """Return where it stands and what it is."""
        return f"entry {self.index}: {self.kind}"


class LedgerNode(models.Model):
    """The hash of a complete subtree of level 1 or higher; level 0 stands with the entries."""

    pk = models.CompositePrimaryKey("level", "index")
    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        """One hash for each place."""

        verbose_name = _("ledger node")
        verbose_name_plural = _("ledger nodes")
        db_table = "verification_ledger_node"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="ledger_node_hash_length",
                condition=Q(hash__length=HASH_BYTES, level__gte=1, index__gte=0),
            ),
        ]

    def __str__(self) -> str:
        """Return its place."""
        return f"node {self.level}/{self.index}"


class LedgerCheckpoint(models.Model):
    """A signed statement of the log's size and root; `note` is what is published."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.BinaryField()
    made_at = models.DateTimeField()

    class Meta:
        """One for each size."""

        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        db_table = "verification_ledger_checkpoint"
        ordering = ("-size",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="ledger_checkpoint_root_length", condition=Q(root__length=HASH_BYTES)
            ),
        ]

    def __str__(self) -> str:
        """Return its size."""
        return f"checkpoint of size {self.size}"


class LedgerCosignature(models.Model):
    """A witness's signature line under a checkpoint."""

    checkpoint = models.ForeignKey(
        LedgerCheckpoint, on_delete=models.PROTECT, related_name="cosignatures"
    )
    witness = models.CharField(max_length=200)
    line = models.TextField()
    cosigned_at = models.DateTimeField()

    class Meta:
        """One for each witness and checkpoint."""

        verbose_name = _("ledger cosignature")
        verbose_name_plural = _("ledger cosignatures")
        db_table = "verification_ledger_cosignature"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="ledger_cosigned_once", fields=["checkpoint", "witness"]),
        ]

    def __str__(self) -> str:
        """Return whose it is."""
        return f"{self.witness} under size {self.checkpoint_id}"


class LedgerVerification(models.Model):
    """One run of the verification over log and records, and what it found first."""

    class Result(models.TextChoices):
        """How a run ended."""

        HELD = "held", "held"
        BROKEN = "broken", "broken"

    id = models.UUIDField(primary_key=True, editable=False)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    size = models.BigIntegerField()
    attempts = models.BigIntegerField()
    result = models.CharField(max_length=8, choices=Result.choices)
    finding = models.CharField(max_length=1000, null=True)

    class Meta:
        """Newest first."""

        verbose_name = _("ledger verification")
        verbose_name_plural = _("ledger verifications")
        db_table = "verification_ledger_verification"
        ordering = ("-finished_at",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="ledger_verification_says_why",
                condition=Q(result="held", finding__isnull=True)
                | Q(result="broken", finding__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        """Return the result."""
        return f"{self.result} at size {self.size}"
