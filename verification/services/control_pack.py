"""The auditor's pack: one ZIP with the matrix, what was found, and what it takes to check us.

It is on record before it is made. Of the persons who were verified it holds nothing.
"""

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from verification.controls.document import to_csv, to_html
from verification.identifiers import uuid7
from verification.ledger.canonical import canonical
from verification.models import ControlRun, LedgerVerification, ReviewPolicy
from verification.models.control import CONTROLS_PACKED
from verification.models.guards import GUARDED
from verification.selectors.control_pack import ROLE_COLUMNS, policy_versions, roles_held
from verification.selectors.control_runs import last_run
from verification.selectors.export_columns import FORMULA_STARTS
from verification.selectors.guard_state import lifted_guards
from verification.selectors.ledger import last_checkpoint, log_status
from verification.services.control_readme import README
from verification.services.control_runs import PERMISSION, results_of
from verification.services.entries import utc_text
from verification.services.proving import signed_note
from verification.services.reasons import check_permission
from verification.services.runtime import Runtime
from verification.services.staging import stage

VERIFIER = "verify_proof.py"
SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack that is on record, and its bytes."""

    id: UUID
    at: datetime
    content: bytes


def take_pack(*, by: AbstractUser, runtime: Runtime) -> Pack:
    """Put a pack on record, then make it; each call is another pack.

    Must not run inside a transaction. Raises NotPermittedError, and the database's errors: then
    nothing may leave.
    """
    check_permission(by, PERMISSION)
    at, run = runtime.now(), last_run()
    pack = uuid7(at)
    with transaction.atomic(durable=True):
        stage([packed_entry(pack=pack, at=at, run=run, by=by)])
    return Pack(pack, at, zipped(pack_files(run=run, at=at, pack=pack, runtime=runtime), at=at))


def packed_entry(*, pack: UUID, at: datetime, run: ControlRun | None, by: AbstractUser) -> bytes:
    """Say who took a pack, and which run it tells of."""
    return canonical(
        {
            "at": utc_text(at),
            "by": by.get_username(),
            "by_id": str(by.pk),
            "kind": CONTROLS_PACKED,
            "pack": str(pack),
            "run": str(run.pk) if run else None,
        }
    )


def pack_files(
    *, run: ControlRun | None, at: datetime, pack: UUID, runtime: Runtime
) -> dict[str, bytes]:
    """Return what is in a pack, by the names of its files."""
    results = results_of(run) if run else {}
    newest = last_checkpoint()
    verification = log_status().verification
    title = f"Controls, as checked {utc_text(run.started_at)}" if run else "Controls, never checked"
    source = resources.files("verification.ledger").joinpath(VERIFIER)
    files = {
        "README.txt": README.format(pack=pack, at=utc_text(at)).encode(),
        "matrix.csv": to_csv(results).encode(),
        "matrix.html": to_html(results, title=title).encode(),
        "results.json": _json(_told_run(run)),
        "checkpoint.txt": signed_note(newest) if newest else b"",
        "vkeys.txt": "".join(f"{key}\n" for key in runtime.conf.ledger_vkeys).encode(),
        VERIFIER: source.read_bytes(),
        "verification.json": _json(_told_verification(verification) if verification else None),
        "roles.csv": _roles().encode(),
        "policies.json": _json([_told_policy(each) for each in policy_versions()]),
        "guards.json": _json({"lifted": lifted_guards(), "tables": sorted(GUARDED)}),
    }
    return {**files, SUMS: _sums(files)}


def zipped(files: Mapping[str, bytes], *, at: datetime) -> bytes:
    """Return files as a ZIP: the same bytes for the same files and time."""
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = ZipInfo(name, at.timetuple()[:6])
            entry.compress_type, entry.create_system = ZIP_DEFLATED, 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return out.getvalue()


def _told_run(run: ControlRun | None) -> dict[str, object] | None:
    if run is None:
        return None
    return {
        "run": str(run.pk),
        "started_at": utc_text(run.started_at),
        "finished_at": utc_text(run.finished_at),
        "origin": run.origin,
        "by": run.by_name,
        "digest": run.digest,
        "results": {
            control: {
                "state": found.state.value,
                "sentence": found.sentence,
                "evidence": dict(found.evidence),
            }
            for control, found in results_of(run).items()
        },
    }


def _told_verification(row: LedgerVerification) -> dict[str, object]:
    return {
        "result": row.result,
        "finding": row.finding,
        "started_at": utc_text(row.started_at),
        "finished_at": utc_text(row.finished_at),
        "entries": row.size,
        "attempts": row.attempts,
    }


def _told_policy(row: ReviewPolicy) -> dict[str, object]:
    return {
        "version": row.version,
        "state": row.state,
        "document": json.loads(row.document),
        "sha256": hashlib.sha256(row.document.encode()).hexdigest(),
        "proposed_by": row.proposed_by.get_username() if row.proposed_by else None,
        "proposed_at": utc_text(row.proposed_at),
        "decided_by": row.decided_by.get_username() if row.decided_by else None,
        "decided_at": utc_text(row.decided_at) if row.decided_at else None,
    }


def _roles() -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(ROLE_COLUMNS)
    writer.writerows([_plain(cell) for cell in row] for row in roles_held())
    return out.getvalue()


def _plain(cell: str) -> str:
    """Keep a spreadsheet from reading a name as a formula."""
    return f"'{cell}" if cell.startswith(tuple(FORMULA_STARTS)) else cell


def _json(said: object) -> bytes:
    return (json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _sums(files: Mapping[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()
