"""The log over HTTP: what an outsider gets suffices to check it, and tells nothing of a person."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from tests.integration.ledger.lives import Lives, ahead, drain, seal
from tests.owner import unguarded
from verification.ledger.canonical import canonical, parse
from verification.ledger.checkpoint import Checkpoint, cosign, open_checkpoint
from verification.ledger.keys import SignatureType, SigningKey
from verification.ledger.merkle import Frontier, leaf_hash
from verification.ledger.proofs import verify_consistency, verify_inclusion
from verification.models import ApiClient, LedgerCheckpoint, LedgerCosignature, LedgerEntry
from verification.models.client import Scope
from verification.services import clients
from verification.services.runtime import Runtime
from verification.services.staging import stage

pytestmark = pytest.mark.django_db(transaction=True)

CHECKPOINT = "/api/v1/ledger/checkpoint/"
ENTRIES = "/api/v1/ledger/entries/"
CONSISTENCY = "/api/v1/ledger/consistency/"
WITNESS = SigningKey("witness.example/w1", SignatureType.COSIGNATURE, b"w" * 32)

Get = Callable[..., Any]


@pytest.fixture
def get(client: Client, bearer: str) -> Get:
    """Return what asks as the client, or with another key."""

    def ask(path: str, key: str = bearer, **headers: str) -> Any:
        return client.get(path, headers={"Authorization": f"Bearer {key}", **headers})

    return ask


@pytest.fixture
def stranger(stranger_app: ApiClient) -> str:
    """Return a key of another client, which may do everything."""
    return clients.issue_bearer_key(client=stranger_app, now=datetime.now(UTC)).secret


def key_with(*scopes: str) -> str:
    """Return a key of a client that may do only this."""
    now = datetime.now(UTC)
    client = clients.create_client(name=f"client-{uuid4()}", scopes=scopes, now=now)
    return clients.issue_bearer_key(client=client, now=now).secret


def opened(answer: Any, runtime: Runtime) -> Checkpoint:
    """Return the checkpoint of an answer, its signature verified."""
    assert answer.status_code == 200, answer.content
    return open_checkpoint(answer.content, log_keys=runtime.conf.ledger_vkeys).checkpoint


def code(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem."""
    assert answer["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def counted(number: int) -> bytes:
    """Return an entry that is only counted."""
    return canonical({"kind": "test.counted", "number": number})


def grow(runtime: Runtime, *sizes: int) -> list[LedgerCheckpoint]:
    """Stage so many entries and seal the log over them, for each; return the checkpoints."""
    for step, count in enumerate(sizes, 1):
        stage(counted(number) for number in range(count))
        seal(ahead(runtime, 100 * step))
    return list(LedgerCheckpoint.objects.order_by("size"))


def test_an_empty_log_has_nothing_to_show(get: Get) -> None:
    assert code(get(CHECKPOINT)) == (404, "not_found")
    assert code(get(CONSISTENCY + "?old=0")) == (404, "not_found")
    assert get(ENTRIES).json() == {"size": 0, "entries": [], "next": None}


def test_the_checkpoint_is_the_signed_note_byte_for_byte(get: Get, runtime: Runtime) -> None:
    newest = grow(runtime, 3, 4)[-1]
    answer = get(CHECKPOINT)
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Cache-Control"] == "no-cache"
    assert answer.content == bytes(newest.note)
    assert opened(answer, runtime).size == newest.size


def test_an_older_checkpoint_is_found_by_its_size(get: Get, runtime: Runtime) -> None:
    for each in grow(runtime, 3, 4):
        assert get(f"{CHECKPOINT}?size={each.size}").content == bytes(each.note)
    assert code(get(CHECKPOINT + "?size=1")) == (404, "not_found")


def test_a_witness_adds_its_line_and_changes_the_tag(get: Get, runtime: Runtime) -> None:
    newest = grow(runtime, 2)[-1]
    tag = get(CHECKPOINT)["ETag"]
    known = get(CHECKPOINT, **{"If-None-Match": f'W/{tag}, "other"'})
    assert (known.status_code, known.content, known["ETag"]) == (304, b"", tag)
    line = cosign(bytes(newest.note), WITNESS, time_s=1).decode().splitlines()[-1]
    LedgerCosignature.objects.create(
        checkpoint=newest, witness=WITNESS.name, line=line, cosigned_at=datetime.now(UTC)
    )
    changed = get(CHECKPOINT, **{"If-None-Match": tag})
    assert changed.status_code == 200
    trusted = runtime.conf.ledger_vkeys
    note = open_checkpoint(changed.content, log_keys=trusted, witnesses=[WITNESS.verifier])
    assert [each.witness for each in note.cosignatures] == [WITNESS.verifier]


def test_all_entries_lead_to_the_root_of_the_checkpoint(
    get: Get, lives: Lives, runtime: Runtime
) -> None:
    lives.submitted()
    grow(runtime, 2500)
    leaves: list[bytes] = []
    pages = [get(ENTRIES).json()]
    while following := pages[-1]["next"]:
        pages.append(get(following).json())
    for each in (each for page in pages for each in page["entries"]):
        assert each["index"] == len(leaves)
        leaves.append(leaf_hash(each["raw"].encode()))
        assert each["leaf_hash"] == leaves[-1].hex()
    checkpoint = opened(get(CHECKPOINT), runtime)
    assert [len(page["entries"]) for page in pages] == [1000, 1000, checkpoint.size - 2000]
    assert {page["size"] for page in pages} == {checkpoint.size}
    assert Frontier.empty().append_all(leaves)[0].root() == checkpoint.root


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        ("?start=0&end=1", [0]),
        ("?start=1&end=3", [1, 2]),
        ("?end=2", [0, 1]),
        ("?start=2&end=2", []),
        ("?start={size}", []),
        ("?start=0&end={size}", None),
    ],
)
def test_a_range_is_half_open(
    get: Get, runtime: Runtime, query: str, indexes: list[int] | None
) -> None:
    size = grow(runtime, 3)[-1].size
    page = get(ENTRIES + query.format(size=size)).json()
    expected = list(range(size)) if indexes is None else indexes
    assert [each["index"] for each in page["entries"]] == expected
    assert page["next"] is None


BAD = ["-1", "01", "1.0", "x", "", "1e3", "%D9%A1", "+1", "9" * 16, "%00"]


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize(
    "path",
    [
        CHECKPOINT + "?size=",
        ENTRIES + "?start=",
        ENTRIES + "?end=",
        CONSISTENCY + "?old=",
        CONSISTENCY + "?old=1&new=",
    ],
)
def test_what_is_no_number_is_refused(get: Get, path: str, text: str) -> None:
    assert code(get(path + text)) == (400, "invalid_parameter")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (ENTRIES + "?start=2&end=1", (400, "invalid_range")),
        (ENTRIES + "?start=99999", (400, "invalid_range")),
        (ENTRIES + "?end=99999", (400, "invalid_range")),
        (ENTRIES + "?end=999999999999999", (400, "invalid_range")),
        (CONSISTENCY, (400, "invalid_parameter")),
        (CONSISTENCY + "?new=1", (400, "invalid_parameter")),
        (CONSISTENCY + "?old=2&new=1", (400, "invalid_range")),
        (CONSISTENCY + "?old=0&new=99999", (404, "not_found")),
        (CONSISTENCY + "?old=99999", (404, "not_found")),
        (CHECKPOINT + "?size=99999", (404, "not_found")),
        (CHECKPOINT + "?start=1", (400, "unknown_parameter")),
        (ENTRIES + "?start=1&start=1", (400, "invalid_parameter")),
    ],
)
def test_a_range_outside_the_log_is_refused(
    get: Get, runtime: Runtime, path: str, expected: tuple[int, str]
) -> None:
    grow(runtime, 3)
    assert code(get(path)) == expected


def test_an_entry_that_somebody_broke_is_shown_and_does_not_fit_its_hash(
    get: Get, runtime: Runtime
) -> None:
    grow(runtime, 3)
    with unguarded("verification_ledger_entry"):
        LedgerEntry.objects.filter(index=1).update(raw=b"\xff{}")
    page = get(ENTRIES).json()["entries"]
    fits = [leaf_hash(each["raw"].encode()).hex() == each["leaf_hash"] for each in page]
    assert (fits[0], fits[1], fits[2]) == (True, False, True)


def test_any_two_sizes_are_proved_consistent(get: Get, runtime: Runtime) -> None:
    checkpoints = grow(runtime, 3, 11, 30)
    roots = {0: Frontier.empty().root(), **{each.size: bytes(each.root) for each in checkpoints}}
    newest = checkpoints[-1].size
    for old, old_root in roots.items():
        for new, new_root in roots.items():
            if old > new:
                continue
            path = f"{CONSISTENCY}?old={old}" + ("" if new == newest else f"&new={new}")
            said = get(path).json()
            assert (said["old"], said["new"]) == (old, new)
            verify_consistency(
                old_size=old,
                new_size=new,
                proof=[base64.b64decode(each) for each in said["proof"]],
                old_root=old_root,
                new_root=new_root,
            )


@pytest.mark.parametrize("scope", Scope.values)
def test_each_address_asks_for_its_scope(get: Get, runtime: Runtime, scope: str) -> None:
    grow(runtime, 3)
    key = key_with(scope)
    may_check = scope in {Scope.LEDGER_READ, Scope.ATTEMPTS_READ}
    assert (get(CHECKPOINT, key).status_code == 200) == may_check
    assert (get(CONSISTENCY + "?old=1", key).status_code == 200) == may_check
    assert (get(ENTRIES, key).status_code == 200) == (scope == Scope.LEDGER_READ)
    if not may_check:
        assert code(get(CHECKPOINT, key)) == (403, "missing_scope")
        assert "ledger:read or attempts:read" in get(CHECKPOINT, key).json()["detail"]
    proof = get(f"/api/v1/attempts/{uuid4()}/proof/", key)
    assert proof.status_code == (404 if scope == Scope.ATTEMPTS_READ else 403)


@pytest.mark.parametrize("path", [CHECKPOINT, ENTRIES, CONSISTENCY])
def test_without_a_key_the_log_is_closed(client: Client, path: str) -> None:
    assert client.get(path).status_code == 401


def test_a_proof_holds_under_the_published_checkpoint(
    get: Get, lives: Lives, runtime: Runtime
) -> None:
    attempt_id = lives.submitted("ONB-77")
    grow(runtime, 5)
    answer = get(f"/api/v1/attempts/{attempt_id}/proof/")
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/json", "no-store")
    proof = answer.json()
    checkpoint = opened(get(CHECKPOINT), runtime)
    assert proof["checkpoint"].encode() == get(CHECKPOINT).content
    [proved] = proof["attempts"]
    assert proved["id"] == str(attempt_id)
    kinds = [parse(each["raw"].encode())["kind"] for each in proved["entries"]]
    assert kinds == ["attempt.accepted", "attempt.settled"]
    for each in proved["entries"]:
        verify_inclusion(
            leaf=leaf_hash(each["raw"].encode()),
            index=each["index"],
            size=checkpoint.size,
            proof=[base64.b64decode(hash_) for hash_ in each["proof"]],
            root=checkpoint.root,
        )
    assert proved["entries"][0]["values"]["biz_no"] == "ONB-77"


def test_a_proof_has_to_wait_for_a_checkpoint(get: Get, lives: Lives, runtime: Runtime) -> None:
    grow(runtime, 1)
    path = f"/api/v1/attempts/{lives.submitted()}/proof/"
    staged = get(path)
    drain(runtime)
    sequenced = get(path)
    for answer in (staged, sequenced):
        assert code(answer) == (409, "not_sealed")
        assert answer["Retry-After"] == "30"
    seal(ahead(runtime, 1000))
    assert get(path).status_code == 200


def test_a_stranger_gets_no_proof_and_reads_no_persons_value(
    get: Get, lives: Lives, runtime: Runtime, stranger: str
) -> None:
    attempt_id = lives.submitted("ONB-CANARY", uuid="subject-canary")
    seal(runtime)
    stolen = get(f"/api/v1/attempts/{attempt_id}/proof/", stranger)
    unknown = get(f"/api/v1/attempts/{UUID(int=7)}/proof/", stranger)
    assert code(stolen) == code(unknown) == (404, "not_found")
    assert stolen.json()["detail"] == unknown.json()["detail"]
    for path in (CHECKPOINT, ENTRIES, CONSISTENCY + "?old=1", f"/api/v1/attempts/{attempt_id}/"):
        text = get(path, stranger).content.decode().lower()
        assert "canary" not in text
    assert get(f"/api/v1/attempts/{attempt_id}/proof/").status_code == 200


def test_an_attempt_names_its_newest_entry_and_null_while_that_is_staged(
    get: Get, lives: Lives, runtime: Runtime
) -> None:
    attempt_id = lives.submitted("ONB-5")
    detail, page = f"/api/v1/attempts/{attempt_id}/", "/api/v1/attempts/?biz_no=ONB-5"
    assert get(detail).json()["ledger"] is None
    drain(runtime)
    newest = LedgerEntry.objects.filter(attempt_id=attempt_id).order_by("index").last()
    assert newest is not None
    assert newest.kind == "attempt.settled"
    said = {"leaf_hash": bytes(newest.leaf_hash).hex(), "index": newest.index}
    assert get(detail).json()["ledger"] == said
    assert [each["ledger"] for each in get(page).json()["results"]] == [said]


def test_each_attempt_of_a_page_names_its_own_entry(
    get: Get, lives: Lives, runtime: Runtime
) -> None:
    made = [lives.settled() for _ in range(4)]
    drain(runtime)
    staged = lives.settled()
    for each in get("/api/v1/attempts/").json()["results"]:
        if each["id"] == str(staged):
            assert each["ledger"] is None
            continue
        raw = bytes(LedgerEntry.objects.get(index=each["ledger"]["index"]).raw)
        assert parse(raw)["attempt"] == each["id"]
        assert each["ledger"]["leaf_hash"] == leaf_hash(raw).hex()
        made.remove(UUID(each["id"]))
    assert made == []
