"""A document is read strictly: everything is there, nothing else, and each of its kind."""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.ledger.canonical import MAX_BYTES
from verification.policy.document import (
    BUILT_IN,
    LONGEST_LIST,
    LONGEST_NAME,
    MAX_COUNT,
    MAX_HOURS,
    MAX_MINUTES,
    Policy,
    PolicyError,
    make_policy,
    read_policy,
    write_document,
)
from verification.policy.terms import Decision, Priority, Reason

VECTORS = Path(__file__).parents[2] / "vectors" / "policy" / "documents.json"
RAW = write_document(BUILT_IN)


def built_in() -> dict[str, Any]:
    """Return the built-in document, to be changed."""
    return deepcopy(dict(BUILT_IN))


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Set one member by its path."""
    *parents, name = path.split(".")
    place: Any = document
    for each in parents:
        place = place[int(each) if isinstance(place, list) else each]
    place[int(name) if isinstance(place, list) else name] = value
    return document


def test_the_built_in_policy_reads_as_it_is_written() -> None:
    policy = read_policy(RAW)
    assert policy == make_policy(BUILT_IN)
    assert policy.margin == Decimal(2)
    assert policy.sla_minutes[Priority.URGENT] == 60
    assert policy.reason_codes[0].decisions == {Decision.APPROVED}
    assert Reason.DEVICE_TAG in policy.second_person


def test_the_built_in_policy_is_not_to_be_changed_by_chance() -> None:
    with pytest.raises(TypeError):
        BUILT_IN["margin"] = "3"  # type: ignore[index]


MEMBERS = [*BUILT_IN, "outcomes.verified", "states.in_doubt", "failures.count", "failures.hours"]
MEMBERS += ["sla_minutes.urgent", "reason_codes.0.code", "reason_codes.0.label"]
MEMBERS += ["reason_codes.0.decisions"]


@pytest.mark.parametrize("path", MEMBERS)
def test_nothing_may_be_missing(path: str) -> None:
    document = built_in()
    *parents, name = path.split(".")
    place: Any = document
    for each in parents:
        place = place[int(each) if isinstance(place, list) else each]
    del place[name]
    with pytest.raises(PolicyError, match=f"{name} missing"):
        make_policy(document)


@pytest.mark.parametrize("parent", ["", "outcomes", "states", "failures", "sla_minutes"])
def test_nothing_may_be_there_beside(parent: str) -> None:
    path = f"{parent}.more" if parent else "more"
    with pytest.raises(PolicyError, match="more unknown"):
        make_policy(put(built_in(), path, 1))


MARGINS = ("", "-1", "+1", "1.", ".5", "01", "1e1", "NaN", "100.001", "101", "1.0000", " 1", "1\n")
TOO_LONG = "x" * (LONGEST_NAME + 1)
TOO_MANY = [str(number) for number in range(LONGEST_LIST + 1)]
CODES = ("", "Same", "1st", "_x", "a-b", "x" * 41, 1, None, "a\n", "same_person")
WRONG: dict[str, Sequence[Any]] = {
    "schema": (2, "1", None),
    "outcomes": ([], None),
    "outcomes.verified": ("", "Approved", 1, None, []),
    "outcomes.source_failed": ("approve", True),
    "states": ("review",),
    "states.rejected": ("maybe",),
    "threshold": ("1e-2", 0, None),
    "margin": (*MARGINS, 2, None, "\u0661", True, []),
    **dict.fromkeys(
        ("device_tags", "device_levels", "verify_tags"),
        (None, "is_root", {}, [1], [None], [""], [TOO_LONG], ["a", "a"], TOO_MANY),
    ),
    "failures": (3,),
    "failures.count": (0, -1, MAX_COUNT + 1, "3", True, None, []),
    "failures.hours": (0, MAX_HOURS + 1, "24", False),
    **dict.fromkeys(
        ("always_review", "second_person"),
        (["unknown"], ["device_tag", "device_tag"], [1], "device_tag", {}, None),
    ),
    "priorities": ([], {"unknown": "high"}, {"device_tag": "High"}, {"device_tag": 1}),
    "sla_minutes.urgent": (0, MAX_MINUTES + 1, "60", True),
    "sla_minutes.normal": (None,),
    "lease_minutes": (0, -5, MAX_MINUTES + 1, "30", None, True),
    "reason_codes": ({}, []),
    "reason_codes.0": ("same_person",),
    "reason_codes.1.code": CODES,
    "reason_codes.0.decisions": ([], ["review"], ["approved", "approved"], "approved", None),
    "reason_codes.0.label": ("", TOO_LONG, 1, None),
}
PAIRS = [(path, value) for path, values in WRONG.items() for value in values]


@pytest.mark.parametrize(
    ("path", "value"), PAIRS, ids=[f"{path}: {repr(value)[:30]}" for path, value in PAIRS]
)
def test_each_member_is_of_its_kind(path: str, value: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        make_policy(put(built_in(), path, value))
    assert path.partition(".")[0] in str(caught.value)


RIGHT: list[tuple[str, Any]] = [
    ("margin", "0"),
    ("margin", "100"),
    ("margin", "100.000"),
    ("margin", "0.001"),
    ("device_tags", []),
    ("device_tags", ["*"]),
    ("device_tags", ["\u4e2d" * LONGEST_NAME]),
    ("device_tags", [str(n) for n in range(LONGEST_LIST)]),
    ("failures.count", MAX_COUNT),
    ("failures.hours", MAX_HOURS),
    ("sla_minutes.urgent", MAX_MINUTES),
    ("always_review", [each.value for each in Reason]),
    ("second_person", []),
    ("priorities", {}),
    ("priorities", {each.value: "urgent" for each in Reason}),
    ("reason_codes.0.code", "x" * 40),
]


@pytest.mark.parametrize(
    ("path", "value"), RIGHT, ids=[f"{path}: {repr(value)[:30]}" for path, value in RIGHT]
)
def test_each_member_may_go_to_its_ends(path: str, value: Any) -> None:
    assert isinstance(read_policy(write_document(put(built_in(), path, value))), Policy)


def test_every_decision_must_be_explained_by_a_code() -> None:
    document = built_in()
    document["reason_codes"] = [{"code": "x", "decisions": ["approved"], "label": "X"}]
    with pytest.raises(PolicyError, match="none explains rejected, retry"):
        make_policy(document)


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "no JSON": lambda _: b"policy",
    "a list": lambda _: b"[]",
    "text after": lambda raw: raw + b" ",
    "text before": lambda raw: b"\xef\xbb\xbf" + raw,
    "indented": lambda raw: json.dumps(json.loads(raw), indent=1).encode(),
    "another order": lambda raw: json.dumps(
        dict(reversed(json.loads(raw).items())), separators=(",", ":")
    ).encode(),
    "a member twice": lambda raw: raw.replace(b'"schema":1', b'"schema":1,"schema":1'),
    "a fraction": lambda raw: raw.replace(b'"schema":1', b'"schema":1.0'),
    "an escape": lambda raw: raw.replace(b'"schema"', b'"\\u0073chema"'),
    "not UTF-8": lambda raw: raw.replace(b"Same person", b"\xff"),
    "too long": lambda raw: raw[:-1] + b',"x":"' + b"x" * MAX_BYTES + b'"}',
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_only_the_canonical_bytes_are_read(spell: Callable[[bytes], bytes]) -> None:
    with pytest.raises(PolicyError, match="canonical"):
        read_policy(spell(RAW))


def test_a_document_without_a_canonical_form_is_refused() -> None:
    for name in ("\ud800", "x" * 50):
        document = built_in()
        many = [f"{number:04}" + "\u4e2d" * 90 for number in range(LONGEST_LIST)]
        document["device_tags"] = [name] if name == "\ud800" else many
        document["device_levels"] = many
        with pytest.raises(PolicyError, match="canonical"):
            write_document(document)


JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(MEMBERS), JUNK)
def test_whatever_stands_there_is_read_or_refused(path: str, junk: Any) -> None:
    document = put(built_in(), path, junk)
    try:
        policy = make_policy(document)
    except PolicyError:
        return
    assert read_policy(write_document(document)) == policy


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()), ids=lambda each: each["name"])
def test_the_vectors_hold(vector: dict[str, Any]) -> None:
    raw = vector["document"].encode()
    if vector["error"] is None:
        assert isinstance(read_policy(raw), Policy)
        assert write_document(json.loads(raw)) == raw
        return
    with pytest.raises(PolicyError) as caught:
        read_policy(raw)
    assert str(caught.value) == vector["error"]
