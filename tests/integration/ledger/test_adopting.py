"""Records from before the log are taken into it, once."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.integration.ledger.lives import LIVES, Lives, drain, seal
from tests.owner import unguarded
from verification.models import StagedEntry
from verification.services.runtime import Runtime
from verification.services.verifying import verify

pytestmark = pytest.mark.django_db(transaction=True)


EARLIER = [name for name in LIVES if name not in {"revealed", "erased", "kept from erasure"}]
"""What there was before the log; reveals and erasures came with it."""


def forget() -> None:
    """Leave the rows as they were before there was a log."""
    with unguarded():
        for each in StagedEntry.objects.all():
            if b'"attempt"' in bytes(each.raw):
                each.delete()


def test_every_kind_of_life_is_adopted_and_holds(lives: Lives, runtime: Runtime) -> None:
    for name in EARLIER:
        LIVES[name](lives)
    forget()
    out = StringIO()
    call_command("ledger_adopt", stdout=out)
    assert out.getvalue() == f"{len(EARLIER)} attempts adopted\n"
    call_command("ledger_adopt", stdout=out)
    assert out.getvalue().endswith("0 attempts adopted\n")
    seal(runtime)
    assert verify(runtime=runtime).faults == ()


def test_a_log_that_has_begun_adopts_nothing(lives: Lives, runtime: Runtime) -> None:
    drain(runtime)
    lives.settled()
    forget()
    with pytest.raises(CommandError, match="has begun"):
        call_command("ledger_adopt")
    assert verify(runtime=runtime).faults
