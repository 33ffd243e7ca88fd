"""Entries of the log about the staff: who logged in, was refused, or left."""

from django.db.models import F, Func, IntegerField, Q, QuerySet, Value
from django.db.models.lookups import GreaterThan

from verification.models import LedgerEntry

STAFF = "staff."


class _Position(Func):
    """Where bytes stand in an entry, from 1; 0 if nowhere."""

    function = "position"
    template = "%(function)s(%(expressions)s)"
    arg_joiner = " in "
    output_field = IntegerField()


def staff_entries(person_id: str | None = None) -> QuerySet[LedgerEntry]:
    """Return entries about the staff, of one person if given: done by them, or to them.

    Entries are canonical, so that a member is found by its bytes: a quotation mark inside a text
    has a backslash before it, and no text can be taken for a member.
    """
    found = LedgerEntry.objects.filter(kind__startswith=STAFF)
    if person_id is None:
        return found
    return found.filter(_has("by_id", person_id) | _has("of_id", person_id))


def _has(member: str, value: str) -> Q:
    wanted = f'"{member}":"{value}"'.encode()
    return Q(GreaterThan(_Position(Value(wanted), F("raw")), Value(0)))
