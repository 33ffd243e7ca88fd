"""An export as of a checkpoint: the same bytes whenever it is asked again, whatever came since."""

import gzip
import json
import random
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.conftest import OpenToken
from tests.integration.exports.conftest import rows
from tests.integration.ledger.lives import (
    ANSWERED,
    IN_DOUBT,
    LIVES,
    NOT_SENT,
    UNREAD,
    Lives,
    ahead,
    drain,
    seal,
    someone,
)
from verification.errors import VerificationError
from verification.ledger.canonical import parse
from verification.lifecycle import State
from verification.models import (
    ApiClient,
    LedgerCheckpoint,
    LedgerEntry,
    PastRow,
    Review,
    VerificationAttempt,
)
from verification.models.erasure import LegalBasis
from verification.models.review import ReviewState
from verification.policy.terms import Decision, Priority, Verdict
from verification.selectors.as_of import newest_repeatable, repeatable_checkpoint
from verification.selectors.attempts import AttemptQuery
from verification.selectors.exports import attempts_file
from verification.selectors.record import AttemptFilter
from verification.services import reconciliation
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.review_queue import prioritise
from verification.services.reviews import break_glass, decide, note, reopen, second
from verification.services.runtime import Runtime
from verification.services.sequencing import tend_log
from verification.services.settling import settle
from verification.services.submission import intend

pytestmark = pytest.mark.django_db(transaction=True)

QUERIES: tuple[AttemptQuery | AttemptFilter, ...] = (
    AttemptQuery(),
    AttemptQuery(state=State.ANSWERED),
    AttemptQuery(state=State.ACCEPTED),
    AttemptQuery(state=State.IN_DOUBT),
    AttemptQuery(decision=Decision.APPROVED),
    AttemptQuery(review_state=ReviewState.OPEN),
    AttemptQuery(verdict=Verdict.REVIEW),
    AttemptFilter(error_code="upstream_unreachable"),
    AttemptFilter(identifier="ONB-2", decision=Decision.REJECTED),
)
NOTE = "seen with care"


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


def taken(size: int) -> list[bytes]:
    """Return each query's export as of a size."""
    checkpoint = repeatable_checkpoint(size)
    assert checkpoint is not None
    return [b"".join(attempts_file(each, as_of=checkpoint)) for each in QUERIES]


def newest() -> int:
    """Return the size of the newest checkpoint."""
    checkpoint = newest_repeatable()
    assert checkpoint is not None
    return checkpoint.size


class House:
    """Lets something happen to some attempt, at random."""

    def __init__(self, lives: Lives, chance: random.Random) -> None:
        self.lives = lives
        self.runtime = lives.runtime
        self.chance = chance
        self.people = (someone("ines"), someone("olga"))
        self.acts: tuple[Callable[[UUID], object], ...] = (
            self.send,
            self.reconcile,
            self.close,
            self.decide,
            self.second,
            self.reopen,
            self.break_glass,
            self.prioritise,
            self.note,
            self.erase,
            self.rename,
        )

    def act(self) -> None:
        """Begin a life, or go on with one; what its state forbids does not happen."""
        known = list(VerificationAttempt.objects.order_by("id").values_list("pk", flat=True))
        if len(known) < 3 or self.chance.random() < 0.3:
            self.chance.choice(list(LIVES.values()))(self.lives)
        else:
            with suppress(VerificationError):
                self.chance.choice(self.acts)(self.chance.choice(known))

    def somebody(self) -> User:
        """Return one of two people."""
        return self.chance.choice(self.people)

    def send(self, attempt_id: UUID) -> None:
        """Send what is not on its way, and perhaps leave it there."""
        if (send := intend(attempt_id, runtime=self.runtime)) and self.chance.random() < 0.8:
            settlement = self.chance.choice((ANSWERED, IN_DOUBT, NOT_SENT, UNREAD))
            settle(send, settlement, runtime=self.runtime)

    def reconcile(self, attempt_id: UUID) -> None:
        """Read the answer that was kept."""
        reconciliation.reconcile(attempt_id=attempt_id, runtime=self.runtime)

    def close(self, attempt_id: UUID) -> None:
        """Close what is in doubt."""
        reconciliation.close_attempt(attempt_id=attempt_id, reason=NOTE, runtime=self.runtime)

    def decide(self, attempt_id: UUID) -> None:
        """Decide or propose."""
        decide(
            attempt_id=attempt_id,
            decision=Decision.APPROVED,
            reason_code="same_person",
            note=NOTE,
            by=self.somebody(),
            runtime=self.runtime,
        )

    def second(self, attempt_id: UUID) -> None:
        """Agree."""
        second(attempt_id=attempt_id, note=NOTE, by=self.somebody(), runtime=self.runtime)

    def reopen(self, attempt_id: UUID) -> None:
        """Open it again."""
        reopen(attempt_id=attempt_id, note=NOTE, by=self.somebody(), runtime=self.runtime)

    def break_glass(self, attempt_id: UUID) -> None:
        """Decide alone."""
        break_glass(
            attempt_id=attempt_id,
            decision=Decision.REJECTED,
            reason_code="different_person",
            note=NOTE,
            by=self.somebody(),
            runtime=self.runtime,
        )

    def prioritise(self, attempt_id: UUID) -> None:
        """Change when it is due."""
        prioritise(
            attempt_id=attempt_id,
            priority=self.chance.choice(list(Priority)),
            note=NOTE,
            by=self.somebody(),
            runtime=self.runtime,
        )

    def note(self, attempt_id: UUID) -> None:
        """Say something, which changes nothing."""
        note(attempt_id=attempt_id, text=NOTE, by=self.somebody(), runtime=self.runtime)

    def erase(self, attempt_id: UUID) -> None:
        """Destroy the evidence."""
        asked = request_erasure(
            attempt_id=attempt_id,
            legal_basis=LegalBasis.SUBJECT_REQUEST,
            reason="letter of the person",
            by=self.people[0],
            runtime=self.runtime,
        )
        decide_erasure(erasure_id=asked.pk, approve=True, by=self.people[1], runtime=self.runtime)

    def rename(self, _attempt_id: UUID) -> None:
        """Give the client another name."""
        name = f"client {self.chance.randrange(1000)}"
        ApiClient.objects.filter(pk=self.lives.client.pk).update(name=name)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_moment_gives_the_same_bytes(seed: int, lives: Lives) -> None:
    house = House(lives, random.Random(seed))
    first: dict[int, list[bytes]] = {}
    for minute in range(1, 13):
        for _ in range(house.chance.randrange(1, 10)):
            house.act()
        if house.chance.random() < 0.5:
            drain(lives.runtime)
            house.act()
        drain(lives.runtime)
        tend_log(runtime=ahead(lives.runtime, minute * 90))
        size = newest()
        if house.chance.random() < 0.5:
            house.act()  # staged, or in the log behind the checkpoint
        first[size] = taken(size)
    assert Review.objects.filter(decision="approved").exists()
    assert PastRow.objects.count() > 3
    for size, files in first.items():
        assert taken(size) == files, size
    assert len({files[0] for files in first.values()}) > 6


def test_a_file_as_of_now_says_what_the_rows_say(lives: Lives) -> None:
    for live in LIVES.values():
        live(lives)
    seal(lives.runtime)
    now = rows(b"".join(attempts_file(AttemptQuery())).decode())
    then = rows(taken(newest())[0].decode())
    assert [each["id"] for each in then] == [each["id"] for each in now]
    for is_so, was in zip(now, then, strict=True):
        if is_so["state"] == "sending":
            is_so["state"] = "accepted"
        assert was == is_so


def test_what_is_not_in_the_log_yet_is_not_in_the_file(lives: Lives) -> None:
    attempt_id = lives.settled()
    seal(lives.runtime)
    size = newest()
    before = taken(size)
    lives.settled()
    reopen(attempt_id=attempt_id, note=NOTE, by=someone("olga"), runtime=lives.runtime)
    assert taken(size) == before
    drain(lives.runtime)
    assert taken(size) == before


@pytest.mark.parametrize(
    ("query", "sorts"),
    [
        (AttemptQuery(), False),
        (AttemptQuery(state=State.ANSWERED), False),
        (AttemptFilter(region="sandbox"), False),
        (AttemptQuery(biz_no="ONB-1"), True),
        (AttemptFilter(identifier="ONB-1"), True),
    ],
)
def test_only_what_finds_few_is_sorted(
    query: AttemptQuery | AttemptFilter, sorts: bool, lives: Lives
) -> None:
    """A file of millions begins at once; one of a single number does not read all of them."""
    lives.settled()
    seal(lives.runtime)
    with CaptureQueriesContext(connection) as queries:
        b"".join(attempts_file(query, as_of=LedgerCheckpoint.objects.get(pk=newest())))
    begun = next(each["sql"] for each in queries if "REPEATABLE READ" in each["sql"])
    assert ("enable_sort = off" in begun) is not sorts


def test_a_size_without_a_checkpoint_or_from_before_is_not_repeatable(lives: Lives) -> None:
    lives.settled()
    seal(lives.runtime)
    checkpoint = LedgerCheckpoint.objects.latest("size")
    assert repeatable_checkpoint(checkpoint.size) == checkpoint
    assert repeatable_checkpoint(checkpoint.size + 1) is None
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_migrations SET applied = applied + interval '10 years'"
            " WHERE name = '0024_past'"
        )
        try:
            assert repeatable_checkpoint(checkpoint.size) is None
        finally:
            cursor.execute(
                "UPDATE django_migrations SET applied = applied - interval '10 years'"
                " WHERE name = '0024_past'"
            )


def test_the_command_writes_the_same_file_again_and_says_as_of_what(
    lives: Lives, tmp_path: Path
) -> None:
    attempt_id = lives.settled()
    seal(lives.runtime)
    size = newest()
    form = ("--columns", "id,state,created_at", "--layout", "jsonl", "--gzip")
    first, again = tmp_path / "first", tmp_path / "again"
    reported = StringIO()
    call_command(
        "attempts_export", "--as-of", "latest", *form, f"--output={first}", stderr=reported
    )
    lives.settled()
    call_command("attempts_export", f"--as-of={size}", *form, f"--output={again}", stderr=reported)
    assert first.read_bytes() == again.read_bytes()
    [line] = gzip.decompress(again.read_bytes()).splitlines()
    assert json.loads(line)["id"] == str(attempt_id)
    assert reported.getvalue().count(f"as of size {size} of the log\n") == 2
    assert "lines" not in reported.getvalue()
    drain(lives.runtime)
    entries = [
        parse(bytes(each.raw))
        for each in LedgerEntry.objects.filter(kind="export.created").order_by("index")
    ]
    assert [(each["as_of"], each["layout"]) for each in entries] == [(size, "jsonl")] * 2
    assert entries[0]["columns"] == ["id", "state", "created_at"]
