"""What an insider can do who owns the tables: each attack, and how it must be called.

An attack gets the scene of a sealed log and changes the database with the guards lifted. Those of
WITH_ANCHOR are consistent in themselves, or nearly so: whoever has only the database sees another
log that holds.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from tests.integration.ledger.lives import PACKET, Lives
from verification.ledger.canonical import canonical
from verification.ledger.checkpoint import Checkpoint, sign_checkpoint
from verification.ledger.errors import CanonicalError
from verification.ledger.keys import SignatureType, SigningKey
from verification.ledger.merkle import Frontier, leaf_hash
from verification.models import Evidence, EvidenceKey, LedgerCheckpoint, LedgerEntry
from verification.services.entries import read_labels
from verification.services.faults import FaultCode
from verification.services.runtime import Runtime
from verification.services.sealing import key_place
from verification.vault.envelope import Place, WrappedKey, new_key, seal, unwrap, wrap

Attack = Callable[["Scene"], None]


@dataclass(frozen=True)
class Scene:
    """A sealed log: two answered attempts, and others that were revealed, erased and closed."""

    lives: Lives
    runtime: Runtime
    one: UUID
    two: UUID
    revealed: UUID
    erased: UUID
    closed: UUID

    @property
    def key(self) -> SigningKey:
        """Return the log's signing key, which the insider has stolen."""
        assert self.runtime.conf.ledger_key is not None
        return self.runtime.conf.ledger_key


def sql(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run one statement as the owner."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def edit(assignment: str) -> Attack:
    """Return the attack that edits the first attempt."""

    def attack(scene: Scene) -> None:
        sql(f"UPDATE verification_attempt SET {assignment} WHERE id = %s", scene.one)

    return attack


def owner(statement: str) -> Attack:
    """Return the attack of one statement, in which `{one}` and the others stand for attempts."""

    def attack(scene: Scene) -> None:
        names = ("one", "two", "revealed", "erased", "closed")
        sql(statement.format(**{name: f"'{getattr(scene, name)}'" for name in names}))

    return attack


def raws() -> list[bytes]:
    """Return all entries of the log."""
    return [bytes(each.raw) for each in LedgerEntry.objects.order_by("index")]


def write_log(entries: Sequence[bytes], key: SigningKey, sizes: Sequence[int]) -> None:
    """Put another log in place of this one, consistent in itself, signed at some sizes."""
    times = {each.size: each.made_at for each in LedgerCheckpoint.objects.all()}
    latest = max(times.values())
    sequenced_at = LedgerEntry.objects.order_by("index").values_list("sequenced_at", flat=True)[0]
    for table in ("checkpoint", "node", "entry"):
        sql(f"DELETE FROM verification_ledger_{table}")
    leaves = [leaf_hash(each) for each in entries]
    for index, (raw, leaf) in enumerate(zip(entries, leaves, strict=True)):
        kind, attempt_id = labels(raw)
        sql(
            "INSERT INTO verification_ledger_entry"
            " (index, kind, attempt_id, raw, leaf_hash, sequenced_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            *(index, kind, attempt_id, raw, leaf, sequenced_at),
        )
    _, nodes = Frontier.empty().append_all(leaves)
    for node in nodes:
        if node.level:
            sql(
                "INSERT INTO verification_ledger_node (level, index, hash) VALUES (%s, %s, %s)",
                *(node.level, node.index, node.hash),
            )
    for size in sizes:
        root = Frontier.empty().extend(leaves[:size]).root()
        put_checkpoint(size, root, key, times.get(size, latest))


def labels(raw: bytes) -> tuple[str, UUID | None]:
    """Return what an insider would put into the columns, for bytes that may be no entry."""
    try:
        return read_labels(raw)
    except (CanonicalError, ValueError):
        return "forged", None


def put_checkpoint(size: int, root: bytes, key: SigningKey, made_at: Any) -> None:
    """Sign and store a checkpoint."""
    note = sign_checkpoint(Checkpoint(key.name, size, root), key)
    sql(
        "INSERT INTO verification_ledger_checkpoint (size, root, note, made_at)"
        " VALUES (%s, %s, %s, %s)",
        *(size, root, note, made_at),
    )


def sizes() -> list[int]:
    """Return the sizes of the checkpoints."""
    return list(LedgerCheckpoint.objects.order_by("size").values_list("size", flat=True))


def replace_entry(index: int, raw: bytes) -> None:
    """Put other bytes in place of an entry, with a leaf hash that fits."""
    sql(
        "UPDATE verification_ledger_entry SET raw = %s, leaf_hash = %s WHERE index = %s",
        *(raw, leaf_hash(raw), index),
    )


def index_of(attempt_id: UUID, kind: str) -> int:
    """Return where an entry of an attempt stands."""
    return LedgerEntry.objects.get(attempt_id=attempt_id, kind=kind).index


def respell(change: Callable[[bytes], bytes]) -> Attack:
    """Return the attack that writes an entry otherwise, with the same meaning."""

    def attack(scene: Scene) -> None:
        index = index_of(scene.one, "attempt.settled")
        replace_entry(index, change(bytes(LedgerEntry.objects.get(index=index).raw)))

    return attack


def edit_entry(scene: Scene) -> None:
    """Change what an entry says, canonically."""
    index = index_of(scene.one, "attempt.settled")
    said = json.loads(bytes(LedgerEntry.objects.get(index=index).raw))
    replace_entry(index, canonical({**said, "send_no": 2}))


def swap_entries(scene: Scene) -> None:
    """Let two entries change places."""
    one, two = (index_of(each, "attempt.accepted") for each in (scene.one, scene.two))
    first, second = (bytes(LedgerEntry.objects.get(index=each).raw) for each in (one, two))
    replace_entry(one, second)
    replace_entry(two, first)


def drop_in_the_middle(scene: Scene) -> None:
    """Take an entry out and move up those behind it, nodes and columns included."""
    left = raws()
    del left[index_of(scene.one, "attempt.settled")]
    write_log(left, stranger(scene), [])


def stranger(scene: Scene) -> SigningKey:
    """Return a key that is not the log's, under the log's name."""
    return SigningKey(scene.key.name, SignatureType.NOTE, b"x" * 32)


def forged_checkpoint(scene: Scene) -> None:
    """Sign the newest checkpoint with another key."""
    newest = LedgerCheckpoint.objects.all()[0]
    note = sign_checkpoint(
        Checkpoint(scene.key.name, newest.size, bytes(newest.root)), stranger(scene)
    )
    sql("UPDATE verification_ledger_checkpoint SET note = %s WHERE size = %s", note, newest.size)


def split_view(scene: Scene) -> None:
    """Show another tree of the same size, signed with the log's own key."""
    forged = raws()
    index = index_of(scene.two, "attempt.accepted")
    said = json.loads(forged[index])
    forged[index] = canonical({**said, "region": "elsewhere"})
    sql("UPDATE verification_attempt SET region = 'elsewhere' WHERE id = %s", scene.two)
    write_log(forged, scene.key, sizes())


def truncate_tail(scene: Scene) -> None:
    """Take away the newest attempts and all that tells of them, back to a checkpoint."""
    roll_back(scene, sizes()[0])


def roll_back(scene: Scene, size: int) -> None:
    """Restore an earlier copy: the log of that size, and nothing that came later."""
    kept = raws()[:size]
    gone = {str(labels(each)[1]) for each in raws()[size:] if labels(each)[0] == "attempt.accepted"}
    for table in ("reveal", "erasure", "evidence", "evidence_key", "review"):
        sql(
            f"DELETE FROM verification_{table} WHERE attempt_id = ANY(%s::uuid[])",
            sorted(gone),
        )
    sql("DELETE FROM verification_attempt WHERE id = ANY(%s::uuid[])", sorted(gone))
    write_log(kept, scene.key, [each for each in sizes() if each <= size])


def forged_attempt(scene: Scene) -> None:
    """Insert an attempt that nobody made, with no entry."""
    sql(
        """INSERT INTO verification_attempt (id, client_id, region, token_digest, packet_sha256,
               packet_size_bytes, commitment_key, state, send_no, created_at)
           SELECT %s, client_id, region, %s, packet_sha256, packet_size_bytes, commitment_key,
               'accepted', 0, created_at FROM verification_attempt WHERE id = %s""",
        *(uuid4(), hashlib.sha256(b"forged").digest(), scene.one),
    )


def back_dated(scene: Scene) -> None:
    """Stage an acceptance of a week ago, and have the real sequencer take it."""
    attempt_id = scene.lives.accepted()
    week_ago = "2020-01-01T00:00:00.000000Z"
    sql("UPDATE verification_attempt SET created_at = %s WHERE id = %s", week_ago, attempt_id)
    ((raw,),) = sql(
        "SELECT raw FROM verification_ledger_stage WHERE raw LIKE %s",
        f'%"{attempt_id}"%'.encode(),
    )
    said = {**json.loads(bytes(raw)), "at": week_ago}
    sql("UPDATE verification_ledger_stage SET raw = %s WHERE raw = %s", canonical(said), bytes(raw))


def post_dated(scene: Scene) -> None:
    """Stage an entry of the future; the next heartbeat is younger than it."""
    said = {"at": "2099-01-01T00:00:00.000000Z", "kind": "test.future"}
    sql("INSERT INTO verification_ledger_stage (raw) VALUES (%s)", canonical(said))


def swap_evidence(scene: Scene) -> None:
    """Exchange the images of two attempts."""
    one, two = (
        Evidence.objects.get(attempt_id=a, kind="image_best") for a in (scene.one, scene.two)
    )
    for each, other in ((one, two), (two, one)):
        sql(
            "UPDATE verification_evidence SET sealed = %s WHERE id = %s",
            *(bytes(other.sealed), each.pk),
        )


def swap_evidence_and_keys(scene: Scene) -> None:
    """Exchange images and wrapped keys of two attempts, so that they would fit each other."""
    swap_evidence(scene)
    keys = {each: EvidenceKey.objects.get(pk=each) for each in (scene.one, scene.two)}
    for each, other in ((scene.one, scene.two), (scene.two, scene.one)):
        sql(
            "UPDATE verification_evidence_key SET sealed = %s WHERE attempt_id = %s",
            *(bytes(keys[other].sealed or b""), each),
        )


def data_key(scene: Scene) -> bytes:
    """Return the data key of the first attempt; the insider has the keyring, too."""
    row = EvidenceKey.objects.get(pk=scene.one)
    wrapped = WrappedKey(row.kek_id, bytes(row.sealed or b""))
    return unwrap(scene.runtime.conf.keyring, wrapped, key_place(scene.one))


def reencrypt(scene: Scene) -> None:
    """Put another image in place, under the same key, with a digest that fits."""
    other = b"\xff\xd8\xff\xe0 another face"
    sealed = seal(data_key(scene), other, Place("evidence", str(scene.one), "image_best"))
    sql(
        "UPDATE verification_evidence SET sealed = %s, sha256 = %s, size_bytes = %s"
        " WHERE attempt_id = %s AND kind = 'image_best'",
        *(sealed, hashlib.sha256(other).digest(), len(other), scene.one),
    )


def wrap_another_key(scene: Scene) -> None:
    """Wrap a fresh data key with the real keyring: it opens, but opens nothing."""
    wrapped = wrap(scene.runtime.conf.keyring, new_key(), key_place(scene.one))
    sql(
        "UPDATE verification_evidence_key SET sealed = %s WHERE attempt_id = %s",
        *(wrapped.sealed, scene.one),
    )


def add_evidence(scene: Scene) -> None:
    """Slip in an image that the vendor never sent."""
    sql(
        """INSERT INTO verification_evidence
               (id, attempt_id, kind, size_bytes, sha256, sealed, created_at)
           SELECT gen_random_uuid(), attempt_id, 'image_extra', size_bytes, sha256, sealed,
               created_at FROM verification_evidence
           WHERE attempt_id = %s AND kind = 'image_best'""",
        scene.one,
    )


def same_person_erasure(scene: Scene) -> None:
    """Let the person who asked be the one who approved, in the row."""
    sql("ALTER TABLE verification_erasure DROP CONSTRAINT erasure_four_eyes")
    sql(
        "UPDATE verification_erasure SET decided_by_id = requested_by_id WHERE attempt_id = %s",
        scene.erased,
    )


def leaf_of_nodes(scene: Scene) -> None:
    """Put the two hashes under a node in place of an entry: an interior node as a leaf."""
    first, second = LedgerEntry.objects.order_by("index")[:2]
    replace_entry(0, b"\x01" + bytes(first.leaf_hash) + bytes(second.leaf_hash))


def unstage(scene: Scene) -> None:
    """Take an attempt's entry from the stage before it is sequenced."""
    scene.lives.accepted()
    sql("DELETE FROM verification_ledger_stage")


def insert_api_key(scene: Scene) -> None:
    """Give a client a key of one's own, with the watcher off."""
    sql(
        """INSERT INTO verification_api_key
               (id, client_id, kind, public_id, secret_sha256, created_at)
           VALUES (gen_random_uuid(), %s, 'bearer', 'insider00000', %s, now())""",
        *(scene.lives.client.pk, hashlib.sha256(PACKET).digest()),
    )


ATTACKS: dict[str, tuple[Attack, FaultCode]] = {
    "a score's digit": (edit("attack_score = 0.5"), FaultCode.ROW),
    "an outcome": (edit("outcome = 'different_person', result_code = 2000"), FaultCode.ROW),
    "a business number": (edit("biz_no = 'ONB-666'"), FaultCode.ROW),
    "a business number gone": (edit("biz_no = NULL"), FaultCode.ROW),
    "a subject": (edit("subject = 'somebody else'"), FaultCode.ROW),
    "a packet's digest": (edit("packet_sha256 = token_digest"), FaultCode.ROW),
    "a time": (edit("created_at = created_at - interval '1 day'"), FaultCode.ROW),
    "a request id": (edit("request_id = '1,1'"), FaultCode.ROW),
    "a tag inside": (edit("""device_tags = '{"is_root": 1}'"""), FaultCode.ROW),
    "billable": (edit("billable = NOT coalesce(billable, true)"), FaultCode.ROW),
    "a session": (edit("session_id = NULL"), FaultCode.ROW),
    "a commitment key": (edit("commitment_key = packet_sha256"), FaultCode.ROW),
    "settled undone": (
        edit("state = 'sending', settled_at = NULL, result_code = NULL, outcome = NULL"),
        FaultCode.ORDER,
    ),
    "a closing reason": (
        owner("UPDATE verification_attempt SET closing_reason = 'other' WHERE id = {closed}"),
        FaultCode.ROW,
    ),
    "an attempt deleted": (
        owner(
            "DELETE FROM verification_evidence WHERE attempt_id = {one};"
            "DELETE FROM verification_evidence_key WHERE attempt_id = {one};"
            "DELETE FROM verification_review WHERE attempt_id = {one};"
            "DELETE FROM verification_attempt WHERE id = {one}"
        ),
        FaultCode.NO_ROW,
    ),
    "an attempt forged": (forged_attempt, FaultCode.NO_ENTRY),
    "an attempt back-dated": (back_dated, FaultCode.TIME),
    "an entry post-dated": (post_dated, FaultCode.TIME),
    "an entry edited": (edit_entry, FaultCode.LOG),
    "an entry with white space": (respell(lambda raw: raw.replace(b",", b", ", 1)), FaultCode.LOG),
    "an entry with a key twice": (
        respell(lambda raw: raw.replace(b'"send_no":1', b'"send_no":1,"send_no":1', 1)),
        FaultCode.LOG,
    ),
    "an entry with a needless escape": (
        respell(lambda raw: raw.replace(b"attempt.settled", b"\\u0061ttempt.settled", 1)),
        FaultCode.LABEL,
    ),
    "an entry with a fraction": (
        respell(lambda raw: raw.replace(b'"send_no":1', b'"send_no":1.0', 1)),
        FaultCode.LOG,
    ),
    "entries in another order": (swap_entries, FaultCode.LABEL),
    "an entry taken out": (drop_in_the_middle, FaultCode.EVIDENCE),
    "an entry deleted": (
        owner(
            "DELETE FROM verification_ledger_entry"
            " WHERE attempt_id = {one} AND kind = 'attempt.settled'"
        ),
        FaultCode.LOG,
    ),
    "the tail cut off": (
        owner(
            "DELETE FROM verification_ledger_entry"
            " WHERE index >= (SELECT max(index) - 3 FROM verification_ledger_entry)"
        ),
        FaultCode.LOG,
    ),
    "an entry relabelled": (
        owner("UPDATE verification_ledger_entry SET kind = 'heartbeat' WHERE index = 0"),
        FaultCode.LABEL,
    ),
    "an entry hidden from its attempt": (
        owner("UPDATE verification_ledger_entry SET attempt_id = NULL WHERE attempt_id = {one}"),
        FaultCode.LABEL,
    ),
    "a leaf hash": (
        owner("UPDATE verification_ledger_entry SET leaf_hash = sha256('x') WHERE index = 3"),
        FaultCode.LEAF,
    ),
    "an interior node as a leaf": (leaf_of_nodes, FaultCode.LABEL),
    "a node": (
        owner(
            "UPDATE verification_ledger_node SET hash = sha256('x') WHERE (level, index) = (2, 0)"
        ),
        FaultCode.NODE,
    ),
    "a node deleted": (
        owner("DELETE FROM verification_ledger_node WHERE level = 1 AND index = 1"),
        FaultCode.NODE,
    ),
    "a checkpoint forged": (forged_checkpoint, FaultCode.LOG),
    "a checkpoint's column": (
        owner("UPDATE verification_ledger_checkpoint SET root = sha256('x')"),
        FaultCode.CHECKPOINT,
    ),
    "checkpoints in another order of time": (
        owner(
            "UPDATE verification_ledger_checkpoint SET made_at = made_at + interval '1 hour'"
            " WHERE size = (SELECT min(size) FROM verification_ledger_checkpoint)"
        ),
        FaultCode.LOG,
    ),
    "images exchanged": (swap_evidence, FaultCode.EVIDENCE),
    "images and keys exchanged": (swap_evidence_and_keys, FaultCode.KEY_LOST),
    "an image encrypted anew": (reencrypt, FaultCode.EVIDENCE),
    "another key wrapped": (wrap_another_key, FaultCode.KEY),
    "a wrapped key garbled": (
        owner(
            "UPDATE verification_evidence_key"
            " SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE attempt_id = {one}"
        ),
        FaultCode.KEY_LOST,
    ),
    "an image deleted": (
        owner("DELETE FROM verification_evidence WHERE attempt_id = {one} AND kind = 'image_best'"),
        FaultCode.EVIDENCE,
    ),
    "a key deleted": (
        owner("DELETE FROM verification_evidence_key WHERE attempt_id = {one}"),
        FaultCode.KEY_LOST,
    ),
    "an image added": (add_evidence, FaultCode.EVIDENCE),
    "an erasure faked": (
        owner(
            "UPDATE verification_evidence_key SET sealed = NULL, erased_at = now()"
            " WHERE attempt_id = {one}"
        ),
        FaultCode.ERASURE,
    ),
    "an erasure by one person": (same_person_erasure, FaultCode.FOUR_EYES),
    "an erasure's request gone": (
        owner("DELETE FROM verification_erasure WHERE attempt_id = {erased}"),
        FaultCode.ERASURE,
    ),
    "a reveal gone": (
        owner("DELETE FROM verification_reveal WHERE attempt_id = {revealed}"),
        FaultCode.REVEAL,
    ),
    "a reveal's reason": (
        owner(
            "UPDATE verification_reveal SET reason = 'something harmless'"
            " WHERE attempt_id = {revealed}"
        ),
        FaultCode.REVEAL,
    ),
    "who revealed": (
        owner("UPDATE verification_reveal SET officer_name = 'x' WHERE attempt_id = {revealed}"),
        FaultCode.REVEAL,
    ),
    "an entry taken from the stage": (unstage, FaultCode.NO_ENTRY),
    "a key for an insider": (insert_api_key, FaultCode.REGISTER),
    "more scopes for a client": (
        owner("UPDATE verification_client SET scopes = '{{ledger:read}}'"),
        FaultCode.REGISTER,
    ),
    "a right for an insider": (
        owner("UPDATE auth_user SET is_active = false"),
        FaultCode.REGISTER,
    ),
    "a role for an insider": (
        owner(
            "INSERT INTO auth_user_groups (user_id, group_id)"
            " SELECT (SELECT min(id) FROM auth_user), min(id) FROM auth_group"
        ),
        FaultCode.REGISTER,
    ),
}
"""Attacks that the database alone gives away, and the code of the first fault."""

WITH_ANCHOR: dict[str, Attack] = {
    "another history, signed with the stolen key": split_view,
    "the tail cut off with all that it told of": truncate_tail,
    "the database rolled back": lambda scene: roll_back(scene, sizes()[1]),
}
"""Attacks that need an anchor to be seen. Without one they must verify clean: that is what shows
that the anchors are tested."""
