"""What reasons, priorities, states and steps of reviews mean, in words for people."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from verification.models.review import ReviewState, StepKind
from verification.policy.terms import Priority, Reason
from verification.selectors.reviews import Relation

REASONS: Mapping[str, Promise] = MappingProxyType(
    {
        Reason.DIFFERENT_PERSON: _("Different person"),
        Reason.LIVENESS_FAILED: _("Liveness failed"),
        Reason.NOT_COMPLETED: _("Not completed"),
        Reason.SOURCE_FAILED: _("Source failed"),
        Reason.UNRECOGNISED: _("Unrecognised answer"),
        Reason.REFUSED: _("Refused by FaceID"),
        Reason.IN_DOUBT: _("In doubt"),
        Reason.ATTACK_BESIDE_COMPARISON: _("Attack beside a match"),
        Reason.BELOW_THRESHOLD: _("Below threshold"),
        Reason.NEAR_THRESHOLD: _("Near threshold"),
        Reason.DEVICE_TAG: _("Device tag"),
        Reason.DEVICE_LEVEL: _("Device level"),
        Reason.VERIFY_TAG: _("Verification tag"),
        Reason.SUBJECT_FAILURES: _("Subject failed before"),
        Reason.BIZ_NO_FAILURES: _("Business number failed before"),
        Reason.UNREAD_RISK: _("Risk not read"),
    }
)
"""What a pill says."""

SENTENCES: Mapping[str, Promise] = MappingProxyType(
    {
        Reason.DIFFERENT_PERSON: _(
            "A live person, but not the same person as at least one reference."
        ),
        Reason.LIVENESS_FAILED: _(
            "There is no proof that a live person was in front of the camera."
        ),
        Reason.NOT_COMPLETED: _("The check was not completed, so nothing is known."),
        Reason.SOURCE_FAILED: _("The lookup at the data source did not succeed."),
        Reason.UNRECOGNISED: _("FaceID answered with a code that is not interpreted."),
        Reason.REFUSED: _("FaceID refused the request. Nobody was checked."),
        Reason.IN_DOUBT: _("The attempt left for FaceID, and no usable answer came back."),
        Reason.ATTACK_BESIDE_COMPARISON: _(
            "A presentation attack was suspected beside a comparison. "
            "The comparison alone is not proof of a live person."
        ),
        Reason.BELOW_THRESHOLD: _(
            "FaceID says the same person, but a confidence is below the threshold at "
            "%(threshold)s of the same answer."
        ),
        Reason.NEAR_THRESHOLD: _(
            "A confidence is within %(margin)s points of the threshold at %(threshold)s of the "
            "same answer."
        ),
        Reason.DEVICE_TAG: _("FaceID raised a device tag that the policy looks at."),
        Reason.DEVICE_LEVEL: _(
            "FaceID gave a device level that the policy looks at. The contract gives no scale."
        ),
        Reason.VERIFY_TAG: _(
            "FaceID raised a verification tag that the policy looks at. "
            "No document gives its meaning."
        ),
        Reason.SUBJECT_FAILURES: _(
            "This subject failed %(subject_failures)s times in the %(hours)s hours before."
        ),
        Reason.BIZ_NO_FAILURES: _(
            "This business number failed %(biz_no_failures)s times in the %(hours)s hours before."
        ),
        Reason.UNREAD_RISK: _(
            "The answer holds risk figures in a shape that the contract does not know."
        ),
    }
)  # fmt: skip
"""Why an attempt is here; the figures are those of its own policy version."""

PRIORITIES: Mapping[int, tuple[Promise, str, str]] = MappingProxyType(
    {
        Priority.URGENT: (_("Urgent"), "bad", "triangle"),
        Priority.HIGH: (_("High"), "warn", "triangle"),
        Priority.NORMAL: (_("Normal"), "plain", "dot"),
    }
)
STATES: Mapping[str, tuple[Promise, str, str]] = MappingProxyType(
    {
        ReviewState.OPEN: (_("Open"), "busy", "clock"),
        ReviewState.PROPOSED: (_("Waits for a second person"), "doubt", "question"),
        ReviewState.DECIDED: (_("Decided"), "good", "check"),
    }
)
STEPS: Mapping[str, Promise] = MappingProxyType(
    {
        StepKind.OPENED: _("Review opened over the policy's decision"),
        StepKind.NOTED: _("Note"),
        StepKind.ASSIGNED: _("Assigned"),
        StepKind.SNOOZED: _("Snoozed"),
        StepKind.PRIORITISED: _("Priority changed"),
        StepKind.PROPOSED: _("Decision proposed"),
        StepKind.RETURNED: _("Proposal returned"),
        StepKind.DECIDED: _("Decided"),
        StepKind.REOPENED: _("Reopened"),
        StepKind.GLASS_BROKEN: _("Decided alone by breaking the glass"),
        StepKind.GLASS_REVIEWED: _("Break-glass reviewed"),
    }
)
RELATIONS: Mapping[Relation, Promise] = MappingProxyType(
    {
        Relation.SUBJECT: _("Same subject"),
        Relation.BIZ_NO: _("Same business number"),
        Relation.DEVICE: _("Same device tags, same client, within 24 hours"),
        Relation.IMAGE: _("Same image, to the byte"),
    }
)
