"""The offline verifier: it accepts what holds, names what does not, and stands on its own."""

import ast
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.proof_alterations import BROKEN, UNREADABLE, entry
from tests.unit.ledger.proof_samples import (
    DATA_KEY,
    FIRST,
    KEY,
    LOG_11,
    SECOND,
    about,
    accepted,
    altered,
    content,
    document,
    later,
    log_of,
    settled,
    vectors,
    written,
)
from tests.unit.ledger.samples import (
    COSIGNED_AT_S,
    LOG,
    STRANGER,
    VECTORS,
    WITNESS,
    Tree,
    restamped,
)
from tests.unit.ledger.samples import vector as samples_vector
from verification.ledger import canonical as canonical_module
from verification.ledger import note as note_module
from verification.ledger import proof_document, verify_proof
from verification.ledger.anchors import anchor
from verification.ledger.checkpoint import Checkpoint, cosign, sign_checkpoint
from verification.ledger.commitment import commit
from verification.ledger.errors import ProofError
from verification.ledger.keys import SignatureType, SigningKey
from verification.ledger.merkle import leaf_hash
from verification.ledger.proof_document import to_json
from verification.ledger.proofs import (
    prove_consistency,
    prove_inclusion,
    verify_consistency,
    verify_inclusion,
)
from verification.services.entries import GROUPS

SCRIPT = Path(verify_proof.__file__)
PAGE = (SCRIPT.parents[2] / "docs/formats/proof.md").read_text()
VKEY = str(LOG.verifier)
SECOND_WITNESS = SigningKey("witness.example/w2", SignatureType.COSIGNATURE, b"v" * 32)
TREE = Tree(300)


def check(raw: bytes, folder: Path, *more: object, key: str = VKEY) -> tuple[int, str]:
    """Return the exit code and what is said of a document."""
    (folder / "proof.json").write_bytes(raw)
    out = StringIO()
    arguments = [str(folder / "proof.json"), "--key", key, *map(str, more)]
    return verify_proof.main(arguments, out), out.getvalue()


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_of_the_form_cannot_be_read(name: str, tmp_path: Path) -> None:
    code, said = check(altered(UNREADABLE[name]), tmp_path)
    assert code == 2, said
    assert said.startswith("Cannot be read: ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_altered_is_found_and_named(name: str, tmp_path: Path) -> None:
    alter, named = BROKEN[name]
    code, said = check(altered(alter), tmp_path)
    assert code == 1, said
    assert said.startswith("The proof does NOT hold. ")
    assert named in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ([settled(FIRST, KEY)], "entry 2: only the first"),
        ([accepted(FIRST, KEY), accepted(FIRST, KEY)], "entry 5: only the first"),
        ([accepted(FIRST, KEY), later(SECOND)], "entry 5: it is not about"),
        ([accepted(FIRST, KEY), later(FIRST, commitments=["x"])], "entry 5: its commitments"),
        ([accepted(FIRST, KEY), later(FIRST, commitments={"x": "y"})], "entry 5: its commitments"),
        ([accepted(FIRST, KEY), later(FIRST, commitments={"x": 1})], "entry 5: its commitments"),
        ([canonical_module.canonical({"kind": "attempt.accepted"})], "entry 2: it is not about"),
    ],
)
def test_a_log_that_says_what_cannot_be_is_found(
    entries: list[bytes], named: str, tmp_path: Path
) -> None:
    code, said = check(written(about(*entries)), tmp_path)
    assert (code, named in said) == (1, True), said


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'"' * 7,
        b'"' + b'\\"' * 1_000_000,
        b'"' + b"\\\n" * 1_000_000,
        b'["a\\',
        to_json(document()).replace(b'"index"', b'"index": 2, "index"', 1),
        b"\xef\xbb\xbf" + to_json(document()),
        to_json(document()) + b"{}",
        to_json(document()).replace(b'"index": 2', b'"index": -0', 1),
        to_json(document()).replace(b'"index": 2', b'"index": 2.0', 1),
        to_json(document()).replace(b"order-17", b"order\xff17", 1),
    ],
)
def test_bytes_that_are_no_document_cannot_be_read(raw: bytes, tmp_path: Path) -> None:
    assert check(raw, tmp_path)[0] == 2


def test_a_file_that_is_too_long_or_missing_cannot_be_read(tmp_path: Path) -> None:
    with (tmp_path / "long.json").open("wb") as file:
        file.truncate(verify_proof.MAX_PROOF_BYTES + 1)
    for name in ("long.json", "missing.json"):
        out = StringIO()
        assert verify_proof.main([str(tmp_path / name), "--key", VKEY], out) == 2
        assert out.getvalue().startswith("Cannot be read: ")


@pytest.mark.parametrize("name", [path.name for path in VECTORS.glob("proof_*.json")])
def test_vectors_are_judged_as_the_page_says(name: str, tmp_path: Path) -> None:
    told = re.search(rf"^\| `{name}` \| ([012]) \|", PAGE, re.MULTILINE)
    assert told, f"{name} does not stand on the page"
    assert check((VECTORS / name).read_bytes(), tmp_path)[0] == int(told[1])


def test_the_page_lists_no_other_vectors() -> None:
    listed = re.findall(r"^\| `proof_(\w+)\.json`", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(vectors())


def test_the_page_has_the_same_names_and_limits() -> None:
    rows = dict(re.findall(r"^\| (?:`?)(\w+)(?:`?) \| ((?:`\w+`(?:, )?)+) \|$", PAGE, re.MULTILINE))
    tables = {name: tuple(re.findall("`([^`]+)`", row)) for name, row in rows.items()}
    assert tables == {
        "document": tuple(verify_proof.DOCUMENT),
        "attempt": tuple(verify_proof.ATTEMPT),
        "entry": tuple(verify_proof.ENTRY),
        "consistency": tuple(verify_proof.CONSISTENCY),
        **verify_proof.GROUPS,
    }
    assert f"{verify_proof.MAX_PROOF_BYTES:,} bytes" in PAGE


def test_writer_and_verifier_agree_without_sharing() -> None:
    assert verify_proof.GROUPS == GROUPS
    assert verify_proof.FORMAT == proof_document.FORMAT
    assert verify_proof.MAX_PROOF_BYTES == proof_document.MAX_BYTES
    assert verify_proof.NEVER_TOLD == proof_document.NEVER_TOLD
    assert verify_proof.MAX_ENTRY_BYTES == canonical_module.MAX_BYTES
    assert verify_proof.MAX_DEPTH == canonical_module.MAX_DEPTH
    assert verify_proof.MAX_NOTE_BYTES == note_module.MAX_NOTE_BYTES
    assert verify_proof.MAX_SIGNATURES == note_module.MAX_SIGNATURES


def test_it_imports_only_the_standard_library_and_cryptography() -> None:
    tree = ast.parse(SCRIPT.read_text())
    names = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
        )
    }
    roots = {name.partition(".")[0] for name in names}
    assert roots - set(sys.stdlib_module_names) == {"cryptography"}
    assert not roots & {"socket", "urllib", "http", "subprocess", "os", "importlib", "ctypes"}
    assert len(SCRIPT.read_text().splitlines()) < 400


def test_the_report_says_what_happened_and_what_it_does_not_know(tmp_path: Path) -> None:
    code, said = check(to_json(document()), tmp_path)
    assert code == 0
    for line in (
        "Log log.example/attempts: 11 entries, root ",
        f"Attempt {FIRST}\n",
        f"Attempt {SECOND} (its key was destroyed",
        "  Entry 2: attempt.accepted at 2026-01-31T09:30:00.123456Z\n    client: onboarding\n",
        "    biz_no = order-17\n    subject = Zo\xeb\n",
        "    result, result_code = 1000\n",
        "    scores, ref1_confidence = 84.30\n",
        '    risk, device_tags = ["is_root, \\"x\\""]\n',
        '    risk, unknown_fields = {"later": 1.50}\n',
        "    not disclosed: evidence_key\n",
        "    not disclosed: biz_no, subject, token_digest\n",
        "  Entry 9: review.imagined at ",
        "The proof holds.",
        "Not proven:\n- That there are no other entries",
        "they are the operator's",
        "Without an anchor or witnesses",
    ):
        assert line in said
    assert "null" not in said.replace("session: null", "")
    assert "earlier checkpoint" not in said
    assert DATA_KEY not in said


def test_nothing_in_a_document_reaches_the_terminal_as_a_command(tmp_path: Path) -> None:
    _, said = check(to_json(document()), tmp_path)
    assert "    note: \\u001b[2J\\u202e\\u000aProven: all\n" in said
    value = "\x1b]0;x\x07\u2028\x9b"
    key = "\x1b[1m"
    raw = accepted(FIRST, KEY, {"biz_no": value, "odd\x1b": ""})
    for told in ({"biz_no": value}, {"odd\x1b": ""}, {"odd\x1b": "other"}, {"\x1b": ""}):
        _, said = check(written(about(raw, later(FIRST, **{key: key}), told=told)), tmp_path)
        assert said.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("result", "200"),
        ("result", "[200]"),
        ("result", "[200, 1, 1000, null, null, null, null, null, null]"),
        ("result", "[200,1,1000,null,null,null,null,null]"),
        ("result", "[200, 1, 1000, null, null, null, null, null]]"),
        ("result", "{1, 2, 3, 4, 5, 6, 7, 8]"),
        ("result", "[" * 100_000),
        ("result", ""),
        ("other", "[]"),
        ("other", "[1]"),
    ],
)
def test_a_value_of_another_shape_is_shown_as_it_is(name: str, text: str, tmp_path: Path) -> None:
    raw = accepted(FIRST, KEY, {name: text})
    code, said = check(written(about(raw, told={name: text})), tmp_path)
    assert code == 0
    assert f"    {name} = {text}\n" in said


def test_what_is_left_out_cannot_be_missed_and_the_report_says_so(tmp_path: Path) -> None:
    for alter in (
        lambda it: it["attempts"].pop(),
        lambda it: it["attempts"][0]["entries"].pop(1),
        lambda it: entry(it)["values"].clear(),
        lambda it: it.update(consistency=None),
    ):
        code, said = check(altered(alter), tmp_path)
        assert code == 0
        assert "That there are no other entries about these attempts" in said


def test_an_earlier_checkpoint_is_reported(tmp_path: Path) -> None:
    code, said = check(to_json(document(grown_from=7)), tmp_path)
    assert (code, "- The first 7 entries are those of the earlier" in said) == (0, True)


@pytest.mark.parametrize("size", range(12))
def test_an_anchor_of_any_size_is_led_on_from(size: int, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_bytes(LOG_11.note(size))
    raw = to_json(document(grown_from=size))
    code, said = check(raw, tmp_path, "--anchor", old)
    assert code == 0, said
    assert "your newest anchor" in said


def test_the_newest_anchor_that_is_not_larger_counts(tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    larger = sign_checkpoint(Checkpoint("log.example/attempts", 12, leaf_hash(b"")), LOG)
    notes = [LOG_11.note(3), LOG_11.note(7), larger]
    anchors.write_bytes(b"".join(map(anchor, notes)) + LOG_11.note(11)[:40])
    assert check(to_json(document(grown_from=7)), tmp_path, "--anchor", anchors)[0] == 0
    code, said = check(to_json(document(grown_from=3)), tmp_path, "--anchor", anchors)
    assert (code, "does not lead on from its 7 entries" in said) == (1, True)


@pytest.mark.parametrize("cut", range(1, 170))
def test_an_anchor_that_a_crash_cut_off_is_left_out(cut: int, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    anchors.write_bytes(anchor(LOG_11.note(7)) + anchor(LOG_11.note(9))[:-cut])
    expected = 1 if cut == 1 else 0
    code, said = check(to_json(document(grown_from=7)), tmp_path, "--anchor", anchors)
    assert code == expected, said


def test_a_fork_is_found_by_an_anchor_of_the_same_size(tmp_path: Path) -> None:
    fork = tmp_path / "fork"
    fork.write_bytes(anchor(log_of().note()) + anchor(LOG_11.note()))
    code, said = check(to_json(document()), tmp_path, "--anchor", fork)
    assert (code, "anchor: the proof does not lead on from its 11" in said) == (1, True)


def test_a_fork_is_found_by_an_anchor_of_the_earlier_size(tmp_path: Path) -> None:
    fork = tmp_path / "fork"
    fork.write_bytes(log_of().note(7))
    for grown_from in (7, None):
        raw = to_json(document(grown_from=grown_from))
        code, said = check(raw, tmp_path, "--anchor", fork)
        assert (code, "anchor: the proof does not lead on from its 7" in said) == (1, True)


def test_anchors_must_be_the_logs_and_not_all_larger(tmp_path: Path) -> None:
    foreign, larger = tmp_path / "foreign", tmp_path / "larger"
    state = LOG_11.checkpoint()
    foreign.write_bytes(sign_checkpoint(Checkpoint(STRANGER.name, 11, state.root), STRANGER))
    larger.write_bytes(sign_checkpoint(Checkpoint(state.origin, 12, state.root), LOG))
    for path, named in ((foreign, "anchor: the trusted key"), (larger, "anchor: each is larger")):
        code, said = check(to_json(document()), tmp_path, "--anchor", path)
        assert (code, named in said) == (1, True)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\n", b"x", b"x\n\ny\n\n", b"\n" + LOG_11.note(), b"x\n\n" + LOG_11.note()],
)
def test_a_file_without_anchors_cannot_be_read(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    path.write_bytes(raw)
    assert check(to_json(document()), tmp_path, "--anchor", path)[0] == 2
    assert check(to_json(document()), tmp_path, "--anchor", tmp_path / "none")[0] == 2


def _witnessed(*times_s: int) -> bytes:
    """Return a document cosigned by one or two witnesses."""
    made = json.loads(to_json(document()))
    note = made["checkpoint"].encode()
    for witness, time_s in zip((WITNESS, SECOND_WITNESS), times_s, strict=False):
        note = cosign(note, witness, time_s=time_s)
    return written({**made, "checkpoint": note.decode()})


def test_witnesses_say_when_they_saw_it(tmp_path: Path) -> None:
    witnesses = ("--witness", WITNESS.verifier, "--witness", SECOND_WITNESS.verifier)
    code, said = check(_witnessed(COSIGNED_AT_S, 2**63 - 1), tmp_path, *witnesses)
    assert code == 0
    assert "- witness.example/w1 saw the checkpoint at 2023-11-14 22:13:20+00:00" in said
    assert "- witness.example/w2 saw the checkpoint at 9999-12-31 23:59:59+00:00" in said


@pytest.mark.parametrize(("quorum", "expected"), [(None, 1), (0, 0), (1, 0), (2, 1)])
def test_a_quorum_of_the_witnesses_must_have_cosigned(
    quorum: int | None, expected: int, tmp_path: Path
) -> None:
    witnesses = ["--witness", WITNESS.verifier, "--witness", SECOND_WITNESS.verifier]
    demanded = [] if quorum is None else ["--quorum", quorum]
    code, said = check(_witnessed(COSIGNED_AT_S), tmp_path, *witnesses, *demanded)
    assert (code, "fewer than 2 named witnesses" in said) == (expected, expected == 1)


def test_a_cosignature_that_was_altered_is_found(tmp_path: Path) -> None:
    raw = _witnessed(COSIGNED_AT_S)
    note = json.loads(raw)["checkpoint"].encode()
    changed = raw.replace(note.split()[-1], restamped(note, COSIGNED_AT_S + 1))
    assert changed != raw
    code, said = check(changed, tmp_path, "--witness", WITNESS.verifier, "--quorum", 0)
    assert (code, "checkpoint: the signature of witness.example/w1" in said) == (1, True)
    assert check(changed, tmp_path)[0] == 0, "nobody trusts that witness here"


@pytest.mark.parametrize(
    "more",
    [
        ["--quorum", 1],
        ["--quorum", -1],
        ["--witness", WITNESS.verifier, "--quorum", 2],
        ["--witness", WITNESS.verifier, "--witness", WITNESS.verifier],
        ["--witness", LOG.verifier],
        [
            *("--witness", WITNESS.verifier, "--witness"),
            SigningKey("other.example", SignatureType.COSIGNATURE, WITNESS.seed).verifier,
        ],
        ["--witness", SigningKey("w", SignatureType.COSIGNATURE, LOG.seed).verifier],
        ["--witness", "x"],
    ],
)
def test_witnesses_that_do_not_count_are_refused(more: list[object], tmp_path: Path) -> None:
    assert check(_witnessed(COSIGNED_AT_S), tmp_path, *more)[0] == 2


@pytest.mark.parametrize(
    "key",
    [
        "",
        "log.example/attempts",
        VKEY[:-4],
        VKEY.replace("+ad5a1bbf+", "+ad5a1bbe+"),
        VKEY.replace("+ad5a1bbf+", "+AD5A1BBF+"),
        VKEY.replace("log.", "lag."),
        VKEY.replace("log.", "log "),
        f"{VKEY}=",
        f"{VKEY}\n",
        "\udcff" + VKEY,
        str(WITNESS.verifier),
    ],
)
def test_a_key_that_is_none_is_refused(key: str, tmp_path: Path) -> None:
    assert check(to_json(document()), tmp_path, key=key)[0] == 2


def test_another_key_does_not_do(tmp_path: Path) -> None:
    for other in (SigningKey(LOG.name, SignatureType.NOTE, b"x" * 32), STRANGER):
        code, said = check(to_json(document()), tmp_path, key=str(other.verifier))
        assert (code, "checkpoint: the trusted key" in said) == (1, True)


def test_a_checkpoint_of_another_origin_does_not_do(tmp_path: Path) -> None:
    made = json.loads(to_json(document()))
    text = made["checkpoint"].partition("\n\n")[0].replace("attempts", "others") + "\n"
    signed = note_module.sign_note(note_module.Note(text, ()), LOG).to_bytes().decode()
    code, said = check(written({**made, "checkpoint": signed}), tmp_path)
    assert (code, "checkpoint: the trusted key" in said) == (1, True)


@pytest.mark.parametrize("arguments", [[], ["p.json"], ["--key", VKEY], ["p", "--quorum", "x"]])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        verify_proof.main(arguments, StringIO())
    assert ended.value.code == 2


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    members = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(leaf for at, each in members for leaf in _leaves(each, (*path, at)))][1:]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)
LEAVES = _leaves(content())


@given(path=st.sampled_from(LEAVES), other=JSON)
def test_no_part_can_be_replaced(
    path: tuple[Any, ...], other: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = content()
    place = changed
    for step in path[:-1]:
        place = place[step]
    if place[path[-1]] == other:
        return
    place[path[-1]] = other
    assert check(written(changed), tmp_path_factory.getbasetemp())[0] in (1, 2)


GOOD = to_json(document(grown_from=7))


@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_no_byte_can_be_changed_so_that_something_else_is_said(
    at: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    expected = check(GOOD, folder)
    assert expected[0] == 0
    code, said = check(GOOD[:at] + bytes([byte]) + GOOD[at + 1 :], folder)
    assert code in (1, 2) or (code, said) == expected


@given(size=st.integers(1, 300), data=st.data())
def test_inclusion_is_judged_as_by_our_own_code(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = _spoiled(list(prove_inclusion(index, size, TREE.get)), data)
    claimed = data.draw(st.sampled_from([index, index, index + 1, index ^ 1, -1, size]))
    leaf, root = TREE.leaves[index], TREE.root(size)

    def ours() -> None:
        verify_inclusion(leaf=leaf, index=claimed, size=size, proof=proof, root=root)

    def theirs() -> None:
        found = verify_proof.inclusion_root(leaf, claimed, size, proof)
        verify_proof.demand(found == root, "")

    assert _holds(ours) == _holds(theirs)


@given(old=st.integers(1, 300), data=st.data())
def test_consistency_is_judged_as_by_our_own_code(old: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(old, 300))
    proof = _spoiled(list(prove_consistency(old, size, TREE.get)), data)
    claimed = data.draw(st.sampled_from([old, old, old + 1, max(1, old - 1), size + 1]))
    old_root, root = TREE.root(old), TREE.root(size)

    def ours() -> None:
        verify_consistency(
            old_size=claimed, new_size=size, proof=proof, old_root=old_root, new_root=root
        )

    def theirs() -> None:
        found = verify_proof.grown_roots(claimed, size, proof, old_root)
        verify_proof.demand(found == (old_root, root), "")

    assert _holds(ours) == _holds(theirs)


def _spoiled(proof: list[bytes], data: st.DataObject) -> list[bytes]:
    """Return the proof as it was, or cut, longer, in another order, or with another hash."""
    other = leaf_hash(b"other")
    at = data.draw(st.integers(0, len(proof)))
    replaced = [*proof[:at], other, *proof[at + 1 :]]
    ways = [proof, proof, proof[:at], proof[at:], [*proof, other], [other, *proof], proof[::-1]]
    return data.draw(st.sampled_from([*ways, replaced]))


def _holds(judge: Callable[[], None]) -> bool:
    try:
        judge()
    except (ProofError, verify_proof.BrokenError):
        return False
    return True


@pytest.mark.parametrize("name", samples_vector("ours.json")["notes"])
def test_notes_are_judged_as_go_does(name: str) -> None:
    raw = samples_vector("ours.json")["notes"][name]
    assert _opens(raw) == (name in samples_vector("go_accepted.json")["opened"])


def _opens(raw: str) -> bool:
    keys = {
        **verify_proof.read_key(VKEY, verify_proof.NOTE_KEY),
        **verify_proof.read_key(str(WITNESS.verifier), verify_proof.COSIGNATURE_KEY),
    }
    try:
        verify_proof.check_signed(verify_proof.read_note(raw), keys, "note")
    except (ValueError, verify_proof.BrokenError):
        return False
    return True


@pytest.mark.parametrize("kind", ["entries", "refused"])
def test_entries_are_judged_as_in_the_vectors(kind: str) -> None:
    for case in samples_vector("entry.json")[kind]:
        raw = bytes.fromhex(case["hex"])
        try:
            verify_proof.read_entry(raw)
        except (ValueError, RecursionError):
            assert kind == "refused", case
        else:
            assert kind == "entries", case


@given(st.text(), st.text())
def test_commitments_are_those_of_our_own_code(name: str, value: str) -> None:
    assert verify_proof.commitment(KEY, name, value) == commit(KEY, name, value.encode()).hex()


def _run(folder: Path, *arguments: str, flags: tuple[str, ...] = ("-I",)) -> Any:
    (folder / "verify_proof.py").write_bytes(SCRIPT.read_bytes())
    (folder / "proof.json").write_bytes(to_json(document()))
    return subprocess.run(
        [sys.executable, *flags, "verify_proof.py", "proof.json", *arguments],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
    )


def test_it_runs_on_its_own_in_an_empty_folder(tmp_path: Path) -> None:
    good = _run(tmp_path, "--key", VKEY)
    assert (good.returncode, good.stderr) == (0, b"")
    assert b"The proof holds." in good.stdout
    other = SigningKey(LOG.name, SignatureType.NOTE, b"x" * 32).verifier
    assert _run(tmp_path, "--key", str(other)).returncode == 1
    assert _run(tmp_path).returncode == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["proof.json", "verify_proof.py"]


def test_without_cryptography_it_says_how_to_get_it(tmp_path: Path) -> None:
    run = _run(tmp_path, "--key", VKEY, flags=("-I", "-S"))
    assert run.returncode == 2
    assert b"pip install cryptography" in run.stderr


def test_it_ends_the_same_way_inside_this_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "proof.json").write_bytes(to_json(document()))
    monkeypatch.setattr(sys, "argv", ["verify", str(tmp_path / "proof.json"), "--key", VKEY])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 0
    assert "The proof holds." in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 2
    assert "pip install cryptography" in capsys.readouterr().err


def test_a_terminal_that_knows_no_unicode_is_served(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_bytes(to_json(document()))
    raw = BytesIO()
    out = TextIOWrapper(raw, encoding="ascii")
    assert verify_proof.main([str(tmp_path / "proof.json"), "--key", VKEY], out) == 0
    out.flush()
    assert b"subject = Zo\\xeb" in raw.getvalue()
