"""Stage entries: in the transaction of what they tell of, so that neither is there alone."""

from collections.abc import Iterable

from verification.models import StagedEntry


def stage(entries: Iterable[bytes]) -> None:
    """Store canonical entries for the sequencer; belongs inside the business transaction."""
    StagedEntry.objects.bulk_create([StagedEntry(raw=each) for each in entries])
