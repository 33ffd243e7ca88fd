"""Rotation: every key comes under the new one, whatever happens meanwhile, and all still opens."""

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from tests.factories import NOON, erase
from tests.integration.keys.rings import (
    BOTH,
    KEYS,
    NEW,
    OLD,
    ONLY_NEW,
    by_kek,
    ciphertexts,
    fails,
    holding,
    opened,
    recorded,
)
from tests.integration.ledger.lives import Lives, drain
from tests.owner import unguarded
from verification.faceid.signing import SignError, sign
from verification.faceid.types import Credentials
from verification.ledger.canonical import parse
from verification.models import ApiClient, ApiKey, EvidenceKey, VerificationAttempt
from verification.models.erasure import LegalBasis
from verification.services.clients import authenticate_sign, issue_key_pair, revoke_key
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.rotation import Broken, rotate_keys
from verification.services.runtime import Runtime
from verification.services.verifying import verify
from verification.vault.keyring import Keyring

pytestmark = pytest.mark.django_db(transaction=True)

CHILD = Path(__file__).parent / "rotating_child.py"


@pytest.fixture
def settled(lives: Lives) -> list[UUID]:
    """Store twelve attempts with evidence under the old key."""
    return [lives.settled() for _ in range(12)]


def test_every_key_comes_under_the_primary_and_the_old_one_may_go(
    settled: list[UUID], key_pair: tuple[str, str], runtime: Runtime
) -> None:
    stored, plain = ciphertexts(), opened(runtime.conf.keyring)
    rotated = rotate_keys(runtime=holding(runtime, BOTH), batch=5)
    assert (rotated.evidence_keys, rotated.api_keys, rotated.broken) == (12, 1, 0)
    assert by_kek() == {NEW: 12}
    assert ciphertexts() == stored
    assert opened(ONLY_NEW) == plain
    assert fails(lambda: opened(runtime.conf.keyring))
    after = holding(runtime, ONLY_NEW)
    assert authenticate_sign(sign=signed(key_pair, after), runtime=after).name == "onboarding"


def signed(key_pair: tuple[str, str], runtime: Runtime) -> str:
    """Sign as a drop-in client does."""
    now = int(runtime.now().timestamp())
    return sign(Credentials(*key_pair), current_time=now, expire_time=now + 60, random=17)


def test_each_batch_is_one_entry_and_the_verification_holds(
    settled: list[UUID], key_pair: tuple[str, str], runtime: Runtime
) -> None:
    drain(runtime)
    rotate_keys(runtime=holding(runtime, BOTH), batch=5)
    entries = [parse(raw) for raw in recorded()]
    assert [(each["what"], each["count"]) for each in entries] == [
        ("evidence keys", 5),
        ("evidence keys", 5),
        ("evidence keys", 2),
        ("API keys", 1),
    ]
    for each in entries:
        assert set(each) == {"at", "count", "from", "kind", "to", "what"}
        assert (each["from"], each["to"]) == ({OLD: each["count"]}, NEW)
    drain(runtime)
    after = holding(runtime, ONLY_NEW)
    assert verify(runtime=after).faults == ()


def test_a_second_run_finds_nothing_and_records_nothing(
    settled: list[UUID], runtime: Runtime
) -> None:
    ring = holding(runtime, BOTH)
    rotate_keys(runtime=ring)
    before = recorded(), EvidenceKey.objects.order_by("pk").values_list("sealed").first()
    again = rotate_keys(runtime=ring)
    assert (again.evidence_keys, again.api_keys) == (0, 0)
    after = recorded(), EvidenceKey.objects.order_by("pk").values_list("sealed").first()
    assert after == before


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_run_that_is_killed_is_continued_by_the_next(
    batches: int, settled: list[UUID], runtime: Runtime
) -> None:
    plain = opened(runtime.conf.keyring)
    command = [sys.executable, str(CHILD), str(connection.settings_dict["NAME"]), str(batches)]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert ended.returncode == -9, ended.stderr.decode()
    assert by_kek() == Counter({OLD: 12 - 5 * batches, NEW: 5 * batches})
    assert len(recorded()) == batches
    assert opened(BOTH) == plain
    rotated = rotate_keys(runtime=holding(runtime, BOTH), batch=5)
    assert rotated.evidence_keys == 12 - 5 * batches
    assert opened(ONLY_NEW) == plain


def test_a_row_in_use_is_waited_for_at_the_end(settled: list[UUID], runtime: Runtime) -> None:
    is_held, is_near_end = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            EvidenceKey.objects.select_for_update().get(pk=settled[0])
            is_held.set()
            assert is_near_end.wait(20)
        connection.close()

    def progress(_store: str, done: int) -> None:
        if done == 11:
            is_near_end.set()

    with ThreadPoolExecutor(1) as pool:
        holding_on = pool.submit(hold)
        assert is_held.wait(20)
        rotated = rotate_keys(runtime=holding(runtime, BOTH), batch=5, progress=progress)
        holding_on.result()
    assert rotated.evidence_keys == 12
    assert by_kek() == {NEW: 12}


def test_an_erased_key_stays_erased(settled: list[UUID], runtime: Runtime) -> None:
    erase(VerificationAttempt.objects.get(pk=settled[3]), at=runtime.now())
    before = EvidenceKey.objects.filter(pk=settled[3]).values().get()
    assert rotate_keys(runtime=holding(runtime, BOTH)).evidence_keys == 11
    assert EvidenceKey.objects.filter(pk=settled[3]).values().get() == before
    assert before["kek_id"] == OLD


def test_submissions_erasures_and_two_rotations_at_once(
    settled: list[UUID], lives: Lives, runtime: Runtime
) -> None:
    start = threading.Barrier(4)
    first, second = (User.objects.create_superuser(name) for name in ("first", "second"))

    def submit(ring: Runtime) -> list[UUID]:
        start.wait()
        return [replace(lives, runtime=ring).settled() for _ in range(15)]

    def remove() -> None:
        start.wait()
        for each in settled[:6]:
            request = request_erasure(
                attempt_id=each,
                legal_basis=LegalBasis.SUBJECT_REQUEST,
                reason="asked for it in a letter",
                by=first,
                runtime=runtime,
            )
            decide_erasure(erasure_id=request.pk, approve=True, by=second, runtime=runtime)

    def rotate() -> None:
        start.wait()
        for _ in range(10):
            rotate_keys(runtime=holding(runtime, BOTH), batch=3)

    jobs: list[Callable[[], object]] = [lambda: submit(runtime), remove, rotate, rotate]
    with ThreadPoolExecutor(4) as pool:
        for ended in [pool.submit(_closing, job) for job in jobs]:
            ended.result()
    rotate_keys(runtime=holding(runtime, BOTH))
    assert by_kek() == {NEW: 21}
    assert len(opened(ONLY_NEW)) == 42
    assert EvidenceKey.objects.filter(erased_at__isnull=False, sealed__isnull=True).count() == 6
    drain(runtime)
    assert verify(runtime=holding(runtime, ONLY_NEW)).faults == ()


def _closing(job: Callable[[], object]) -> None:
    try:
        job()
    finally:
        connection.close()


def test_a_key_that_does_not_open_is_named_and_holds_nothing_up(
    settled: list[UUID], runtime: Runtime
) -> None:
    with unguarded("verification_evidence_key"):
        EvidenceKey.objects.filter(pk=settled[4]).update(sealed=b"\x01" * 61)
    told: list[Broken] = []
    rotated = rotate_keys(runtime=holding(runtime, BOTH), batch=5, complain=told.append)
    assert (rotated.evidence_keys, rotated.broken) == (11, 1)
    assert [(each.store, each.id) for each in told] == [("evidence keys", settled[4])]
    assert by_kek() == {NEW: 11, OLD: 1}


def test_two_keys_that_changed_places_are_not_wrapped_as_if_they_were_right(
    settled: list[UUID], runtime: Runtime
) -> None:
    one, other = (EvidenceKey.objects.get(pk=each) for each in settled[:2])
    with unguarded("verification_evidence_key"):
        EvidenceKey.objects.filter(pk=one.pk).update(sealed=other.sealed)
    assert rotate_keys(runtime=holding(runtime, BOTH)).broken == 1


def test_keys_under_an_id_that_the_keyring_lacks_are_left(
    settled: list[UUID], runtime: Runtime
) -> None:
    assert rotate_keys(runtime=holding(runtime, ONLY_NEW)).evidence_keys == 0
    assert by_kek() == {OLD: 12}


def test_keys_of_several_ids_all_come_under_the_primary(
    settled: list[UUID], lives: Lives, runtime: Runtime
) -> None:
    middle = Keyring(NEW, KEYS)
    replace(lives, runtime=holding(runtime, middle)).settled()
    third = Keyring("test-3", MappingProxyType({**KEYS, "test-3": b"\x03" * 32}))
    assert rotate_keys(runtime=holding(runtime, third)).evidence_keys == 13
    assert by_kek() == {"test-3": 13}


def test_revoked_key_pairs_are_wrapped_anew_as_well(
    client_app: ApiClient, runtime: Runtime
) -> None:
    ring = runtime.conf.keyring
    pair = issue_key_pair(client=client_app, keyring=ring, now=NOON)
    revoke_key(key=pair.key, now=NOON)
    assert rotate_keys(runtime=holding(runtime, BOTH)).api_keys == 1
    assert ApiKey.objects.get(pk=pair.key.pk).kek_id == NEW
    with pytest.raises(SignError):
        authenticate_sign(
            sign=signed((pair.key.public_id, pair.secret), runtime),
            runtime=holding(runtime, ONLY_NEW),
        )
