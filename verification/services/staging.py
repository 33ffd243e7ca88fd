"""Stage entries: in the transaction of what they tell of, so that neither is there alone."""

from collections.abc import Iterable

from verification.models import StagedEntry


def stage(entries: Iterable[bytes]) -> list[int]:
    """Store canonical entries for the sequencer; belongs inside the business transaction.

    Returns the number of each on the stage, which its place in the log will name.
    """
    staged = StagedEntry.objects.bulk_create([StagedEntry(raw=each) for each in entries])
    return [each.no for each in staged]
