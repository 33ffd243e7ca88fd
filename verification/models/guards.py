"""The triggers that keep records as they were written; their code is in the migrations.

All are ENABLE ALWAYS, so that `session_replication_role` does not switch them off. The owner of a
table still can; the system check says so, and `ledger_verify` finds what was done meanwhile.
"""

from collections.abc import Mapping
from types import MappingProxyType

KEPT = (
    "verification_ledger_entry",
    "verification_ledger_node",
    "verification_ledger_checkpoint",
    "verification_ledger_cosignature",
    "verification_ledger_verification",
    "verification_reveal",
    "verification_session",
    "verification_evidence",
    "verification_spent_sign",
    "verification_review_step",
    "verification_rights_seal",
    "verification_past",
    "verification_price",
    "verification_control_run",
    "verification_control_result",
    "verification_subject_report",
    "verification_retention_rule",
    "verification_expiry",
    "verification_record_erasure",
)
"""Tables whose rows are inserted and never touched again, but for texts whose time is over."""

STEPPING = (
    "verification_attempt",
    "verification_evidence_key",
    "verification_erasure",
    "verification_client",
    "verification_api_key",
    "verification_review",
    "verification_review_policy",
    "verification_rights_change",
    "verification_export_request",
    "verification_export",
    "verification_export_job",
    "verification_legal_hold",
    "verification_retention_run",
    "verification_subject_erasure",
    "verification_subject_erasure_item",
)
"""Tables whose rows change in known steps, each column written once."""


def truncate_guard(table: str) -> str:
    """Return the name of the trigger that refuses TRUNCATE."""
    return f"{table}_guard_truncate"


def rows_guard(table: str) -> str:
    """Return the name of the trigger that watches over rows."""
    return f"{table}_guard_rows"


GUARDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{each: (rows_guard(each), truncate_guard(each)) for each in (*KEPT, *STEPPING)},
        "verification_ledger_stage": (
            rows_guard("verification_ledger_stage"),
            "verification_ledger_stage_guard_leaving",
            truncate_guard("verification_ledger_stage"),
        ),
        "verification_review_step": (
            rows_guard("verification_review_step"),
            "verification_review_step_guard_taken",
            truncate_guard("verification_review_step"),
        ),
        "verification_review_policy": (
            rows_guard("verification_review_policy"),
            "verification_review_policy_guard_in_force",
            truncate_guard("verification_review_policy"),
        ),
        **{
            each: (rows_guard(each), f"{each}_guard_past", truncate_guard(each))
            for each in ("verification_attempt", "verification_review")
        },
    }
)
"""Each guarded table and the triggers that must be there."""
