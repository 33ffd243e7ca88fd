"""Attempts: one row for each try to verify one person with one biz_token."""

from typing import TYPE_CHECKING, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length
from django.utils.translation import gettext_lazy as _

from verification.faceid.contract import COMPARISON_NAMES, MAX_REQUEST_BYTES, THRESHOLD_NAMES
from verification.lifecycle import OPEN, SETTLED, State
from verification.models.client import ApiClient
from verification.models.fields import ExactDecimalField, ExactJSONField
from verification.models.session import VerificationSession
from verification.outcomes import Outcome
from verification.policy.terms import Verdict

if TYPE_CHECKING:
    from verification.models.evidence import Evidence

models.BinaryField.register_lookup(Length)

SHA256_BYTES = 32

FIXED_COLUMNS = frozenset(
    {
        "id",
        "client_id",
        "session_id",
        "region",
        "token_digest",
        "idempotency_key",
        "packet_sha256",
        "packet_size_bytes",
        "created_at",
        "biz_no",
        "subject",
        "commitment_key",
    }
)
"""Columns of an attempt that are written when it is accepted, and never again."""


def threshold_column(reference: str, error_rate: str) -> str:
    """Return the column of a reference's threshold: `ref1`, `1e-3` -> `ref1_threshold_1e3`."""
    return f"{reference}_threshold_{error_rate.replace('-', '')}"


ERASED_COLUMNS = (
    "commitment_key",
    *("biz_no", "subject", "idempotency_key", "request_id", "error_argument", "result_message"),
    *("attack_score", "attack_threshold"),
    *(f"{each}_confidence" for each in COMPARISON_NAMES),
    *(threshold_column(each, rate) for each in COMPARISON_NAMES for rate in THRESHOLD_NAMES),
    *("device_level", "device_tags", "verify_tags", "visual_attributes", "unknown_fields"),
)
"""Columns that tell of the person, and the key that proves what they told: empty for ever once the
record is erased. A closing reason becomes an empty text."""


def _scores_in_range() -> models.CheckConstraint:
    """Bound every score; one constraint, because PostgreSQL reads each at every write."""
    tops = dict.fromkeys(("attack_score", "attack_threshold"), 1)
    for reference in COMPARISON_NAMES:
        columns = [f"{reference}_confidence"]
        columns += [threshold_column(reference, rate) for rate in THRESHOLD_NAMES]
        tops |= dict.fromkeys(columns, 100)
    condition = Q()
    for column, top in tops.items():
        # An absent score passes: a CHECK fails on false only, and null is not false.
        condition &= Q(**{f"{column}__gte": 0, f"{column}__lte": top})
    return models.CheckConstraint(name="attempt_scores_in_range", condition=condition)


class VerificationAttempt(models.Model):
    """The lasting record of one attempt: what came in, what was sent, what was answered.

    Texts of the vendor stand here bounded and with control characters made visible; the exact
    bytes are in the evidence. Scores keep the vendor's digits. The packet itself is never kept.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    client = models.ForeignKey(
        ApiClient, on_delete=models.PROTECT, related_name="attempts", db_index=False
    )
    session = models.ForeignKey(
        VerificationSession, on_delete=models.PROTECT, null=True, related_name="attempts"
    )
    region = models.CharField(max_length=16)
    token_digest = models.BinaryField()
    idempotency_key = models.CharField(max_length=255, null=True)
    packet_sha256 = models.BinaryField()
    packet_size_bytes = models.PositiveIntegerField()
    # Gone with the texts that it proves, when a record is erased.
    commitment_key = models.BinaryField(null=True)

    state = models.CharField(
        max_length=10, choices=[(each.value, each.value.replace("_", " ")) for each in State]
    )
    send_no = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    reconciled_at = models.DateTimeField(null=True)
    closing_reason = models.CharField(max_length=500, null=True)

    biz_no = models.CharField(max_length=512, null=True)
    subject = models.CharField(max_length=128, null=True)
    request_id = models.CharField(max_length=200, null=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    time_used_ms = models.BigIntegerField(null=True)
    error_code = models.CharField(max_length=200, null=True)
    error_argument = models.CharField(max_length=1000, null=True)

    result_code = models.IntegerField(null=True)
    result_message = models.CharField(max_length=1000, null=True)
    outcome = models.CharField(
        max_length=16,
        null=True,
        choices=[(each.value, each.value.replace("_", " ")) for each in Outcome],
    )
    billable = models.BooleanField(null=True)

    attack_score = ExactDecimalField(null=True)
    attack_threshold = ExactDecimalField(null=True)
    is_attack = models.BooleanField(null=True)
    ref1_confidence = ExactDecimalField(null=True)
    ref1_threshold_1e3 = ExactDecimalField(null=True)
    ref1_threshold_1e4 = ExactDecimalField(null=True)
    ref1_threshold_1e5 = ExactDecimalField(null=True)
    ref1_threshold_1e6 = ExactDecimalField(null=True)
    ref2_confidence = ExactDecimalField(null=True)
    ref2_threshold_1e3 = ExactDecimalField(null=True)
    ref2_threshold_1e4 = ExactDecimalField(null=True)
    ref2_threshold_1e5 = ExactDecimalField(null=True)
    ref2_threshold_1e6 = ExactDecimalField(null=True)
    idcard_confidence = ExactDecimalField(null=True)
    idcard_threshold_1e3 = ExactDecimalField(null=True)
    idcard_threshold_1e4 = ExactDecimalField(null=True)
    idcard_threshold_1e5 = ExactDecimalField(null=True)
    idcard_threshold_1e6 = ExactDecimalField(null=True)

    device_level = models.CharField(max_length=100, null=True)
    device_tags = ExactJSONField(null=True)
    verify_tags = ExactJSONField(null=True)
    visual_attributes = ExactJSONField(null=True)
    unknown_fields = ExactJSONField(null=True)

    # No foreign key: every settlement would lock the one row that is in force.
    policy_version = models.PositiveIntegerField(null=True)
    verdict = models.CharField(
        max_length=8, null=True, choices=[(each.value, each.value) for each in Verdict]
    )
    reasons = ArrayField(models.CharField(max_length=30), null=True)
    subject_failures = models.PositiveSmallIntegerField(null=True)
    biz_no_failures = models.PositiveSmallIntegerField(null=True)

    if TYPE_CHECKING:
        shown_evidence: list["Evidence"]
        """Set by what loads an attempt to be shown: its evidence without the sealed bytes."""

    class Meta:
        """Newest first; the constraints are the last belt under the services."""

        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        db_table = "verification_attempt"
        ordering = ("-created_at", "-id")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(name="attempt_token_once", fields=["client", "token_digest"]),
            models.UniqueConstraint(
                name="attempt_idempotency_key_once", fields=["client", "idempotency_key"]
            ),
            models.CheckConstraint(
                name="attempt_state_known", condition=Q(state__in=[each.value for each in State])
            ),
            models.CheckConstraint(
                name="attempt_outcome_known",
                condition=Q(outcome__isnull=True) | Q(outcome__in=[o.value for o in Outcome]),
            ),
            models.CheckConstraint(
                name="attempt_answered_has_result",
                condition=Q(state="answered", result_code__isnull=False, outcome__isnull=False)
                | (~Q(state="answered") & Q(result_code__isnull=True, outcome__isnull=True)),
            ),
            models.CheckConstraint(
                name="attempt_settled_has_time",
                condition=Q(state__in=sorted(SETTLED), settled_at__isnull=False)
                | (~Q(state__in=sorted(SETTLED)) & Q(settled_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="attempt_closed_has_reason",
                condition=Q(state="closed", closing_reason__isnull=False)
                | (~Q(state="closed") & Q(closing_reason__isnull=True)),
            ),
            models.CheckConstraint(
                name="attempt_sending_has_deadline",
                condition=~Q(state="sending")
                | Q(send_no__gte=1, sent_at__isnull=False, deadline_at__isnull=False),
            ),
            models.CheckConstraint(
                name="attempt_judged_whole",
                condition=Q(policy_version__isnull=True, verdict__isnull=True, reasons__isnull=True)
                | Q(
                    policy_version__isnull=False,
                    verdict__in=[each.value for each in Verdict],
                    reasons__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="attempt_digest_lengths",
                condition=Q(
                    token_digest__length=SHA256_BYTES,
                    packet_sha256__length=SHA256_BYTES,
                    commitment_key__length=SHA256_BYTES,
                ),
            ),
            models.CheckConstraint(
                name="attempt_packet_size",
                condition=Q(packet_size_bytes__gte=1, packet_size_bytes__lte=MAX_REQUEST_BYTES),
            ),
            _scores_in_range(),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(name="attempt_created", fields=["created_at", "id"]),
            models.Index(name="attempt_state_created", fields=["state", "created_at", "id"]),
            models.Index(name="attempt_outcome_created", fields=["outcome", "created_at", "id"]),
            models.Index(name="attempt_client_created", fields=["client", "created_at", "id"]),
            models.Index(name="attempt_biz_no", fields=["biz_no"]),
            models.Index(name="attempt_subject", fields=["subject"]),
            models.Index(name="attempt_request_id", fields=["request_id"]),
            models.Index(
                name="attempt_open", fields=["created_at"], condition=Q(state__in=sorted(OPEN))
            ),
            models.Index(
                name="attempt_attack", fields=["created_at", "id"], condition=Q(is_attack=True)
            ),
            # What a month cost is read by the time of sending.
            models.Index(
                name="attempt_sent", fields=["sent_at"], condition=Q(sent_at__isnull=False)
            ),
            # Few attempts have an error.
            models.Index(
                name="attempt_error",
                fields=["error_code", "created_at", "id"],
                condition=Q(error_code__isnull=False),
            ),
            # Nearly every attempt is approved: this serves the others.
            models.Index(
                name="attempt_verdict",
                fields=["verdict", "created_at", "id"],
                condition=Q(verdict__in=["rejected", "retry", "review"]),
            ),
            # What a submission counts: the earlier failures of its subject and business number.
            *(
                models.Index(
                    name=f"attempt_failed_{same}",
                    fields=["client", same, "settled_at"],
                    condition=Q(outcome__in=["different_person", "liveness_failed"]),
                )
                for same in ("subject", "biz_no")
            ),
            # One region holds nearly every row: this serves the others, and the empty ones.
            models.Index(name="attempt_region", fields=["region"]),
        ]

    def __str__(self) -> str:
        """Return the business number, or the id where none was given."""
        return self.biz_no or str(self.id)
