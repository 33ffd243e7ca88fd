"""REST: the log as an outsider needs it: checkpoints, entries, proofs of consistency."""

from typing import ClassVar

from django.http import HttpResponse, HttpResponseNotModified
from django.urls import reverse
from django.utils.http import parse_etags
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from verification.api import schema
from verification.api.endpoint import Endpoint, json_response
from verification.api.filters import read_parameters
from verification.api.log_ranges import MAX_ENTRIES, read_number, read_range
from verification.api.problems import Problem
from verification.ledger.keys import encode_base64
from verification.models import LedgerCheckpoint, LedgerEntry
from verification.models.client import Scope
from verification.selectors.checkpoints import checkpoint_of_size
from verification.selectors.ledger import consistency_proof, last_checkpoint, log_size
from verification.services.proving import signed_note

NOTE_TYPE = "text/plain; charset=utf-8"
EITHER = (Scope.LEDGER_READ, Scope.ATTEMPTS_READ)


class CheckpointDetail(Endpoint):
    """A checkpoint as it is published."""

    http_method_names = ("get", "head")
    scopes: ClassVar = {"GET": EITHER, "HEAD": EITHER}

    @extend_schema(**schema.READ_CHECKPOINT)
    def get(self, request: Request) -> HttpResponse:
        """Return the newest signed note, or that of a size, with its cosignatures."""
        parameters = read_parameters(request.META.get("QUERY_STRING", ""), allowed={"size"})
        size = read_number(parameters, "size")
        checkpoint = last_checkpoint() if size is None else checkpoint_of_size(size)
        if checkpoint is None:
            raise Problem("not_found", "The log has no such checkpoint.")
        return note_response(request, checkpoint)


class EntryList(Endpoint):
    """What stands in the log, of all clients."""

    http_method_names = ("get", "head")
    scopes: ClassVar = {"GET": Scope.LEDGER_READ, "HEAD": Scope.LEDGER_READ}

    @extend_schema(**schema.LIST_ENTRIES)
    def get(self, request: Request) -> HttpResponse:
        """Return the entries of a range, up to a page of them, and where it goes on."""
        parameters = read_parameters(request.META.get("QUERY_STRING", ""), allowed={"start", "end"})
        size = log_size()
        wanted = read_range(parameters, size=size)
        page, rest = wanted[:MAX_ENTRIES], wanted[MAX_ENTRIES:]
        following = f"{reverse('ledger-entries')}?start={rest.start}&end={rest.stop}"
        return json_response(
            {
                "size": size,
                "entries": entries_json(page),
                "next": following if rest else None,
            }
        )


class ConsistencyProof(Endpoint):
    """That the log was only ever added to."""

    http_method_names = ("get", "head")
    scopes: ClassVar = {"GET": EITHER, "HEAD": EITHER}

    @extend_schema(**schema.PROVE_CONSISTENCY)
    def get(self, request: Request) -> HttpResponse:
        """Return the proof that the tree of one size continues that of another."""
        parameters = read_parameters(request.META.get("QUERY_STRING", ""), allowed={"old", "new"})
        old, new = read_sizes(read_number(parameters, "old"), read_number(parameters, "new"))
        proof = [encode_base64(each) for each in consistency_proof(old, new)]
        return json_response({"old": old, "new": new, "proof": proof})


def read_sizes(old: int | None, new: int | None) -> tuple[int, int]:
    """Return both sizes; Problem if one is missing or beyond the log, or if they are reversed."""
    if old is None:
        extra = {"parameter": "old"}
        raise Problem("invalid_parameter", "The parameter old is required.", extra=extra)
    if new is None:
        newest = last_checkpoint()
        if newest is None:
            raise Problem("not_found", "The log has no checkpoint yet.")
        new = newest.size
    if max(old, new) > log_size():
        raise Problem("not_found", "The log does not have so many entries yet.")
    if old > new:
        extra = {"parameter": "old"}
        raise Problem("invalid_range", "old is at most new.", extra=extra)
    return old, new


def entries_json(indexes: range) -> list[dict[str, object]]:
    """Return the entries at these indexes.

    What somebody put there that is no text comes with replacements, under a hash that then does
    not fit: it must be seen, and must not hide the others.
    """
    entries = LedgerEntry.objects.filter(index__gte=indexes.start, index__lt=indexes.stop)
    rows = entries.order_by("index").values_list("index", "leaf_hash", "raw")
    return [
        {
            "index": index,
            "leaf_hash": bytes(leaf_hash).hex(),
            "raw": bytes(raw).decode("utf-8", "replace"),
        }
        for index, leaf_hash, raw in rows
    ]


def note_response(request: Request, checkpoint: LedgerCheckpoint) -> HttpResponse:
    """Return a note, or 304; its tag changes with the cosignatures, which come later."""
    note = signed_note(checkpoint)
    tag = f'"{checkpoint.size}-{note.count(LINE)}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    given = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    if "*" in given or tag in {each.removeprefix("W/") for each in given}:
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(note, content_type=NOTE_TYPE, headers=headers)


LINE = "\u2014 ".encode()
"""What every signature line of a note begins with."""
