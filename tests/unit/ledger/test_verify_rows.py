"""The parts of the offline check that are quick by other means than the obvious ones."""

import json
import random
import string

import pytest

from verification.ledger import verify_proof
from verification.ledger.canonical import Json, canonical
from verification.ledger.verify_rows import Opening, read_entry

DIGEST = "0123456789abcdef" * 4
ENTRY: dict[str, Json] = {
    "at": "2026-11-23T10:00:00.000001Z",
    "attempt": "01941f29-7edb-7c4c-8a42-38a0b923820d",
    "commitments": {"result": DIGEST, "scores": DIGEST[::-1]},
    "evidence": [{"id": DIGEST[:36], "kind": "image_best", "size_bytes": 64}],
    "kind": "attempt.settled",
    "say": '\\" ":" \\":12, "size_bytes":7 }',
    "size_bytes": 100_001,
}
TEXT = canonical(ENTRY).decode()


def opening(**changes: object) -> bytes:
    """Return a line that opens an attempt."""
    said = {"id": "a", "key": DIGEST, "values": {}, **changes}
    return json.dumps({name: each for name, each in said.items() if each is not None}).encode()


def test_a_commitment_is_the_one_that_proofs_know() -> None:
    chosen = random.Random(7)
    for size in (0, 1, 40, 63, 64, 65, 1000):
        key = chosen.randbytes(32)
        said = "".join(chosen.choices(string.printable + "\u00e9\u4e2d\U0001f600", k=size))
        name = chosen.choice(["subject", "result", "n" * size])
        found = Opening(opening(key=key.hex())).commitment(name, said)
        assert found == verify_proof.commitment(key, name, said)


def test_an_entry_is_read_as_it_is() -> None:
    assert read_entry(TEXT.encode()) == ENTRY
    assert read_entry(TEXT.encode()) == ENTRY


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"at":', '"at": '),
        ('"size_bytes":100001}', '"size_bytes":100001 }'),
        ('"size_bytes":100001}', '"size_bytes":100001,"size_bytes":100001}'),
        ('"size_bytes":100001}', '"size_bytes":100001}\n'),
        ('"size_bytes":100001}', '"size_bytes":100001.0}'),
        ('"size_bytes":100001}', '"size_bytes":1e5}'),
        ('"size_bytes":64', '"size_bytes":064'),
        ('"size_bytes":64', '"size_bytes":-0'),
        ('"kind":"attempt.settled"', '"kind":"attempt\\u002esettled"'),
        ('"at":"2026', '"at":"\\u0032026'),
        ('{"at"', ' {"at"'),
        ('"result":', '"zesult":'),
        ('"kind":"attempt.settled",', ""),
    ],
)
def test_what_is_not_canonical_is_refused(old: str, new: str) -> None:
    assert TEXT.count(old)
    changed = TEXT.replace(old, new, 1)
    if new == "":
        changed = f'{{"kind":"attempt.settled",{changed[1:]}'
    with pytest.raises(ValueError):  # of JSON, or ours
        read_entry(changed.encode())


@pytest.mark.parametrize("text", ["[]", '"x"', "12", "null", "", "{", '{"a":NaN}', '{"a":1}x'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_entry(text.encode())


def test_a_changed_byte_is_refused_or_read_otherwise() -> None:
    """Whatever a byte becomes: nothing that is not canonical passes for canonical."""
    chosen = random.Random(11)
    raw = TEXT.encode()
    for _ in range(3_000):
        at = chosen.randrange(len(raw))
        changed = (
            raw[:at] + chosen.choice(b' "\\:,{}[]0123456789abcfzTZ-.').to_bytes() + raw[at + 1 :]
        )
        try:
            said = read_entry(changed)
        except ValueError:
            continue
        assert canonical(dict(said)) == changed


@pytest.mark.parametrize(
    "line",
    [
        opening(key="x"), opening(key=None), opening(values=None), opening(more=1), b"{}", b"[]",
        opening() + b" ", b'{"id":"a","key":"' + DIGEST.encode() + b'"}',
    ],
)  # fmt: skip
def test_an_opening_of_another_form_is_refused(line: bytes) -> None:
    with pytest.raises((ValueError, AttributeError)):
        Opening(line)


def test_an_erased_record_has_its_id_only() -> None:
    found = Opening(b'{"id":"a"}')
    assert (found.is_erased, found.attempt, found.values) == (True, "a", {})
