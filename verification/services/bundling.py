"""Exports that prove themselves: the file, the log's entries about it, and what opens them.

Nothing can be left out of a bundle unseen, so it takes only filters that entries tell openly.
"""

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import groupby
from operator import itemgetter
from typing import BinaryIO
from uuid import UUID

from django.utils.translation import gettext_noop as _

from verification.ledger.canonical import Json
from verification.models import ApiClient, LedgerCheckpoint
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_form import FileForm, Layout
from verification.selectors.record import AttemptFilter
from verification.services.bundle_parts import Scope, bundle_parts, client_names, scope_of
from verification.services.entries import utc_text
from verification.services.errors import UnprovableExportError

FORMAT = "verification-export/v1"
PROVABLE = frozenset({"client", "state", "created_from", "created_before"})
"""Filters that entries tell openly."""
FILE, ENTRIES, OPENINGS = "attempts.csv", "entries.txt", "openings.txt"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first day that a ZIP file can name."""
FAST = 1
PRIVATE = 0o600
README = """This is an export of identity-verification attempts that proves itself.

attempts.csv      the rows; open it in any spreadsheet
manifest.json     what was asked for
checkpoint.txt    the log's signed statement of its size and root
entries.txt       the log's entries of the period
openings.txt      the values behind the entries' commitments: keep it as you keep the rows

Check it with verify_export.py and the log's public key, which you were given before, on a machine
of your own. It says in plain words whether any row was altered, added, dropped or moved.
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What a bundle came to: rows, and digest and size of its file of attempts."""

    rows: int
    sha256: str
    size_bytes: int


def check_provable(query: AttemptQuery, form: FileForm) -> None:
    """Raise UnprovableExportError unless a bundle can show that the file is whole."""
    given = {each.name for each in fields(query) if getattr(query, each.name) is not None}
    if hidden := sorted(given - PROVABLE):
        raise _hidden(hidden)
    if form.layout not in (Layout.CSV, Layout.EXCEL) or form.is_gzipped:
        raise UnprovableExportError(_("A bundle holds CSV, and is compressed itself."))
    if "id" not in {column.name for column in form.columns}:
        raise UnprovableExportError(_("The rows of a bundle need their id."))


def provable_query(which: AttemptFilter) -> AttemptQuery:
    """Return a list's filter as a bundle takes it; UnprovableExportError names what it does not."""
    given = {each.name: getattr(which, each.name) for each in fields(which)}
    client = ApiClient.objects.filter(pk=given.pop("client_id")).first()
    known = {each.name for each in fields(AttemptQuery)}
    if hidden := sorted(name for name in given.keys() - known if given[name] is not None):
        raise _hidden(hidden)
    return AttemptQuery(client=client, **{name: given[name] for name in given.keys() & known})


def write_bundle(
    target: BinaryIO,
    *,
    export: UUID,
    query: AttemptQuery,
    form: FileForm,
    as_of: LedgerCheckpoint,
    report: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write a recorded export as a bundle; return what its file of attempts came to.

    `report` is told the bytes that were read from the database so far. Memory does not grow with
    the attempts. Raises UnprovableExportError, and the database's and the file's errors: then
    the target is not whole.
    """
    check_provable(query, form)
    scope = scope_of(query, as_of)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=FAST) as archive:
        _put(archive, "README.txt", README.encode())
        _put(archive, "checkpoint.txt", bytes(as_of.note))
        members = dict(_write_parts(archive, query, form, scope, report))
        said = _manifest(export, query, form, scope, members)
        _put(archive, "manifest.json", json.dumps(said, indent=1).encode() + b"\n")
    file = members[FILE]
    return Written(members[OPENINGS].lines, file.sha256, file.size_bytes)


def _hidden(names: Iterable[str]) -> UnprovableExportError:
    return UnprovableExportError(
        _("The log does not tell %(names)s openly: nobody could see what is left out."),
        {"names": ", ".join(names)},
    )


def _write_parts(
    archive: zipfile.ZipFile,
    query: AttemptQuery,
    form: FileForm,
    scope: Scope,
    report: Callable[[int], None],
) -> Iterator[tuple[str, "_Member"]]:
    size_bytes = 0
    with bundle_parts(query, form, scope) as parts:
        for name, group in groupby(parts, key=itemgetter(0)):
            member = _Member()
            opening = [form.opening] if name == FILE else []
            with archive.open(_info(name), "w", force_zip64=True) as file:
                for blocks in (opening, *map(itemgetter(1), group)):
                    for block in blocks:
                        file.write(block)
                        member.add(block)
                        size_bytes += len(block)
                        report(size_bytes)
            yield name, member


class _Member:
    """Digest, size and lines of what was written."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.size_bytes = self.lines = 0

    def add(self, block: bytes) -> None:
        self._digest.update(block)
        self.size_bytes += len(block)
        self.lines += block.count(b"\n")

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _manifest(
    export: UUID, query: AttemptQuery, form: FileForm, scope: Scope, members: dict[str, _Member]
) -> dict[str, Json]:
    return {
        "format": FORMAT,
        "export": str(export),
        "size": scope.checkpoint.size,
        "first": scope.first,
        "frontier": [base64.b64encode(each).decode() for each in scope.frontier],
        "query": {
            "client": str(query.client.pk) if query.client else None,
            "state": query.state.value if query.state else None,
            "since": utc_text(query.created_from) if query.created_from else None,
            "until": utc_text(query.created_before) if query.created_before else None,
        },
        "columns": [column.name for column in form.columns],
        "clients": dict(client_names(scope.checkpoint)),
        "rows": members[OPENINGS].lines,
        "files": {name: member.sha256 for name, member in members.items()},
    }


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    archive.writestr(_info(name), content)


def _info(name: str) -> zipfile.ZipInfo:
    """Name a member that only its owner can read, with the same bytes whenever it is made."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = PRIVATE << 16
    return info
