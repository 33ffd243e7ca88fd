"""A witness cosigns what only grows, whoever asks, in whatever order, and from several threads."""

import contextlib
import hashlib
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.branches import Branch, asking, signed
from tests.unit.ledger.samples import (
    COSIGNED_AT_S,
    LOG,
    ORIGIN,
    STRANGER,
    WITNESS,
    Tree,
    good_notes,
    vector,
)
from verification.ledger.checkpoint import Checkpoint, cosign, open_checkpoint, sign_checkpoint
from verification.ledger.errors import NoteError, WitnessError
from verification.ledger.keys import SignatureType, SigningKey, encode_base64, parse_vkey
from verification.ledger.merkle import EMPTY_ROOT, MAX_SIZE, leaf_hash
from verification.ledger.note import Note, SignatureLine, parse_note, sign_note
from verification.ledger.proofs import prove_consistency
from verification.ledger.witness import (
    MAX_BODY_BYTES,
    MAX_PROOF_LINES,
    Response,
    Witness,
    add_checkpoint_request,
    parse_add_checkpoint,
    parse_cosignatures,
    parse_size,
)
from verification.ledger.witness_store import FileStore, create_store

TREE = Tree(40)
FORK = Branch(40, shared=5)
HASH = leaf_hash(b"a hash")
PAGE = Path(__file__).resolve().parents[3] / "docs/formats/witness.md"
NEXT_LOG = SigningKey(ORIGIN, SignatureType.NOTE, b"n" * 32)

# The example of c2sp.org/tlog-witness.
PUBLISHED = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 example.com/behind-the-sofa \
opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = float(COSIGNED_AT_S)

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def witness(tmp_path: Path, clock: Clock) -> Witness:
    store = create_store(tmp_path / "state", WITNESS.verifier)
    return Witness(WITNESS, (LOG.verifier,), store, clock)


def _ask(witness: Witness, old_size: int, proof: list[bytes], note: bytes) -> Response:
    return witness.add_checkpoint(add_checkpoint_request(old_size, proof, note))


def _refused(response: Response) -> int:
    """Return the status, and make sure that nothing in the answer is a signature."""
    assert "\u2014".encode() not in response.body
    assert encode_base64(WITNESS.verifier.key_id)[:5].encode() not in response.body
    return response.status


# ---- what is cosigned ----


def test_the_first_checkpoint_and_those_that_continue_it_are_cosigned(
    witness: Witness, clock: Clock
) -> None:
    old_size = 0
    for size in (1, 5, 5, 8, 33, 40):
        clock.now_s += 0.7
        response = witness.add_checkpoint(asking(TREE, old_size, size))
        assert response.status == 200
        note = parse_note(signed(TREE, size))
        whole = Note(note.text, (*note.signatures, *parse_cosignatures(response.body)))
        opened = open_checkpoint(
            whole.to_bytes(), log_keys=[LOG.verifier], witnesses=[WITNESS.verifier]
        )
        assert [each.time_s for each in opened.cosignatures] == [int(clock.now_s)]
        old_size = size


def test_an_empty_log_is_cosigned_and_then_grows(witness: Witness) -> None:
    assert witness.add_checkpoint(asking(TREE, 0, 0)).status == 200
    assert witness.add_checkpoint(asking(TREE, 0, 0)).status == 200
    assert witness.add_checkpoint(asking(TREE, 0, 7)).status == 200
    assert _refused(witness.add_checkpoint(asking(TREE, 0, 0))) == 409


def test_the_same_is_cosigned_again_with_the_time_of_now(witness: Witness, clock: Clock) -> None:
    first = witness.add_checkpoint(asking(TREE, 0, 5))
    same_second = witness.add_checkpoint(asking(TREE, 5, 5))
    clock.now_s += 1
    later = witness.add_checkpoint(asking(TREE, 5, 5))
    assert first == same_second
    assert later.status == 200
    assert later.body != first.body


def test_the_answer_is_what_cosigning_by_hand_gives(witness: Witness) -> None:
    response = witness.add_checkpoint(asking(TREE, 0, 5))
    by_hand = cosign(signed(TREE, 5), WITNESS, time_s=COSIGNED_AT_S)
    assert signed(TREE, 5) + response.body == by_hand
    (line,) = parse_cosignatures(response.body)
    assert (line.name, line.key_id) == (WITNESS.name, WITNESS.verifier.key_id)


def test_extension_lines_are_cosigned_with_the_rest(witness: Witness) -> None:
    assert _ask(witness, 0, [], signed(TREE, 5, LOG, "0", "more")).status == 200


def test_lines_of_others_are_neither_believed_nor_kept(witness: Witness) -> None:
    note = sign_note(parse_note(signed(TREE, 5)), STRANGER)
    bad = SignatureLine(WITNESS.name, WITNESS.verifier.key_id, b"not ours")
    twice = Note(note.text, (bad, *note.signatures, *note.signatures))
    assert _ask(witness, 0, [], twice.to_bytes()).status == 200
    kept = parse_note(witness.published(hashlib.sha256(ORIGIN.encode()).hexdigest()).body)
    assert [line.name for line in kept.signatures] == [ORIGIN, WITNESS.name]


def test_a_log_may_have_a_next_key(witness: Witness) -> None:
    both = replace(witness, log_keys=(LOG.verifier, NEXT_LOG.verifier))
    assert both.origins == (ORIGIN,)
    assert both.add_checkpoint(asking(TREE, 0, 5)).status == 200
    proof = list(prove_consistency(5, 9, TREE.get))
    assert _refused(_ask(witness, 5, proof, signed(TREE, 9, NEXT_LOG))) == 403
    assert _ask(both, 5, proof, signed(TREE, 9, NEXT_LOG)).status == 200


def test_what_another_witness_answers_is_answered_here(tmp_path: Path, clock: Clock) -> None:
    known = vector("litewitness.json")
    store = create_store(tmp_path / "state", WITNESS.verifier)
    witness = Witness(WITNESS, (parse_vkey(known["log_vkey"]),), store, clock)
    for post in known["posts"]:
        response = witness.add_checkpoint(post["body"].encode())
        assert response.status == post["ours"], response.body
        assert post["ours"] == post["litewitness"] or post["why"]
        assert response.status != 409 or response.body.decode() == post["size"]


def test_the_page_shows_what_is_asked_and_answered(witness: Witness) -> None:
    first, second, vector_answer = re.findall(r"```text\n(.*?)```", PAGE.read_text(), re.DOTALL)
    witness.add_checkpoint(asking(TREE, 0, 5))
    assert first == f"POST /add-checkpoint\n\n{asking(TREE, 5, 9).decode()}"
    answer = witness.add_checkpoint(asking(TREE, 5, 9))
    assert second == f"200 OK\n\n{answer.body.decode()}"
    by_hand = cosign(good_notes()["plain"], WITNESS, time_s=COSIGNED_AT_S).decode()
    assert vector_answer == by_hand.splitlines(keepends=True)[-1]


# ---- what is not ----


def test_a_fork_is_never_cosigned(witness: Witness) -> None:
    assert witness.add_checkpoint(asking(TREE, 0, 9)).status == 200
    for size in (9, 10, 16, 40):
        assert _refused(witness.add_checkpoint(asking(FORK, 9, size))) == 422
    proof = list(prove_consistency(9, 12, TREE.get))
    assert _refused(_ask(witness, 9, proof, signed(FORK, 12))) == 422
    assert witness.add_checkpoint(asking(TREE, 9, 12)).status == 200


def test_the_refusal_of_a_fork_names_it(witness: Witness) -> None:
    witness.add_checkpoint(asking(TREE, 0, 9))
    response = witness.add_checkpoint(asking(FORK, 9, 10))
    assert response.body == (
        b"log.example/attempts from size 9 to 10: the proof leads to another root\n"
    )


@pytest.mark.parametrize("old_size", [0, 4, 8, 10, 39])
def test_another_old_size_is_told_the_right_one(witness: Witness, old_size: int) -> None:
    witness.add_checkpoint(asking(TREE, 0, 9))
    for tree in (TREE, FORK):
        response = witness.add_checkpoint(asking(tree, old_size, 40))
        assert _refused(response) == 409
        assert (response.body, response.content_type) == (b"9\n", "text/x.tlog.size")
    assert parse_size("9") == 9


def test_a_witness_never_goes_back(witness: Witness) -> None:
    witness.add_checkpoint(asking(TREE, 0, 9))
    for size in (0, 1, 5, 8):
        assert _refused(witness.add_checkpoint(asking(TREE, 0, size))) == 409
        assert _refused(_ask(witness, 9, [], signed(TREE, size))) == 400
    assert witness.status().splitlines()[1].startswith(f"{ORIGIN} 9 ")


@pytest.mark.parametrize(
    "proof",
    [
        [],
        [HASH],
        [*prove_consistency(9, 20, TREE.get), HASH],
        list(prove_consistency(9, 20, TREE.get))[:-1],
        list(reversed(prove_consistency(9, 20, TREE.get))),
        list(prove_consistency(8, 20, TREE.get)),
        [HASH] * MAX_PROOF_LINES,
    ],
)
def test_a_wrong_proof_is_refused(witness: Witness, proof: list[bytes]) -> None:
    witness.add_checkpoint(asking(TREE, 0, 9))
    assert _refused(_ask(witness, 9, proof, signed(TREE, 20))) == 422


def test_no_proof_is_due_from_nothing_or_to_the_same_size(witness: Witness) -> None:
    assert _refused(_ask(witness, 0, [HASH], signed(TREE, 9))) == 422
    assert _refused(_ask(witness, 0, [HASH], signed(TREE, 0))) == 422
    witness.add_checkpoint(asking(TREE, 0, 9))
    assert _refused(_ask(witness, 9, [HASH], signed(TREE, 9))) == 422


def test_a_log_that_is_not_known_is_not_cosigned(witness: Witness) -> None:
    other = sign_checkpoint(Checkpoint(STRANGER.name, 5, TREE.root(5)), STRANGER)
    assert _refused(_ask(witness, 0, [], other)) == 404
    assert _refused(_ask(witness, 0, [], sign_note(parse_note(other), LOG).to_bytes())) == 404
    nameless = b"old 0\n\n\n\n" + signed(TREE, 5)
    assert _refused(witness.add_checkpoint(nameless)) == 404


def test_a_checkpoint_that_its_log_did_not_sign_is_not_cosigned(witness: Witness) -> None:
    note = parse_note(signed(TREE, 5))
    by_stranger = sign_note(Note(note.text, ()), STRANGER)
    wrong = SignatureLine(ORIGIN, LOG.verifier.key_id, b"x" * 64)
    for each in (
        by_stranger,
        Note(note.text, (wrong,)),
        Note(note.text, (*note.signatures, wrong)),
    ):
        assert _refused(_ask(witness, 0, [], each.to_bytes())) == 403
    other_root = Note(note.text.replace("\n5\n", "\n6\n"), note.signatures)
    assert _refused(_ask(witness, 0, [], other_root.to_bytes())) == 403


def _signed_text(text: str) -> bytes:
    return sign_note(Note(text, ()), LOG).to_bytes()


def test_the_empty_tree_has_one_root(witness: Witness) -> None:
    text = f"{ORIGIN}\n0\n{encode_base64(HASH)}\n"
    assert _refused(_ask(witness, 0, [], _signed_text(text))) == 422
    assert _refused(_ask(witness, 0, [], _signed_text(text + "more\n"))) == 422


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "5\n",
        "05\nROOT\n",
        "-5\nROOT\n",
        "0\nAAAA\n",
        "5\nAAAA\n",
        "5\n0\n",
        "05\nROOT\n0\n",
        "9223372036854775808\nROOT\n",
        "0\nROOT\n\nempty\n",
    ],
)
def test_what_the_log_signed_but_is_no_checkpoint_is_refused(witness: Witness, rest: str) -> None:
    text = f"{ORIGIN}\n" + rest.replace("ROOT", encode_base64(HASH))
    assert _refused(_ask(witness, 0, [], _signed_text(text))) == 400


# ---- bodies ----


def test_the_published_example_is_read_and_written() -> None:
    asked = parse_add_checkpoint(PUBLISHED.encode())
    assert asked.old_size == 20852014
    assert [encode_base64(each) for each in asked.proof] == PUBLISHED.splitlines()[1:5]
    assert [line.name for line in asked.note.signatures] == ["example.com/behind-the-sofa"] * 2
    written = add_checkpoint_request(asked.old_size, asked.proof, asked.note.to_bytes())
    assert written == PUBLISHED.encode()


GOOD = asking(TREE, 0, 5).decode()
LINE = encode_base64(HASH)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n\n",
        "old 0\n\n",
        GOOD.removeprefix("old 0\n\n"),
        GOOD.removeprefix("old "),
        GOOD.replace("old 0", "old 00"),
        GOOD.replace("old 0", "old 01"),
        GOOD.replace("old 0", "old -1"),
        GOOD.replace("old 0", "old +0"),
        GOOD.replace("old 0", "old 1_0"),
        GOOD.replace("old 0", "old 0x0"),
        GOOD.replace("old 0", "old"),
        GOOD.replace("old 0", "old "),
        GOOD.replace("old 0", "old  0"),
        GOOD.replace("old 0", "old 0 "),
        GOOD.replace("old 0", "old\t0"),
        GOOD.replace("old 0", " old 0"),
        GOOD.replace("old 0", "Old 0"),
        GOOD.replace("old 0", "new 0"),
        GOOD.replace("old 0", "old \u0660"),
        GOOD.replace("old 0", "old 1" + "0" * 19),
        GOOD.replace("old 0", f"old {MAX_SIZE}"),
        GOOD.replace("old 0", "old 6"),
        GOOD.replace("old 0\n", "old 0\r\n"),
        GOOD.replace("old 0\n", f"old 0\n{LINE}"),
        GOOD.replace("old 0\n", f"old 0\n{LINE[:-1]}\n"),
        GOOD.replace("old 0\n", f"old 0\n{LINE} \n"),
        GOOD.replace("old 0\n", "old 0\nAAAA\n"),
        GOOD.replace("old 0\n", "old 0\n" + f"{LINE}\n" * (MAX_PROOF_LINES + 1)),
        GOOD.replace("\n\n", "\n"),
        GOOD.replace("log.example/attempts\n5", "log.example/attempts\n5\x00"),
        GOOD.removesuffix("\n"),
        GOOD + "more\n",
    ],
)
def test_a_body_of_another_form_is_refused(witness: Witness, body: str) -> None:
    assert _refused(witness.add_checkpoint(body.encode())) == 400


def test_a_body_that_is_too_long_is_refused(witness: Witness) -> None:
    longest = GOOD.replace(
        "\n\n\u2014", "\n" + "x" * (MAX_BODY_BYTES - len(GOOD.encode()) - 1) + "\n\n\u2014"
    )
    assert len(longest.encode()) == MAX_BODY_BYTES
    parse_add_checkpoint(longest.encode())
    with pytest.raises(NoteError, match="longer"):
        parse_add_checkpoint(longest.replace("x", "xx", 1).encode())
    assert _refused(witness.add_checkpoint(GOOD.replace("0", "9" * 5000, 1).encode())) == 400


@given(
    st.binary(max_size=80)
    | st.text("old 012\n\u2014A=", max_size=60).map(str.encode)
    | st.tuples(st.integers(0, len(GOOD.encode())), st.binary(max_size=4)).map(
        lambda given: GOOD.encode()[: given[0]] + given[1] + GOOD.encode()[given[0] :]
    )
)
def test_what_is_read_at_all_is_written_again_in_the_same_bytes(body: bytes) -> None:
    with contextlib.suppress(NoteError):
        asked = parse_add_checkpoint(body)
        again = add_checkpoint_request(asked.old_size, asked.proof, asked.note.to_bytes())
        assert again == body


def test_a_request_that_every_witness_would_refuse_is_not_made() -> None:
    note = signed(TREE, 5)
    for old_size, proof in ((-1, []), (0, [b"short"]), (0, [HASH] * 64), (MAX_SIZE * 100, [])):
        with pytest.raises(NoteError):
            add_checkpoint_request(old_size, proof, note)
    with pytest.raises(NoteError):
        add_checkpoint_request(0, [], b"no note")


def test_cosignatures_are_read_and_nothing_else() -> None:
    good = cosign(signed(TREE, 5), WITNESS, time_s=COSIGNED_AT_S)
    text, _, lines = good.rpartition(b"\n\n")
    assert [line.name for line in parse_cosignatures(lines)] == [ORIGIN, WITNESS.name]
    for raw in (b"", b"\n", good, b"more\n\n" + lines, lines + b"\n", lines[:-1], b"9\n", text):
        with pytest.raises(NoteError):
            parse_cosignatures(raw)


# ---- its clock, its keys, its memory ----


def test_a_clock_that_went_back_cosigns_nothing(witness: Witness, clock: Clock) -> None:
    witness.add_checkpoint(asking(TREE, 0, 5))
    clock.now_s -= 1
    with pytest.raises(WitnessError, match="clock"):
        witness.add_checkpoint(asking(TREE, 5, 9))
    clock.now_s += 1
    assert witness.add_checkpoint(asking(TREE, 5, 9)).status == 200


def test_no_cosignature_is_dated_zero(witness: Witness, clock: Clock) -> None:
    clock.now_s = 0.9
    with pytest.raises(WitnessError, match="clock"):
        witness.add_checkpoint(asking(TREE, 0, 5))
    clock.now_s = 1.0
    assert witness.add_checkpoint(asking(TREE, 0, 5)).status == 200


def test_keys_for_another_use_are_refused(witness: Witness) -> None:
    with pytest.raises(NoteError, match="cosignature"):
        replace(witness, key=LOG)
    with pytest.raises(NoteError, match="note"):
        replace(witness, log_keys=(WITNESS.verifier,))


def test_the_status_names_the_key_and_every_log(witness: Witness) -> None:
    both = replace(witness, log_keys=(LOG.verifier, STRANGER.verifier))
    both.add_checkpoint(asking(TREE, 0, 5))
    assert both.status() == (
        f"{WITNESS.verifier}\n{ORIGIN} 5 2023-11-14T22:13:20Z\n{STRANGER.name} 0 never\n"
    )


def test_what_was_cosigned_last_is_published(witness: Witness) -> None:
    name = hashlib.sha256(ORIGIN.encode()).hexdigest()
    assert witness.published(name).status == 404
    for old_size, size in ((0, 5), (5, 9)):
        witness.add_checkpoint(asking(TREE, old_size, size))
        expected = cosign(signed(TREE, size), WITNESS, time_s=COSIGNED_AT_S)
        assert witness.published(name) == Response(witness.published(name).status, expected)
        assert witness.published(name).status == 200
    assert witness.published(name.upper()).status == 404
    assert witness.published(hashlib.sha256(b"other").hexdigest()).status == 404


def _again(witness: Witness) -> Witness:
    """Return the witness as it is after a restart."""
    assert isinstance(witness.store, FileStore)
    return replace(witness, store=FileStore(witness.store.folder, WITNESS.verifier))


def _folder(witness: Witness) -> Path:
    assert isinstance(witness.store, FileStore)
    return witness.store.folder


def test_a_restart_forgets_nothing(witness: Witness) -> None:
    witness.add_checkpoint(asking(TREE, 0, 9))
    again = _again(witness)
    assert _refused(again.add_checkpoint(asking(FORK, 0, 9))) == 409
    assert _refused(again.add_checkpoint(asking(FORK, 9, 12))) == 422
    assert again.add_checkpoint(asking(TREE, 9, 12)).status == 200


def test_files_are_for_their_owner_alone_and_leave_nothing_beside(witness: Witness) -> None:
    witness.add_checkpoint(asking(TREE, 0, 9))
    folder = _folder(witness)
    name = hashlib.sha256(ORIGIN.encode()).hexdigest()
    assert sorted(each.name for each in folder.iterdir()) == [f"{name}.checkpoint", "vkey"]
    assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_memory_that_is_gone_is_not_taken_for_an_empty_one(witness: Witness) -> None:
    witness.add_checkpoint(asking(TREE, 0, 9))
    folder = _folder(witness)
    for each in folder.iterdir():
        each.unlink()
    for act in (witness.status, lambda: witness.add_checkpoint(asking(FORK, 0, 9))):
        with pytest.raises(WitnessError, match="not the folder of a witness"):
            act()
    folder.rmdir()
    with pytest.raises(OSError, match="No such file"):
        witness.add_checkpoint(asking(FORK, 0, 9))


def test_the_folder_of_another_witness_is_refused(witness: Witness) -> None:
    other = SigningKey("witness.example/w2", SignatureType.COSIGNATURE, b"w" * 32)
    stranger = Witness(
        other, witness.log_keys, FileStore(_folder(witness), other.verifier), witness.clock
    )
    with pytest.raises(WitnessError, match="another witness"):
        stranger.add_checkpoint(asking(TREE, 0, 9))
    with pytest.raises(WitnessError, match="not empty"):
        create_store(_folder(witness), other.verifier)


def _memory(witness: Witness) -> Path:
    return _folder(witness) / f"{hashlib.sha256(ORIGIN.encode()).hexdigest()}.checkpoint"


COSIGNED = cosign(signed(TREE, 9), WITNESS, time_s=COSIGNED_AT_S)
OF_ANOTHER_LOG = sign_checkpoint(Checkpoint(STRANGER.name, 0, EMPTY_ROOT), STRANGER)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        COSIGNED[:-1],
        COSIGNED.replace(b"\n9\n", b"\n1\n"),
        signed(TREE, 1),
        cosign(OF_ANOTHER_LOG, WITNESS, time_s=1),
        sign_note(Note("no checkpoint\n", ()), WITNESS, time_s=1).to_bytes(),
    ],
)
def test_a_damaged_memory_cosigns_nothing(witness: Witness, content: bytes) -> None:
    witness.add_checkpoint(asking(TREE, 0, 9))
    assert _memory(witness).read_bytes() == COSIGNED
    _memory(witness).write_bytes(content)
    for act in (witness.status, lambda: witness.add_checkpoint(asking(TREE, 9, 12))):
        with pytest.raises(WitnessError, match="memory"):
            act()


def test_a_symbolic_link_is_not_written_through(witness: Witness, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_text("kept")
    _memory(witness).with_suffix(".part").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        witness.add_checkpoint(asking(TREE, 0, 9))
    assert target.read_text() == "kept"
    assert witness.status().splitlines()[1] == f"{ORIGIN} 0 never"


class Slow(FileStore):
    """A memory that gives others every chance to come in between."""

    __slots__ = ()

    def load(self, origin: str) -> bytes | None:
        found = super().load(origin)
        threading.Event().wait(0.02)
        return found


def test_of_forks_posted_at_once_exactly_one_is_cosigned(witness: Witness) -> None:
    trees = [Branch(9, shared=0, label=f"branch {number}") for number in range(8)]
    start = threading.Barrier(len(trees))
    statuses: list[int] = []

    def post(tree: Branch) -> None:
        # A witness of its own for each: nothing but the folder is shared, as between processes.
        own = replace(witness, store=Slow(_folder(witness), WITNESS.verifier))
        body = asking(tree, 0, 9)
        start.wait()
        statuses.append(own.add_checkpoint(body).status)

    threads = [threading.Thread(target=post, args=(tree,)) for tree in trees]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(statuses) == [200] + [409] * 7


PROCESS = """
import sys
from pathlib import Path
from tests.unit.ledger.branches import Branch, asking
from tests.unit.ledger.samples import LOG, WITNESS
from verification.ledger.witness import Witness
from verification.ledger.witness_store import FileStore

store = FileStore(Path(sys.argv[1]), WITNESS.verifier)
witness = Witness(WITNESS, (LOG.verifier,), store, lambda: 1_700_000_000)
body = asking(Branch(9, shared=0, label=sys.argv[2]), 0, 9)
print("ready", flush=True)
sys.stdin.readline()
print(int(witness.add_checkpoint(body).status))
"""


def test_of_forks_posted_by_several_processes_exactly_one_is_cosigned(witness: Witness) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(_folder(witness)), f"branch {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for each in processes:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin
        each.stdin.write("\n")
        each.stdin.flush()
    assert sorted(int(each.communicate(timeout=30)[0]) for each in processes) == [200, 409, 409]


def test_nothing_is_answered_that_was_not_saved(witness: Witness) -> None:
    part = _memory(witness).with_suffix(".part")
    part.mkdir()
    with pytest.raises(OSError, match="directory"):
        witness.add_checkpoint(asking(TREE, 0, 9))
    part.rmdir()
    assert witness.add_checkpoint(asking(FORK, 0, 9)).status == 200


def test_a_write_that_was_cut_off_is_written_over(witness: Witness) -> None:
    part = _memory(witness).with_suffix(".part")
    part.write_bytes(b"half a note" * 1000)
    assert witness.add_checkpoint(asking(TREE, 0, 9)).status == 200
    assert _memory(witness).read_bytes() == COSIGNED
    assert not part.exists()
