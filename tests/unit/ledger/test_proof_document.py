"""A proof document is written as its page says, and never tells what it must not."""

import json

import pytest

from tests.unit.ledger.proof_samples import (
    FIRST,
    KEY,
    LOG_11,
    SUBMITTED,
    document,
    vectors,
)
from tests.unit.ledger.samples import VECTORS
from verification.ledger.errors import LedgerError
from verification.ledger.keys import decode_base64
from verification.ledger.proof_document import (
    MAX_BYTES,
    ProofDocument,
    ProvedAttempt,
    ProvedEntry,
    to_json,
)


def test_a_document_holds_its_parts_by_the_names_of_the_format() -> None:
    told = json.loads(to_json(document(grown_from=7)))
    first, second = told["attempts"]
    entry = first["entries"][0]
    assert told["format"] == "verification-proof/v1"
    assert told["checkpoint"].encode() == LOG_11.note()
    assert (first["id"], first["key"], second["key"]) == (FIRST, KEY.hex(), None)
    assert (entry["index"], entry["raw"].encode()) == (2, LOG_11.raws[2])
    assert tuple(map(decode_base64, entry["proof"])) == LOG_11.entry(2).proof
    assert entry["values"] == SUBMITTED
    assert told["consistency"]["old"].encode() == LOG_11.note(7)
    assert tuple(map(decode_base64, told["consistency"]["proof"])) == LOG_11.growth(7).proof


def test_it_is_indented_ascii_and_always_the_same() -> None:
    raw = to_json(document())
    assert raw == to_json(document())
    assert raw.isascii()
    assert raw.startswith(b'{\n "format": "verification-proof/v1",\n "checkpoint": "log.example/')
    assert raw.endswith(b'\n "consistency": null\n}\n')


def test_the_order_in_which_values_are_given_does_not_show() -> None:
    turned = dict(reversed(SUBMITTED.items()))
    written = [
        to_json(ProofDocument(b"", [ProvedAttempt(FIRST, KEY, [LOG_11.entry(2, each)])]))
        for each in (SUBMITTED, turned)
    ]
    assert written[0] == written[1]


def test_a_data_key_is_refused() -> None:
    with pytest.raises(LedgerError, match="data key"):
        ProvedEntry(0, b"{}", (), {"evidence_key": "00"})


def test_values_without_a_key_are_refused() -> None:
    with pytest.raises(LedgerError, match="without the key"):
        ProvedAttempt(FIRST, None, [LOG_11.entry(2, SUBMITTED)])


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(LedgerError, match="32 bytes"):
        ProvedAttempt(FIRST, b"k" * length, ())


def test_keys_and_values_are_not_printed() -> None:
    shown = repr(document())
    assert "order-17" not in shown
    assert repr(KEY) not in shown


def test_a_document_that_no_verifier_would_read_is_not_written() -> None:
    entry = LOG_11.entry(2, {"biz_no": "x" * MAX_BYTES})
    with pytest.raises(LedgerError, match="longer"):
        to_json(ProofDocument(b"", [ProvedAttempt(FIRST, KEY, [entry])]))


def test_the_vectors_are_what_the_code_writes() -> None:
    stored = {
        path.stem.removeprefix("proof_"): path.read_bytes() for path in VECTORS.glob("proof_*.json")
    }
    assert stored == vectors()
