"""Checks of controls: records against the entries that tell of them, and keys of evidence."""

from dataclasses import asdict

from verification.controls.results import CheckResult, judged
from verification.models import EvidenceKey
from verification.selectors.controls import (
    Matched,
    attempts_and_entries,
    erasures_and_keys,
    exports_and_entries,
    reveals_and_entries,
)
from verification.services.runtime import Runtime
from verification.services.sealing import key_opens
from verification.services.self_check import check_keyring, check_stored_keys

SAMPLE = 20


def check_records_kept(_runtime: Runtime) -> CheckResult:
    """Match attempts and their acceptance."""
    found = attempts_and_entries()
    return judged(
        fault=_unmatched("attempts", found),
        held="Each accepted attempt has its row and its entry.",
        evidence={**_counted(found), "oldest": found.oldest},
    )


def check_reveals_on_record(_runtime: Runtime) -> CheckResult:
    """Match reveals and their entries."""
    found = reveals_and_entries()
    return judged(
        fault=_unmatched("reveals", found),
        held="Each reveal has its row and its entry.",
        evidence=_counted(found),
    )


def check_exports_on_record(_runtime: Runtime) -> CheckResult:
    """Look for the entry of each export that staff took."""
    found = exports_and_entries()
    return judged(
        fault=_unmatched("exports", found),
        held="Each export that staff took has its entry.",
        evidence=_counted(found),
    )


def check_erasures_done(_runtime: Runtime) -> CheckResult:
    """Match approved erasures and runs, and destroyed keys."""
    found = erasures_and_keys()
    fault = ""
    if found.without_approval:
        fault = f"Keys of evidence destroyed without an approval: {found.without_approval}."
    elif found.not_done:
        fault = f"Erasures that were approved and not carried out: {found.not_done}."
    return judged(
        fault=fault,
        held="Approved erasures are carried out, and nothing else was erased.",
        evidence=asdict(found),
    )


def check_evidence_keys(runtime: Runtime) -> CheckResult:
    """Try the keyring, on probes and on the newest keys that are stored."""
    keyring = runtime.conf.keyring
    sample = EvidenceKey.objects.filter(erased_at=None).order_by("-created_at", "-pk")[:SAMPLE]
    opened = [key_opens(each, keyring) for each in sample]
    found = [*check_keyring(keyring), *check_stored_keys(keyring)]
    if not all(opened):
        found.append(f"Evidence keys of a sample that do not open: {opened.count(False)}.")
    return judged(
        fault=found[0] if found else "",
        held="The keyring opens what is stored.",
        evidence={"sample": len(opened), "opened": opened.count(True), "sentences": found},
    )


def _counted(found: Matched) -> dict[str, int]:
    return {
        "rows": found.rows,
        "entries": found.entries,
        "entries_without_row": found.gone,
        "rows_without_entry": found.untold,
    }


def _unmatched(what: str, found: Matched) -> str:
    if found.gone:
        return f"The log tells of {found.gone} {what} that are not in the database."
    if found.untold:
        return f"The database has {found.untold} {what} that the log does not tell of."
    return ""
