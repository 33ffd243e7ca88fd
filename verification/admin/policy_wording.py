"""The words of a policy for people: outcomes, verdicts, reasons, states of versions."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from verification.admin.fragments import plain
from verification.lifecycle import State
from verification.models.policy import PolicyState, ReplayState
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Priority, Reason, Verdict

Text = str | Promise

ENDINGS: Mapping[Outcome | State, Text] = MappingProxyType(
    {
        Outcome.VERIFIED: _("Verified: a live person, the same as the reference"),
        Outcome.DIFFERENT_PERSON: _("Different person: live, but not the same"),
        Outcome.LIVENESS_FAILED: _("Liveness failed: no proof of a live person"),
        Outcome.NOT_COMPLETED: _("Not completed: the check was broken off"),
        Outcome.SOURCE_FAILED: _("Source failed: the lookup did not succeed"),
        Outcome.UNRECOGNISED: _("Unrecognised: a code that is not interpreted"),
        State.REJECTED: _("FaceID refused the request"),
        State.IN_DOUBT: _("In doubt: no usable answer came"),
    }
)
"""Where an attempt can end, in the order of a policy's page."""

VERDICTS: Mapping[Verdict, Text] = MappingProxyType(
    {
        Verdict.APPROVED: _("approved"),
        Verdict.REJECTED: _("rejected"),
        Verdict.RETRY: _("another try"),
        Verdict.REVIEW: _("people decide"),
    }
)
UNJUDGED: Text = _("not judged")
DECISIONS: Mapping[Decision, Text] = MappingProxyType(
    {each: VERDICTS[Verdict(each)] for each in Decision}
)
PRIORITIES: Mapping[Priority, Text] = MappingProxyType(
    {
        Priority.URGENT: _("urgent"),
        Priority.HIGH: _("high"),
        Priority.NORMAL: _("normal"),
    }
)
REASONS: Mapping[Reason, Text] = MappingProxyType(
    {
        Reason.DIFFERENT_PERSON: _("Different person"),
        Reason.LIVENESS_FAILED: _("Liveness failed"),
        Reason.NOT_COMPLETED: _("Not completed"),
        Reason.SOURCE_FAILED: _("Source failed"),
        Reason.UNRECOGNISED: _("Unrecognised answer"),
        Reason.REFUSED: _("Refused by FaceID"),
        Reason.IN_DOUBT: _("In doubt"),
        Reason.ATTACK_BESIDE_COMPARISON: _("Attack suspected beside a comparison"),
        Reason.BELOW_THRESHOLD: _("Verified below the threshold"),
        Reason.NEAR_THRESHOLD: _("Near the threshold"),
        Reason.DEVICE_TAG: _("Device tag raised"),
        Reason.DEVICE_LEVEL: _("Device level listed"),
        Reason.VERIFY_TAG: _("Verification tag raised"),
        Reason.SUBJECT_FAILURES: _("Repeated failures of the subject"),
        Reason.BIZ_NO_FAILURES: _("Repeated failures of the business number"),
        Reason.UNREAD_RISK: _("Risk figures that cannot be read"),
    }
)
ERROR_RATES: Mapping[str, Text] = MappingProxyType(
    {
        "1e-3": _("1 in 1,000"),
        "1e-4": _("1 in 10,000"),
        "1e-5": _("1 in 100,000"),
        "1e-6": _("1 in 1,000,000"),
    }
)
STATES: Mapping[str, tuple[Text, str, str]] = MappingProxyType(
    {
        PolicyState.PROPOSED: (_("Proposed"), "doubt", "clock"),
        PolicyState.ACTIVE: (_("In force"), "good", "check"),
        PolicyState.RETIRED: (_("Retired"), "quiet", "dash"),
        PolicyState.REFUSED: (_("Refused"), "bad", "cross"),
        PolicyState.WITHDRAWN: (_("Withdrawn"), "quiet", "dash"),
        ReplayState.ASKED: (_("Waits for the worker"), "busy", "clock"),
        ReplayState.RUNNING: (_("Running"), "busy", "clock"),
        ReplayState.DONE: (_("Done"), "good", "check"),
        ReplayState.CANCELLED: (_("Cancelled"), "quiet", "dash"),
        ReplayState.FAILED: (_("Failed"), "bad", "cross"),
    }
)
"""What each state of a version or of a what-if is called, with tone and symbol of its pill."""

CODE_LABELS = frozenset(
    {
        gettext_noop("Same person"),
        gettext_noop("Risk explained"),
        gettext_noop("Another person"),
        gettext_noop("Presentation attack"),
        gettext_noop("Device not trusted"),
        gettext_noop("Poor capture"),
        gettext_noop("Answer lost"),
        gettext_noop("Other: see the note"),
    }
)
"""Labels of the built-in policy's reason codes; those of others are shown as they were written."""


def code_name(label: str) -> str:
    """Return the label of a reason code in the reader's language, as far as we know it."""
    return gettext(label) if label in CODE_LABELS else plain(label)
