"""The answer to a person who asked for erasure: a letter in each language, and the certificates."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext_noop as _

from verification.models import SubjectErasure
from verification.models.subject import ItemOutcome
from verification.selectors.subject_erasures import ItemLine, item_lines
from verification.services.control_pack import zipped
from verification.services.erasure_certificate import erasure_certificate
from verification.services.errors import NotSealedError, UnknownErasureError
from verification.services.runtime import Runtime

LETTER = "verification/subject_letter.txt"
LANGUAGES = ("en", "zh-hans", "id")


def subject_answer(*, erasure_id: UUID, runtime: Runtime) -> bytes:
    """Return a ZIP with a letter in each language and a certificate for each destroyed key.

    Safe to repeat. Raises UnknownErasureError, NotSealedError while attempts are still to do or no
    checkpoint covers them. Must not run inside a transaction.
    """
    row = SubjectErasure.objects.filter(pk=erasure_id).first()
    if row is None:
        raise UnknownErasureError(_("There is no such request."))
    if row.finished_at is None:
        raise NotSealedError(_("The request is not carried out yet."))
    lines = item_lines(row)
    files = {f"letter.{each}.txt": _letter(row, lines, each) for each in LANGUAGES}
    return zipped({**files, **dict(_certificates(lines, runtime))}, at=row.finished_at)


def _certificates(lines: list[ItemLine], runtime: Runtime) -> Iterator[tuple[str, bytes]]:
    for line in lines:
        if line.outcome == ItemOutcome.ERASED:
            content = erasure_certificate(attempt_id=line.attempt_id, runtime=runtime)
            yield f"certificates/{line.attempt_id}.txt", content


def _letter(row: SubjectErasure, lines: list[ItemLine], language: str) -> bytes:
    assert row.finished_at is not None  # noqa: S101 - narrows the type: it was carried out
    by_outcome = {each: [line for line in lines if line.outcome == each] for each in ItemOutcome}
    kept = [line for line in lines if not line.is_record_erased]
    said = {
        "request": row.pk,
        "requested": _day(row.requested_at),
        "finished": _day(row.finished_at),
        "erased": by_outcome[ItemOutcome.ERASED],
        "held": by_outcome[ItemOutcome.HELD],
        "gone": by_outcome[ItemOutcome.GONE],
        "nothing": by_outcome[ItemOutcome.NOTHING],
        "forgotten": [line for line in lines if line.is_record_erased],
        "over": [line for line in kept if line.record_until <= row.finished_at],
        "lines": [(_day(line.created_at), line, _day(line.record_until)) for line in lines],
        "last": _day(max((line.record_until for line in kept), default=None)),
    }
    with translation.override(language):
        return render_to_string(LETTER, said).encode()


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else ""
