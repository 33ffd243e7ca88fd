"""Entries are written member by member: they must be canonical all the same."""

import json
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.ledger.canonical import MAX_BYTES, canonical, parse
from verification.ledger.commitment import commit
from verification.ledger.errors import CanonicalError
from verification.services.entries import (
    Added,
    KeptItem,
    accepted_entry,
    kept_entry,
    read_labels,
    reconciled_entry,
    settled_entry,
)

KEY = b"k" * 32
AT = "2026-01-31T09:30:00.123456Z"
ID = "019c1374-5f9b-7c3a-9d3e-2f1a5b6c7d8e"
texts = st.text(st.characters(codec="utf-8"), max_size=20)
committed = st.dictionaries(
    st.sampled_from(["biz_no", "subject", "request_id", "result", "risk"]), st.none() | texts
)
items = st.lists(
    st.builds(
        KeptItem,
        id=st.just(ID),
        kind=texts,
        size_bytes=st.integers(0, 2**31 - 1),
        sha256=st.just("ab" * 32),
        sealed_sha256=st.just("cd" * 32),
    ),
    max_size=3,
)
added = st.builds(Added, items=items, data_key=st.none() | st.just("ef" * 32))


@given(region=texts, session=st.none() | st.just(ID), given_texts=committed)
def test_an_acceptance_is_canonical(
    region: str, session: str | None, given_texts: dict[str, str | None]
) -> None:
    raw = accepted_entry(
        key=KEY,
        at=AT,
        attempt=ID,
        client=ID,
        region=region,
        session=session,
        packet_sha256="00" * 32,
        packet_size_bytes=7,
        texts=given_texts,
    )
    said = parse(raw)
    assert (said["region"], said["session"], said["packet"]) == (
        region,
        session,
        {"sha256": "00" * 32, "size_bytes": 7},
    )
    assert said["commitments"] == {
        name: commit(KEY, name, text.encode()).hex()
        for name, text in given_texts.items()
        if text is not None
    }
    assert canonical(said) == raw


@given(given_texts=committed, added=added, sent_at=st.none() | st.just(AT))
def test_what_comes_after_is_canonical(
    given_texts: dict[str, str | None], added: Added, sent_at: str | None
) -> None:
    common = {"key": KEY, "at": AT, "attempt": ID, "added": added}
    known = MappingProxyType({"aaa": "00" * 32})
    entries = [
        settled_entry(
            **common,  # type: ignore[arg-type]  # one dictionary for three calls
            send_no=1,
            sent_at=sent_at,
            state="answered",
            texts=given_texts,
            known=known,
        ),
        reconciled_entry(**common, state="closed", texts=given_texts),  # type: ignore[arg-type]  # the same
        kept_entry(**common),  # type: ignore[arg-type]  # the same
    ]
    for raw in entries:
        said = parse(raw)
        assert canonical(said) == raw
        listed = json.loads(raw)["evidence"]
        assert [each["kind"] for each in listed] == [each.kind for each in added.items]
        assert read_labels(raw)[0] == said["kind"]


def test_the_commitment_to_evidence_is_the_text_that_postgresql_would_write() -> None:
    item = KeptItem(ID, 'a "b"', 1, "ab" * 32, "cd" * 32)
    assert json.loads(str(Added([item]).texts()["evidence"])) == [['a "b"', "ab" * 32]]


@pytest.mark.parametrize("region", ["\ud800", "x" * MAX_BYTES])
def test_what_no_entry_can_hold_is_refused(region: str) -> None:
    with pytest.raises(CanonicalError):
        accepted_entry(
            key=KEY,
            at=AT,
            attempt=ID,
            client=ID,
            region=region,
            session=None,
            packet_sha256="00" * 32,
            packet_size_bytes=7,
            texts={},
        )


@pytest.mark.parametrize("raw", [b"{}", b'{"kind":1}', b'{"kind":"With Space"}', b'{"kind":""}'])
def test_an_entry_without_a_kind_has_no_labels(raw: bytes) -> None:
    with pytest.raises(CanonicalError):
        read_labels(raw)
