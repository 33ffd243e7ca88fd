"""What kinds of entries and faults of the log mean, in words for people; their names stay codes."""

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_noop

from verification.services.faults import FaultCode

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "attempt.accepted": gettext_noop("Attempt accepted"),
        "attempt.settled": gettext_noop("Attempt settled"),
        "attempt.reconciled": gettext_noop("Attempt reconciled"),
        "evidence.kept": gettext_noop("Evidence kept"),
        "evidence.revealed": gettext_noop("Evidence revealed"),
        "evidence.reveal_refused": gettext_noop("Evidence reveal refused"),
        "evidence.erasure_requested": gettext_noop("Evidence erasure requested"),
        "evidence.erasure_refused": gettext_noop("Evidence erasure refused"),
        "evidence.erased": gettext_noop("Evidence erased"),
        "evidence.expired": gettext_noop("Evidence expired"),
        "hold.placed": gettext_noop("Legal hold placed"),
        "hold.lifted": gettext_noop("Legal hold lifted"),
        "retention.rule_set": gettext_noop("Retention rule set"),
        "retention.run_requested": gettext_noop("Retention run requested"),
        "retention.run_approved": gettext_noop("Retention run approved"),
        "retention.run_refused": gettext_noop("Retention run refused"),
        "retention.run_ended": gettext_noop("Retention run ended"),
        "review.opened": gettext_noop("Review opened"),
        "review.noted": gettext_noop("Review noted"),
        "review.assigned": gettext_noop("Review assigned"),
        "review.snoozed": gettext_noop("Review snoozed"),
        "review.prioritised": gettext_noop("Review prioritised"),
        "review.proposed": gettext_noop("Review proposed"),
        "review.returned": gettext_noop("Review returned"),
        "review.decided": gettext_noop("Review decided"),
        "review.reopened": gettext_noop("Review reopened"),
        "review.glass_broken": gettext_noop("Review glass broken"),
        "review.glass_reviewed": gettext_noop("Review glass reviewed"),
        "policy.changed": gettext_noop("Policy changed"),
        "policy.proposed": gettext_noop("Policy proposed"),
        "policy.activated": gettext_noop("Policy activated"),
        "policy.refused": gettext_noop("Policy refused"),
        "policy.withdrawn": gettext_noop("Policy withdrawn"),
        "client.changed": gettext_noop("Client changed"),
        "client.key_changed": gettext_noop("Client key changed"),
        "role.changed": gettext_noop("Role changed"),
        "rights.requested": gettext_noop("Rights requested"),
        "rights.approved": gettext_noop("Rights approved"),
        "rights.refused": gettext_noop("Rights refused"),
        "rights.withdrawn": gettext_noop("Rights withdrawn"),
        "rights.glass_broken": gettext_noop("Rights glass broken"),
        "rights.glass_reviewed": gettext_noop("Rights glass reviewed"),
        "rights.sealed": gettext_noop("Rights sealed"),
        "key.rotated": gettext_noop("Key rotated"),
        "export.created": gettext_noop("Export created"),
        "export.completed": gettext_noop("Export completed"),
        "export.taken": gettext_noop("Export handed out"),
        "export.delivered": gettext_noop("Export delivered"),
        "export.ended": gettext_noop("Scheduled export ended"),
        "export.requested": gettext_noop("Export requested"),
        "export.approved": gettext_noop("Export approved"),
        "export.refused": gettext_noop("Export refused"),
        "export.withdrawn": gettext_noop("Export withdrawn"),
        "price.set": gettext_noop("Price set"),
        "billing.reconciled": gettext_noop("Bill reconciled"),
        "staff.password_given": gettext_noop("Staff password given"),
        "staff.logged_in": gettext_noop("Staff logged in"),
        "staff.logged_out": gettext_noop("Staff logged out"),
        "staff.login_refused": gettext_noop("Staff login refused"),
        "staff.logins_refused": gettext_noop("Staff logins refused"),
        "staff.second_factor_changed": gettext_noop("Staff second factor changed"),
        "controls.checked": gettext_noop("Controls checked"),
        "controls.packed": gettext_noop("Auditor's pack taken"),
        "subject.reported": gettext_noop("Report to a person taken"),
        "subject.erasure_requested": gettext_noop("Erasure for a person requested"),
        "subject.erasure_approved": gettext_noop("Erasure for a person approved"),
        "subject.erasure_refused": gettext_noop("Erasure for a person refused"),
        "subject.erased": gettext_noop("Erasure for a person carried out"),
        "record.erased": gettext_noop("Texts of a record erased"),
        "entry.refused": gettext_noop("Entry refused"),
        "heartbeat": gettext_noop("Heartbeat"),
    }
)
"""Every kind that the service writes; the name of another one is shown as words."""

FAULTS: Mapping[FaultCode, str] = MappingProxyType(
    {
        FaultCode.TABLE: gettext_noop(
            "A table is not what it should be, so nothing else was read."
        ),
        FaultCode.LOG: gettext_noop("Entries, tree and signed checkpoints do not fit together."),
        FaultCode.ANCHOR: gettext_noop("The log is not the one of a checkpoint kept elsewhere."),
        FaultCode.LABEL: gettext_noop("Kind or attempt of an entry are not those of its text."),
        FaultCode.TIME: gettext_noop("An entry's time does not fit to the entries around it."),
        FaultCode.LEAF: gettext_noop("A stored hash is not that of its entry."),
        FaultCode.NODE: gettext_noop("Stored hashes do not lead from an entry to the signed root."),
        FaultCode.CHECKPOINT: gettext_noop("A checkpoint is not what was signed."),
        FaultCode.NO_ROW: gettext_noop("There are entries or evidence, but no attempt."),
        FaultCode.NO_ENTRY: gettext_noop("The attempt is in no entry."),
        FaultCode.ROW: gettext_noop("The record is not what was written."),
        FaultCode.STATE: gettext_noop("The state is not the one to which the entries lead."),
        FaultCode.ORDER: gettext_noop("The entries do not follow each other as they must."),
        FaultCode.EVIDENCE: gettext_noop("An item of evidence is not the one that was stored."),
        FaultCode.KEY: gettext_noop("The key of the evidence is another one than was stored."),
        FaultCode.KEY_LOST: gettext_noop("The key of the evidence does not open."),
        FaultCode.ERASURE: gettext_noop("Erasures and their entries do not fit together."),
        FaultCode.FOUR_EYES: gettext_noop("One person did what takes two."),
        FaultCode.REVEAL: gettext_noop("Reveals and their entries do not fit together."),
        FaultCode.REVIEW: gettext_noop("The review and its entries do not fit together."),
        FaultCode.REGISTER: gettext_noop("A client, key, account or right is not as the log says."),
        FaultCode.GUARD: gettext_noop(
            "A guard of the database is not as this version installs it."
        ),
    }
)
