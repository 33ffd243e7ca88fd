"""Reports to a person of everything that is held about them: one ZIP, on record before it is made.

`report.json` is complete, `report.html` says the same for reading. Both need nothing beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.template.loader import render_to_string
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.ledger.canonical import canonical
from verification.models import ApiClient, SubjectReport
from verification.models.fields import dump_exact
from verification.models.subject import SUBJECT_REPORTED
from verification.selectors.subjects import Held, find_subject, held_about
from verification.services.control_pack import zipped
from verification.services.entries import utc_text
from verification.services.errors import BadSubjectError
from verification.services.reasons import check_permission
from verification.services.runtime import Runtime
from verification.services.settlement import visible
from verification.services.staging import stage
from verification.vault.digest import keyed_digest

PERMISSION = "subject_report"
MAX_SUBJECT = 128
MAX_TEXT = 4000
PAGE = "verification/subject_report.html"


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A report that is on record, and its bytes."""

    id: UUID
    at: datetime
    content: bytes = field(repr=False)


def take_subject_report(
    *, subject: str, client_id: UUID | None, by: AbstractUser, runtime: Runtime
) -> ReportFile:
    """Put on record that a report of a subject is taken, then make it; each call is another one.

    No `client_id` is every client. What is stored after the record is committed is not told. A
    subject of whom nothing is held has a report, too: it says so. Must not run inside a
    transaction. Raises NotPermittedError, BadSubjectError, and the database's errors: then nothing
    may leave.
    """
    check_permission(by, PERMISSION)
    client = read_client(subject, client_id)
    digest = subject_digest(subject, runtime)
    at = runtime.now()
    with transaction.atomic(durable=True):
        found = find_subject(subject, client_id)
        row = SubjectReport.objects.create(
            id=uuid7(at),
            subject_digest=digest,
            client=client,
            attempts=len(found.attempts),
            sessions=len(found.sessions),
            by_id=by.pk,
            by_name=by.get_username(),
            reported_at=at,
        )
        stage([reported_entry(row)])
    files = report_files(row=row, subject=subject, held=held_about(found, digest))
    return ReportFile(row.pk, at, zipped(files, at=at))


def subject_digest(subject: str, runtime: Runtime) -> bytes:
    """Return by what a subject is found again in our own rows, which never hold its text."""
    return keyed_digest(runtime.conf.digest_key, f"subject:{subject}")


def reported_entry(row: SubjectReport) -> bytes:
    """Say who took a report of whom, as a keyed digest, and of how much it told."""
    return canonical(
        {
            "at": utc_text(row.reported_at),
            "attempts": row.attempts,
            "by": row.by_name,
            "by_id": str(row.by_id),
            "client": str(row.client_id) if row.client_id else None,
            "kind": SUBJECT_REPORTED,
            "report": str(row.pk),
            "sessions": row.sessions,
            "subject_digest": bytes(row.subject_digest).hex(),
        }
    )


def report_files(*, row: SubjectReport, subject: str, held: Held) -> dict[str, bytes]:
    """Return what is in a report, by the names of its files."""
    told = {
        "report": str(row.pk),
        "made_at": utc_text(row.reported_at),
        "subject": subject,
        "client": row.client.name if row.client else None,
        "attempts": [_plain(each) for each in held.attempts],
        "sessions": [_plain(each) for each in held.sessions],
        "exports_that_may_have_held_it": held.exports,
        "reports_taken": held.reports,
    }
    shown = {
        **told,
        "subject": visible(subject, MAX_SUBJECT * 6),
        "client": visible(row.client.name, MAX_TEXT) if row.client else None,
        "attempts": [_shown(each) for each in held.attempts],
        "sessions": [_shown(each) for each in held.sessions],
    }
    return {
        "report.json": dump_exact(told).encode(),
        "report.html": render_to_string(PAGE, shown).encode(),
    }


def read_client(subject: str, client_id: UUID | None) -> ApiClient | None:
    """Return the client that is asked for, None for every one.

    Raises BadSubjectError for what no stored reference, or no client, can be.
    """
    if not subject or len(subject) > MAX_SUBJECT or "\0" in subject or not _is_text(subject):
        raise BadSubjectError(
            _("Give a subject of 1 to %(most)s characters, exactly as it was given to us."),
            {"most": MAX_SUBJECT},
        )
    if client_id is None:
        return None
    client = ApiClient.objects.filter(pk=client_id).first()
    if client is None:
        raise BadSubjectError(_("There is no such client."))
    return client


def _is_text(subject: str) -> bool:
    try:
        subject.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: object) -> object:
    """Return what JSON can hold, figures with their digits."""
    match value:
        case Mapping():
            return {str(name): _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case datetime():
            return utc_text(value)
        case None | bool() | int() | str() | Decimal():
            return value
        case _:
            return str(value)


def _shown(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return the facts for reading, one line each: `name.of.member` and its value."""
    return list(_lines("", facts))


def _lines(name: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        prefix = f"{name}." if name else ""
        return [line for key, each in value.items() for line in _lines(f"{prefix}{key}", each)]
    if isinstance(value, list | tuple):
        return [line for no, each in enumerate(value, 1) for line in _lines(f"{name}.{no}", each)]
    if value is None:
        return []
    said = _plain(value)
    text = said if isinstance(said, str) else dump_exact(said)
    return [(visible(name, MAX_TEXT) or "", visible(text, MAX_TEXT) or "")]
