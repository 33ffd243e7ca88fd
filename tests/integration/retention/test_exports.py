"""Exports and bundles say of an expired key what they say of an erased one, as of any size."""

from pathlib import Path

import pytest

from tests.integration.exports.conftest import rows
from tests.integration.exports.test_as_of import newest, taken
from tests.integration.exports.test_bundle import checked, made
from tests.integration.ledger.lives import Lives, ahead, drain, seal
from tests.integration.retention.runs import People, finished, hold
from verification.models import EvidenceKey
from verification.services.runtime import Runtime
from verification.services.sequencing import tend_log

pytestmark = pytest.mark.django_db(transaction=True)


def test_as_of_before_it_the_evidence_is_there_and_after_it_gone(
    old: Lives, lives: Lives, people: People, runtime: Runtime, tmp_path: Path
) -> None:
    due, held = old.settled(), old.settled()
    hold(held, people.officer, runtime)
    seal(runtime)
    size = newest()
    before = taken(size)
    finished(people, runtime)
    assert taken(size) == before, "staged"
    drain(runtime)
    assert taken(size) == before, "in the log"
    tend_log(runtime=ahead(runtime, 120))
    assert newest() > size
    after = taken(newest())
    assert after != before
    at = EvidenceKey.objects.get(pk=due).erased_at
    assert at is not None
    by_id = {row["id"]: row for row in rows(after[0].decode())}
    assert at.strftime("%Y-%m-%dT%H:%M:%S") in by_id[str(due)]["evidence"]
    assert '"erased_at": null' in by_id[str(held)]["evidence"]
    code, report = checked(made(lives), tmp_path / "bundle.zip")
    assert code == 0, report
