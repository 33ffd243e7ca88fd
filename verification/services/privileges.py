"""What the web and the worker process may do in the database: tables, and no SQL.

Both read every record. What they may write is named here, table by table, and columns where a row
changes in steps; nobody but the owner deletes a record, or makes or alters a table.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model

from verification.models import VerificationAttempt
from verification.models.attempt import ERASED_COLUMNS, FIXED_COLUMNS

Columns = tuple[str, ...] | None
Privileges = Mapping[str, Columns]
"""Privilege -> the columns it is limited to, None for all."""


class Kind(StrEnum):
    """Which process a role is for."""

    WEB = "web"
    WORKER = "worker"


ATTEMPT_STEPS = tuple(
    field.column
    for field in VerificationAttempt._meta.concrete_fields  # noqa: SLF001 - Django's documented API
    if field.column and field.column not in FIXED_COLUMNS
)
ERASED_ONLY = tuple(each for each in ERASED_COLUMNS if each not in ATTEMPT_STEPS)

REVIEW_STEPS = (
    "needs_second", "state", "round", "priority", "due_at", "assignee_id", "snoozed_until",
    "leased_by_id", "leased_until", "decision", "reason_code", "proposed_by_id", "proposed_at",
    "decided_by_id", "decided_at", "glass_broken",
)  # fmt: skip
REPLAY_STEPS = (
    "state", "started_at", "finished_at", "total", "done", "position_at", "position_id", "result",
)  # fmt: skip
ERASURE_DECISION = ("decision", "decided_by_id", "decided_at")
RUN_DECISIONS = ("state", "decided_by_id", "decided_at", "finished_at", "finished_by_id")
RUN_STEPS = (
    "state", "started_at", "finished_at", "seen", "expired", "held", "doubtful",
    "position_id",
)  # fmt: skip
RIGHTS_STEPS = (
    "decision", "decided_by_id", "decided_at", "glass_broken", "glass_reviewed_by_id",
    "glass_reviewed_at", "applied_at",
)  # fmt: skip
FACTOR_STEPS = (
    "confirmed", "confirmed_at", "last_step", "throttling_failure_timestamp",
    "throttling_failure_count",
)  # fmt: skip
JOB_STEPS = (
    "state", "problem", "tries", "leased_until", "started_at", "finished_at", "expires_at",
    "total", "done", "rows", "position", "size_bytes", "sha256", "delivered_to",
)  # fmt: skip
POLICY_STEPS = ("state", "decided_by_id", "decided_at", "decision_note", "retired_at")

INSERT: Privileges = MappingProxyType({"INSERT": None})
# Not its number: one that is in the log already would hold the sequencer up for ever.
STAGE: Privileges = MappingProxyType({"INSERT": ("raw", "staged_at")})

OWN: Mapping[Kind, Mapping[str, Privileges]] = MappingProxyType(
    {
        Kind.WEB: {
            "verification_attempt": {"INSERT": None, "UPDATE": ATTEMPT_STEPS},
            "verification_session": INSERT,
            "verification_evidence": INSERT,
            "verification_evidence_key": {"INSERT": None, "UPDATE": ("sealed", "erased_at")},
            "verification_spent_sign": INSERT,
            "verification_ledger_stage": STAGE,
            "verification_reveal": INSERT,
            "verification_subject_report": INSERT,
            "verification_subject_erasure": {"INSERT": None, "UPDATE": ERASURE_DECISION},
            "verification_subject_erasure_item": INSERT,
            "verification_control_run": INSERT,
            "verification_control_result": INSERT,
            "verification_erasure": {"INSERT": None, "UPDATE": ERASURE_DECISION},
            "verification_review": {"INSERT": None, "UPDATE": REVIEW_STEPS},
            "verification_review_step": INSERT,
            "verification_mention": {"INSERT": None, "UPDATE": ("seen_at",)},
            "verification_review_policy": {"INSERT": None, "UPDATE": POLICY_STEPS},
            "verification_policy_replay": {"INSERT": None, "UPDATE": ("state", "finished_at")},
            "verification_rights_change": {"INSERT": None, "UPDATE": RIGHTS_STEPS},
            "verification_price": INSERT,
            "verification_retention_rule": INSERT,
            "verification_retention_run": {"INSERT": None, "UPDATE": RUN_DECISIONS},
            "verification_legal_hold": {
                "INSERT": None,
                "UPDATE": ("lift_reason", "lifted_by_id", "lifted_at"),
            },
            "verification_export": INSERT,
            "verification_past": INSERT,
            "verification_export_request": {
                "INSERT": None,
                "UPDATE": (
                    "decision",
                    "decided_by_id",
                    "decided_at",
                    "expires_at",
                    "ended_by_id",
                    "ended_at",
                ),
            },
            "verification_export_job": {
                "INSERT": None,
                "UPDATE": ("state", "finished_at", "seen_at"),
            },
            "verification_saved_filter": {"INSERT": None, "UPDATE": None, "DELETE": None},
            "verification_preference": {"INSERT": None, "UPDATE": None},
            "verification_second_factor": {"INSERT": None, "UPDATE": FACTOR_STEPS, "DELETE": None},
            "verification_recovery_code": {"INSERT": None, "UPDATE": ("used_at",), "DELETE": None},
            "verification_login_try": {"INSERT": None, "UPDATE": None, "DELETE": None},
            "verification_login_minute": {"INSERT": None, "UPDATE": ("refused",)},
        },
        Kind.WORKER: {
            # Texts whose time is over: the guards let nothing else pass.
            "verification_attempt": {"UPDATE": (*ATTEMPT_STEPS, *ERASED_ONLY)},
            "verification_session": {"UPDATE": ("biz_no", "subject", "options", "request_id")},
            "verification_past": {"INSERT": None, "UPDATE": ("said",)},
            "verification_review_step": {"UPDATE": ("note",)},
            "verification_record_erasure": INSERT,
            "verification_saved_filter": {"DELETE": None},
            "verification_evidence": INSERT,
            "verification_evidence_key": {
                "INSERT": None,
                "UPDATE": ("kek_id", "sealed", "erased_at"),
            },
            "verification_expiry": INSERT,
            # An erasure for a person is an erasure of each attempt, in the names of two people.
            "verification_erasure": {"INSERT": None, "UPDATE": ERASURE_DECISION},
            "verification_subject_erasure": {"UPDATE": ("finished_at",)},
            "verification_subject_erasure_item": {
                "UPDATE": ("outcome", "done_at", "evidence_erasure_id"),
            },
            "verification_retention_run": {"UPDATE": RUN_STEPS},
            "verification_api_key": {"UPDATE": ("kek_id", "secret_sealed")},
            "verification_ledger_stage": {**STAGE, "DELETE": None},
            "verification_ledger_entry": INSERT,
            "verification_ledger_node": INSERT,
            "verification_ledger_checkpoint": INSERT,
            "verification_ledger_cosignature": INSERT,
            "verification_ledger_verification": INSERT,
            "verification_control_run": INSERT,
            "verification_control_result": INSERT,
            "verification_review": {"INSERT": None, "UPDATE": ("needs_second",)},
            "verification_policy_replay": {"UPDATE": REPLAY_STEPS},
            "verification_export": INSERT,
            "verification_export_job": {"INSERT": None, "UPDATE": JOB_STEPS},
            "verification_second_factor": {"UPDATE": ("kek_id", "sealed")},
            "verification_login_try": {"DELETE": None},
            "verification_login_minute": {"DELETE": None},
            "verification_rollup_minute": {"INSERT": None, "DELETE": None},
            "verification_rollup": {"INSERT": None, "DELETE": None},
            "verification_rollup_day": {"INSERT": None, "DELETE": None},
            "verification_rollup_review_day": {"INSERT": None, "DELETE": None},
            "verification_rollup_handling_day": {"INSERT": None, "DELETE": None},
            "verification_rollup_position": {"INSERT": None, "UPDATE": None},
        },
    }
)
"""What each may do to our tables, beside reading all of them."""

READ: Privileges = MappingProxyType({"SELECT": None})
APPEND: Privileges = MappingProxyType({**READ, **INSERT})
CHANGE: Privileges = MappingProxyType({**APPEND, "UPDATE": None, "DELETE": None})


def privileges(kind: Kind) -> Mapping[str, Privileges]:
    """Return what a kind of process may do, by table; what is not named, it may not."""
    own = {each: {**READ, **OWN[kind].get(each, {})} for each in _tables_of("verification")}
    return {**own, **(_others_of_web() if kind is Kind.WEB else _others_of_worker())}


def _others_of_web() -> Mapping[str, Privileges]:
    """Staff and their logins, which are of the installed apps."""
    return {
        **dict.fromkeys(_registers_of_staff(), CHANGE),
        **dict.fromkeys(_installed("sessions.Session"), CHANGE),
        **dict.fromkeys(_installed("admin.LogEntry"), APPEND),
        **dict.fromkeys(_installed("contenttypes.ContentType", "auth.Permission"), READ),
        _table(MigrationRecorder.Migration): READ,
    }


def _others_of_worker() -> Mapping[str, Privileges]:
    """Its queue; staff, because the verification holds them against the log."""
    return {
        **dict.fromkeys(_tables_of("procrastinate"), CHANGE),
        **dict.fromkeys(_registers_of_staff(), READ),
        **dict.fromkeys(_installed("contenttypes.ContentType", "auth.Permission"), READ),
        _table(MigrationRecorder.Migration): READ,
    }


def _registers_of_staff() -> Iterator[str]:
    user = get_user_model()
    links = (user.groups.through, user.user_permissions.through, Group.permissions.through)
    yield from (_table(each) for each in (user, Group))
    yield from (_table(each) for each in links)


def _tables_of(app_label: str) -> Iterator[str]:
    return map(_table, apps.get_app_config(app_label).get_models())


def _installed(*labels: str) -> Iterator[str]:
    """Yield the tables of those models whose app is installed: a host may do without."""
    for label in labels:
        app_label, _, name = label.partition(".")
        if app_label in apps.app_configs:
            yield _table(apps.get_model(app_label, name))


def _table(model: type[Model]) -> str:
    return model._meta.db_table  # noqa: SLF001 - Django's documented API
