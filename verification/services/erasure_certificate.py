"""The certificate of an erasure: a page for a person, and below it the proof for a machine.

It names nobody but the two members of staff and can be given to the person, or to an authority.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast
from uuid import UUID

from django.utils import translation
from django.utils.translation import gettext_noop as _

from verification.ledger.canonical import Json, parse
from verification.ledger.merkle import leaf_hash
from verification.ledger.proof_document import ProofDocument, ProvedAttempt, ProvedEntry, to_json
from verification.models import Erasure
from verification.models.erasure import ERASED, Decision, LegalBasis
from verification.services.entries import ACCEPTED, utc_text
from verification.services.errors import NothingToEraseError
from verification.services.proving import prove_attempts
from verification.services.runtime import Runtime
from verification.services.settlement import visible

MAX_TEXT = 200
PAGE = """\
CERTIFICATE OF ERASURE

Attempt        {attempt}
Erased at      {at}
Legal basis    {basis}
Requested by   {requested_by}
Approved by    {approved_by}
Request        {erasure}

The key under which the evidence of this attempt was encrypted has been destroyed. What was
encrypted under it can no longer be opened by anyone who does not hold a copy of the database made
before:

{items}

Log            {origin}, {size} entries
Entry          {index}
Leaf hash      {leaf}

What this certificate does not say: backups and transaction logs of the database from before the
erasure still hold the key, itself encrypted, until they are deleted by their own rule. The other
facts of the attempt stay on record.

Everything below is a proof document: it shows that the log holds the acceptance of the attempt and
this erasure. It tells none of the attempt's values, nor the key that could open them, and so it can
be given away. To check it, save it from the line with a single brace on, and give it to
verify_proof.py with the public key of the log:

    sed -n '/^{{$/,$p' CERTIFICATE > proof.json

"""


def erasure_certificate(*, attempt_id: UUID, runtime: Runtime) -> bytes:
    """Return the certificate as UTF-8 text. Safe to repeat.

    Raises UnknownAttemptError, NothingToEraseError if nothing was erased, and NotSealedError until
    a checkpoint covers the erasure. Must not run inside a transaction.
    """
    document = prove_attempts([attempt_id], runtime=runtime)
    [attempt] = document.attempts
    row = Erasure.objects.filter(attempt_id=attempt_id, decision=Decision.APPROVED).first()
    erased = next((each for each in attempt.entries if row and _tells_of(row, each)), None)
    if erased is None:
        raise NothingToEraseError(_("The evidence of this attempt was not erased."))
    page = _page(erased, document)
    return page.encode() + to_json(_untold(document, attempt, erased))


def _tells_of(row: Erasure, entry: ProvedEntry) -> bool:
    """Return whether it is the entry of this erasure, and not one that only looks like it."""
    said = parse(entry.raw)
    at = utc_text(row.decided_at) if row.decided_at else None
    told = (said.get("kind"), said.get("erasure"), said.get("at"))
    return told == (ERASED, str(row.pk), at)


def _untold(document: ProofDocument, attempt: ProvedAttempt, erased: ProvedEntry) -> ProofDocument:
    """Return the proof of the acceptance and the erasure alone, without any value."""
    entries = [
        ProvedEntry(each.index, each.raw, each.proof, {})
        for each in attempt.entries
        if each is erased or parse(each.raw).get("kind") == ACCEPTED
    ]
    return ProofDocument(document.checkpoint, [ProvedAttempt(attempt.id, None, entries)])


def _page(erased: ProvedEntry, document: ProofDocument) -> str:
    said = parse(erased.raw)
    origin, size, *_ = document.checkpoint.decode().split("\n")
    names = ("attempt", "at", "requested_by", "approved_by", "erasure")
    return PAGE.format(
        **{name: _shown(said.get(name)) for name in names},
        basis=_english(LegalBasis(str(said["legal_basis"]))),
        items="\n".join(_items(cast("Sequence[Mapping[str, Json]]", said["evidence"]))),
        origin=origin,
        size=size,
        index=erased.index,
        leaf=leaf_hash(erased.raw).hex(),
    )


def _english(basis: LegalBasis) -> str:
    """Return the words for a basis as other parties read them, whoever asks for the certificate."""
    with translation.override(None):
        return str(basis.label)


def _items(listed: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    for each in listed:
        yield f"    {_shown(each['kind'])}"
        yield f"        SHA-256 of what stays, encrypted: {_shown(each['sealed_sha256'])}"


def _shown(value: Json) -> str:
    return visible(str(value), MAX_TEXT) or ""
