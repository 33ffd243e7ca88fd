"""An audit passes over a sound log, and names the first place where another one breaks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from tests.unit.ledger.samples import COSIGNED_AT_S, LOG, ORIGIN, STRANGER, WITNESS
from verification.ledger.audit import (
    BATCH,
    Entry,
    Progress,
    SealedCheckpoint,
    Trust,
    Trusted,
    audit,
)
from verification.ledger.canonical import canonical
from verification.ledger.checkpoint import Checkpoint, cosign, sign_checkpoint
from verification.ledger.errors import AuditError
from verification.ledger.findings import Break, Finding
from verification.ledger.keys import SignatureType, SigningKey
from verification.ledger.merkle import Frontier, leaf_hash

SIZES = (0, 3, 3, 7, 20)
TRUST = Trust([LOG.verifier], [WITNESS.verifier])


def _raw(index: int) -> bytes:
    return canonical({"kind": "attempt.accepted", "number": index})


def _frontier(raws: Sequence[bytes]) -> Frontier:
    return Frontier.empty().extend(map(leaf_hash, raws))


def _checkpoint(raws: Sequence[bytes], size: int, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, size, _frontier(raws[:size]).root())


def _seal(checkpoint: Checkpoint, time_s: int, key: SigningKey = LOG) -> SealedCheckpoint:
    note = cosign(sign_checkpoint(checkpoint, key), WITNESS, time_s=COSIGNED_AT_S + time_s)
    return SealedCheckpoint(note, time_s)


@dataclass
class Log:
    """A log as a table would hold it, and hands for whoever tampers with it."""

    entries: list[Entry]
    checkpoints: list[SealedCheckpoint]

    def audit(self, start: Trusted | None = None) -> Progress:
        """Return the result of a whole audit."""
        return list(audit(iter(self.entries), iter(self.checkpoints), TRUST, start))[-1]

    def finding(self) -> Finding:
        """Return what an audit finds; it must find something."""
        with pytest.raises(AuditError) as broken:
            self.audit()
        assert str(broken.value) == str(broken.value.finding)
        return broken.value.finding


@pytest.fixture
def log() -> Log:
    """Return a sound log of 25 entries, sealed at SIZES."""
    raws = [_raw(index) for index in range(25)]
    seals = [_seal(_checkpoint(raws, size), number) for number, size in enumerate(SIZES)]
    return Log(list(enumerate(raws)), seals)


def test_a_sound_log_passes(log: Log) -> None:
    result = log.audit()
    assert (result.size, result.checkpoints, result.unsealed) == (25, 5, 5)
    assert result.sealed is not None
    assert result.sealed.checkpoint.size == 20
    assert result.sealed.time_s == 4


def test_an_empty_log_passes() -> None:
    assert Log([], []).audit() == Progress(0, 0, None)


def test_entries_without_a_checkpoint_are_reported_as_unsealed(log: Log) -> None:
    log.checkpoints.clear()
    result = log.audit()
    assert (result.unsealed, result.sealed) == (25, None)


def test_progress_comes_in_batches_and_reads_no_further_than_asked() -> None:
    size = BATCH * 2 + 10
    drawn = []

    def entries() -> Iterator[Entry]:
        for index in range(size):
            drawn.append(index)
            yield index, _raw(index)

    steps = audit(entries(), [], TRUST)
    assert next(steps).size == 0
    assert drawn == []
    assert next(steps).size == len(drawn) == BATCH
    assert [step.size for step in steps] == [BATCH * 2, size]


def test_an_audit_resumes_from_a_trusted_checkpoint(log: Log) -> None:
    first = Log(log.entries[:7], log.checkpoints[:4]).audit()
    assert first.sealed is not None
    resumed = Log(log.entries[7:], log.checkpoints[4:]).audit(first.sealed)
    whole = log.audit()
    assert (resumed.size, resumed.sealed) == (whole.size, whole.sealed)
    assert resumed.checkpoints == 1


def test_a_resumed_audit_still_sees_the_past_exchanged(log: Log) -> None:
    raws = [raw for _, raw in log.entries]
    trusted = Trusted(_checkpoint(raws, 7), _frontier(raws[:7]), 3)
    raws[5] = _raw(99)
    log.checkpoints[4] = _seal(_checkpoint(raws, 20), 4)
    with pytest.raises(AuditError) as broken:
        Log(log.entries[7:], log.checkpoints[4:]).audit(trusted)
    assert broken.value.finding.how is Break.ROOT


@pytest.mark.parametrize("size", [2, 4])
def test_a_frontier_that_the_checkpoint_does_not_seal_is_refused(log: Log, size: int) -> None:
    raws = [raw for _, raw in log.entries]
    with pytest.raises(AuditError) as broken:
        Trusted(_checkpoint(raws, 3), _frontier(raws[:size]), 0)
    assert broken.value.finding == Finding(
        Break.START, 3, 3, "the frontier is not that of the trusted checkpoint"
    )


def _edit(log: Log) -> None:
    log.entries[4] = (4, _raw(99))


def _swap(log: Log) -> None:
    (_, one), (_, other) = log.entries[4:6]
    log.entries[4:6] = [(4, other), (5, one)]


def _replace_and_renumber(log: Log) -> None:
    raws = [raw for _, raw in log.entries if raw != _raw(4)]
    log.entries[:] = enumerate(raws)


def _insert_and_renumber(log: Log) -> None:
    raws = [raw for _, raw in log.entries]
    log.entries[:] = enumerate([*raws[:4], _raw(99), *raws[4:]])


@pytest.mark.parametrize("tamper", [_edit, _swap, _replace_and_renumber, _insert_and_renumber])
def test_changed_entries_lie_after_the_last_good_checkpoint(
    log: Log, tamper: Callable[[Log], None]
) -> None:
    tamper(log)
    found = log.finding()
    assert (found.how, found.first, found.end) == (Break.ROOT, 3, 7)
    assert str(found).startswith("root, in the entries 3 to 6: ")


def test_a_deleted_entry_is_named_by_its_index(log: Log) -> None:
    del log.entries[4]
    found = log.finding()
    assert (found.how, found.first, found.end) == (Break.INDEX, 4, 5)
    assert str(found) == "index, at entry 4: the entry found there bears the index 5"


def test_an_entry_twice_is_named_by_its_index(log: Log) -> None:
    log.entries.insert(5, log.entries[4])
    assert (log.finding().how, log.finding().first) == (Break.INDEX, 5)


def test_an_index_after_the_last_checkpoint_is_checked_too(log: Log) -> None:
    del log.entries[23]
    assert (log.finding().how, log.finding().first) == (Break.INDEX, 23)


@pytest.mark.parametrize("raw", [b"", b'{"a": 1}', b'{"a":1,"a":1}', b'{"a":1.5}', b"\xff"])
@pytest.mark.parametrize("index", [0, 4, 24])
def test_an_entry_of_another_form_is_named(log: Log, index: int, raw: bytes) -> None:
    log.entries[index] = (index, raw)
    found = log.finding()
    assert (found.how, found.first, found.end) == (Break.FORM, index, index + 1)


def test_an_entry_of_another_form_is_named_even_if_it_was_sealed_so(log: Log) -> None:
    raws = [raw for _, raw in log.entries]
    raws[4] = b'{ "kind":"attempt.accepted","number":4}'
    log.entries[4] = (4, raws[4])
    log.checkpoints[3:] = [_seal(_checkpoint(raws, size), 9) for size in SIZES[3:]]
    assert (log.finding().how, log.finding().first) == (Break.FORM, 4)


def test_a_cut_tail_is_seen(log: Log) -> None:
    del log.entries[18:]
    found = log.finding()
    assert (found.how, found.first, found.end) == (Break.TRUNCATED, 18, 20)


def test_what_was_never_sealed_can_be_cut_unseen(log: Log) -> None:
    del log.entries[20:]
    assert log.audit().unsealed == 0


def test_a_whole_rewrite_with_the_logs_key_needs_an_anchor(log: Log) -> None:
    raws = [_raw(index + 100) for index in range(25)]
    anchor = Trusted(
        _checkpoint([raw for _, raw in log.entries], 3),
        _frontier([raw for _, raw in log.entries[:3]]),
        1,
    )
    forged = Log(
        list(enumerate(raws)),
        [_seal(_checkpoint(raws, size), number) for number, size in enumerate(SIZES)],
    )
    assert forged.audit().checkpoints == 5
    with pytest.raises(AuditError) as broken:
        Log(forged.entries[3:], forged.checkpoints[3:]).audit(anchor)
    assert broken.value.finding.how is Break.ROOT


def test_two_roots_for_one_size_are_a_split_view(log: Log) -> None:
    other = Checkpoint(ORIGIN, 3, leaf_hash(b"other"))
    log.checkpoints[2] = _seal(other, 2)
    found = log.finding()
    assert (found.how, found.first, found.end) == (Break.ROOT, 3, 3)
    assert str(found).startswith("root, in the checkpoint after size 3: ")


def test_a_checkpoint_that_goes_back_is_refused(log: Log) -> None:
    raws = [raw for _, raw in log.entries]
    log.checkpoints.insert(4, _seal(_checkpoint(raws, 6), 3))
    assert (log.finding().how, log.finding().first) == (Break.ORDER, 7)


def test_a_checkpoint_made_before_the_one_before_it_is_refused(log: Log) -> None:
    log.checkpoints[3] = replace(log.checkpoints[3], time_s=1)
    assert (log.finding().how, log.finding().first) == (Break.TIME, 3)


def test_a_cosignature_older_than_the_one_before_it_is_refused(log: Log) -> None:
    raws = [raw for _, raw in log.entries]
    backdated = _seal(_checkpoint(raws, 7), 1)
    log.checkpoints[3] = replace(backdated, time_s=3)
    found = log.finding()
    assert (found.how, found.first) == (Break.TIME, 3)
    assert WITNESS.name in found.why


@pytest.mark.parametrize("note", [b"", b"not a note\n", b"\xff"])
def test_a_checkpoint_that_is_no_note_is_refused(log: Log, note: bytes) -> None:
    log.checkpoints[3] = SealedCheckpoint(note, 3)
    assert (log.finding().how, log.finding().first) == (Break.NOTE, 3)


def test_a_checkpoint_signed_by_a_stranger_is_refused(log: Log) -> None:
    raws = [raw for _, raw in log.entries]
    log.checkpoints[3] = _seal(_checkpoint(raws, 7, STRANGER.name), 3, STRANGER)
    assert (log.finding().how, log.finding().first) == (Break.SIGNATURE, 3)


def test_a_checkpoint_of_another_trusted_log_is_refused(log: Log) -> None:
    second = SigningKey("log.example/second", SignatureType.NOTE, b"2" * 32)
    raws = [raw for _, raw in log.entries]
    log.checkpoints[3] = _seal(_checkpoint(raws, 7, second.name), 3, second)
    steps = audit(log.entries, log.checkpoints, Trust([LOG.verifier, second.verifier]))
    with pytest.raises(AuditError) as broken:
        list(steps)
    assert broken.value.finding.how is Break.ORIGIN
