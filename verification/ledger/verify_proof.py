"""Check a proof document offline: `python verify_proof.py PROOF.json --key VKEY`.

This file needs Python 3.11 and the package `cryptography`, and shares no code with the writer. The
format is docs/formats/proof.md, a guide docs/how-to/check-a-proof.md. Exit code: 0 the proof holds;
1 it does not, and the first break is named; 2 a file or an argument cannot be read.
"""

import argparse
import base64
import hashlib
import hmac
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple, TextIO

try:
    from datetime import UTC, datetime

    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stderr.write(
        "Python 3.11 is needed, and cryptography: python -m pip install cryptography\n"
    )
    raise SystemExit(2) from None

FORMAT = "verification-proof/v1"
MAX_PROOF_BYTES, MAX_ANCHOR_BYTES = 64 * 2**20, 256 * 2**20
MAX_ENTRY_BYTES, MAX_DEPTH, MAX_INTEGER = 65_536, 16, 2**53 - 1
MAX_NOTE_BYTES, MAX_SIGNATURES, MAX_SIZE = 1_000_000, 100, 2**63 - 1
KEY_ID_BYTES, TIME_BYTES, KEY_BYTES, LAST_SHOWN_S = 4, 8, 32, 253_402_300_799  # end of 9999
NOTE_KEY, COSIGNATURE_KEY, ACCEPTED, NEVER_TOLD = 1, 4, "attempt.accepted", "evidence_key"
RATES = ("threshold_1e3", "threshold_1e4", "threshold_1e5", "threshold_1e6")
GROUPS = {
    "result": (
        *("http_status", "time_used_ms", "result_code", "result_message"),
        *("outcome", "billable", "error_code", "error_argument"),
    ),
    "scores": (
        *("attack_score", "attack_threshold", "is_attack"),
        *(f"{of}_{each}" for of in ("ref1", "ref2", "idcard") for each in ("confidence", *RATES)),
    ),
    "risk": ("device_level", "device_tags", "verify_tags", "visual_attributes", "unknown_fields"),
    "judgement": ("policy_version", "verdict", "reasons", "subject_failures", "biz_no_failures"),
}

PROVEN = """
The proof holds. Proven, if the key is the log's own:
- These entries stand in the log as shown. The values are those that were committed to."""
NOT_PROVEN = """Not proven:
- That there are no other entries about these attempts, between these or later.
- That what was recorded is true, times included: they are the operator's, unless cosigned.
- Without an anchor or witnesses: that everyone is shown this log, and that it never was another."""
Name = tuple[str, bytes]  # a key's name and id; under it stand its type and its 32 public bytes
Keys = dict[Name, tuple[int, bytes]]


class BrokenError(Exception):
    """What is claimed does not hold. A ValueError says that something is not of its form."""


def demand(holds: object, otherwise: str) -> None:
    """Raise BrokenError unless something holds."""
    if not holds:
        raise BrokenError(otherwise)


def sha256(*parts: bytes) -> bytes:
    """Return the hash of all parts together."""
    return hashlib.sha256(b"".join(parts)).digest()


def inclusion_root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return where a proof leads (RFC 6962, 2.1.1); `left` is the largest power of 2 below size."""
    demand(0 <= index < size and (size == 1) == (not path), "its proof of inclusion does not fit")
    if size == 1:
        return leaf
    left, sibling, rest = 1 << ((size - 1).bit_length() - 1), path[-1], path[:-1]
    if index < left:
        return sha256(b"\x01", inclusion_root(leaf, index, left, rest), sibling)
    return sha256(b"\x01", sibling, inclusion_root(leaf, index - left, size - left, rest))


def grown_roots(old: int, new: int, path: list[bytes], known: bytes | None) -> tuple[bytes, bytes]:
    """Return both roots (RFC 6962, 2.1.2); the old one is `known`, or in `path` if that is None."""
    fit = 0 < old <= new and (len(path) == (0 if known else 1) if old == new else path)
    demand(fit, "consistency: the proof does not fit the sizes")
    if old == new:
        return known or path[0], known or path[0]
    left, sibling, rest = 1 << ((new - 1).bit_length() - 1), path[-1], path[:-1]
    if old <= left:
        old_root, new_root = grown_roots(old, left, rest, known)
        return old_root, sha256(b"\x01", new_root, sibling)
    old_root, new_root = grown_roots(old - left, new - left, rest, None)
    return sha256(b"\x01", sibling, old_root), sha256(b"\x01", sibling, new_root)


def commitment(key: bytes, name: str, value: str) -> str:
    """Return the commitment to a text, in hexadecimal: docs/formats/commitment.md."""
    named, said = name.encode(), value.encode()
    message = len(named).to_bytes(8) + named + len(said).to_bytes(8) + said
    return hmac.digest(key, b"verification commitment v1\n" + message, "sha256").hex()


def like(pattern: str) -> Callable[[object], bool]:
    """Return the test whether something is a text that wholly matches."""
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))


NAME = "[^+\\s\0-\x1f\ud800-\udfff]+"
HASH = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="  # 32 bytes in Base64: the last 2 bits are 0
EMPTY = "47DEQpj8HBSa[+]/TImW[+]5JCeuQeRkm5NMpJWZG3hSuFU="  # the root of the empty tree
TEXT = f"({NAME})\n(?!0\n(?!{EMPTY}))(0|[1-9][0-9]{{0,18}})\n({HASH})\n(?:.+\n)*"
NOTE = f"({TEXT})\n((?:\u2014 {NAME} [^ \n]+\n)+)"
is_name, is_hash, is_text = like(NAME), like(HASH), like("[^\ud800-\udfff]*")
is_hex, is_uuid = like("[0-9a-f]{64}"), like("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONSISTENCY = {"old": is_text, "proof": [is_hash]}
ENTRY = {
    "index": lambda value: type(value) is int,
    "raw": is_text,
    "proof": [is_hash],
    "values": lambda value: isinstance(value, dict) and all(map(is_text, value.values())),
}
ATTEMPT = {"id": is_uuid, "key": lambda value: value is None or is_hex(value), "entries": [ENTRY]}
DOCUMENT = {
    "format": lambda value: value == FORMAT,
    "checkpoint": is_text,
    "attempts": [ATTEMPT],
    "consistency": lambda value: value is None or fits(value, CONSISTENCY),
}


def fits(value: Any, form: Any) -> bool:
    """Say whether a value has these members only (docs/formats/proof.md), or is such a list."""
    if isinstance(form, dict):
        is_object = isinstance(value, dict) and set(value) == set(form)
        return is_object and all(fits(value[name], each) for name, each in form.items())
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(each, form[0]) for each in value)
    return bool(form(value))


def read_json(raw: bytes) -> Any:
    """Read strict JSON: ASCII keys, each once, integers within 53 bits, depth at most 16."""
    text = raw.decode()
    brackets = re.sub(r'(?s)"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[^][{}"]+', "", text)
    if max(accumulate(1 if each in "[{" else -1 for each in brackets), default=0) > MAX_DEPTH:
        raise ValueError("JSON is nested too deep")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs) or not all(name.isascii() for name, _ in pairs):
            raise ValueError("an object's key stands there twice, or is not ASCII")
        return dict(pairs)

    def integer(digits: str) -> int:  # fractions and NaN come here, too
        if not re.fullmatch("0|-?[1-9][0-9]{0,15}", digits) or abs(int(digits)) > MAX_INTEGER:
            raise ValueError("a number is not an integer of at most 53 bits")
        return int(digits)

    numbers = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), integer)
    return json.loads(text, object_pairs_hook=unique, **numbers)  # type: ignore[arg-type]


def read_entry(raw: bytes) -> dict[str, Any]:
    """Return what an entry says; ValueError unless it is canonical: docs/formats/entry.md."""
    content = read_json(raw)
    compact = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if type(content) is not dict or compact.encode() != raw or len(raw) > MAX_ENTRY_BYTES:
        raise ValueError("an entry is not an object in its canonical form")
    return content


def unbase64(text: str) -> bytes:
    """Return the bytes; ValueError unless the text is their one standard spelling."""
    if base64.b64encode(raw := base64.b64decode(text, validate=True)).decode() != text:
        raise ValueError("a text is not Base64 in its one spelling")
    return raw


class Note(NamedTuple):
    """A checkpoint as it was read; nothing is verified."""

    text: str
    signatures: list[tuple[str, bytes]]
    origin: str
    size: int
    root: bytes


def read_key(vkey: str, kind: int) -> Keys:
    """Read a vkey: name, plus, key id, plus, Base64 of type byte and public key."""
    name, key_id, encoded = [*vkey.split("+", 2), "", ""][:3]
    typed = unbase64(encoded)
    expected = sha256(name.encode(errors="replace"), b"\n", typed)[:KEY_ID_BYTES]
    is_key = typed[:1] == bytes([kind]) and len(typed) == KEY_BYTES + 1
    if not is_key or not is_name(name) or key_id != expected.hex():
        raise ValueError(f"a key is not a vkey of type {kind}, or its id is not its own")
    return {(name, expected): (kind, typed[1:])}


def read_note(content: str) -> Note:
    """Read a checkpoint and check its form, but no signature: docs/formats/checkpoint.md."""
    found = re.fullmatch(NOTE, content)
    if not found or re.search("[\0-\x09\x0b-\x1f]", content) or int(found[3]) > MAX_SIZE:
        raise ValueError("a checkpoint is not of its form")
    lines = [line.split(" ") for line in found[5].split("\n")[:-1]]
    signatures = [(name, unbase64(signature)) for _, name, signature in lines]
    is_short = any(len(signature) <= KEY_ID_BYTES for _, signature in signatures)
    if is_short or len(lines) > MAX_SIGNATURES or len(content.encode()) > MAX_NOTE_BYTES:
        raise ValueError("a checkpoint is too long, or its signature too short")
    return Note(found[1], signatures, found[2], int(found[3]), unbase64(found[4]))


def read_anchors(content: bytes) -> list[Note]:
    """Read checkpoints with an empty line after each; a last one that was cut off is left out."""
    *whole, _ = re.split("\n\n(?!\u2014 )", content.decode(errors="replace") + "\n")
    if whole and "\n\n\u2014 " not in whole[-1]:
        whole.pop()
    if not whole:
        raise ValueError("the anchor file holds no signed checkpoint")
    return [read_note(f"{each}\n") for each in whole]


def check_signed(note: Note, keys: Keys, what: str) -> dict[Name, int]:
    """Return which keys signed, and when; the log's must have, and no signature may be wrong."""
    signed = {
        key: _verify(note.text, signature[KEY_ID_BYTES:], key[0], *keys[key], what)
        for name, signature in note.signatures
        if (key := (name, signature[:KEY_ID_BYTES])) in keys
    }
    by_log = any(key[0] == note.origin and keys[key][0] == NOTE_KEY for key in signed)
    demand(by_log, f"{what}: the trusted key of its log has not signed it")
    return signed


def _verify(text: str, signature: bytes, name: str, kind: int, public: bytes, what: str) -> int:
    time_s, message = 0, text
    if kind == COSIGNATURE_KEY:
        time_s, signature = int.from_bytes(signature[:TIME_BYTES]), signature[TIME_BYTES:]
        message = f"cosignature/v1\ntime {time_s}\n{text}"
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message.encode())
    except InvalidSignature:
        raise BrokenError(f"{what}: the signature of {visible(name)} is wrong") from None
    return time_s


def check_grown(document: Any, note: Note, key: Keys, anchors: list[Note]) -> Note | None:
    """Return the earlier checkpoint, if there is one, once it and the newest anchor lead here."""
    old = None
    if given := document["consistency"]:
        old = read_note(given["old"])
        check_signed(old, key, "consistency")
        path, roots = list(map(unbase64, given["proof"])), (old.root, note.root)
        grew = not (old.size or path) or grown_roots(old.size, note.size, path, old.root) == roots
        demand(grew, "consistency: the proof leads to other roots")
    newest = max((each.size for each in anchors if each.size <= note.size), default=None)
    demand(newest is not None or not anchors, "anchor: each is larger than the proof's checkpoint")
    for anchor in (each for each in anchors if each.size == newest):
        check_signed(anchor, key, "anchor")
        known = note if anchor.size == note.size else old
        leads = known and (anchor.size, anchor.root) == (known.size, known.root)
        demand(leads, f"anchor: the proof does not lead on from its {newest} entries")
    return old


def check_entry(entry: Any, attempt: Any, note: Note, last: int) -> dict[str, Any]:
    """Return what an entry says: it stands in the log after `last`, is the attempt's, and opens."""
    index, raw, told, key = entry["index"], entry["raw"].encode(), entry["values"], attempt["key"]
    content = read_entry(raw)
    path = list(map(unbase64, entry["proof"]))
    root = inclusion_root(sha256(b"\x00", raw), index, note.size, path)
    demand(root == note.root, "its proof of inclusion leads to another root")
    demand(index > last, "it does not come after the one before it")
    demand(content.get("attempt") == attempt["id"], "it is not about this attempt")
    demand((content.get("kind") == ACCEPTED) == (last < 0), f"only the first must be {ACCEPTED}")
    committed = content.get("commitments", {})
    formed = isinstance(committed, dict) and all(map(is_hex, committed.values()))
    demand(formed, "its commitments are not of their form")
    demand(NEVER_TOLD not in told, "the key of the evidence is told")
    demand(key or not told, "a value is told though its key was destroyed")
    for name, value in told.items():
        expected = commitment(bytes.fromhex(key), name, value)
        opens = hmac.compare_digest(expected, committed.get(name, ""))
        demand(opens, f"{visible(name)} is not what was committed to")
    return content


def check_attempt(attempt: Any, note: Note) -> Iterator[str]:
    """Yield an attempt's block of the report: what everyone may read, what is told, what is not."""
    gone = "" if attempt["key"] else " (its key was destroyed: no value can be told any more)"
    yield f"\nAttempt {attempt['id']}{gone}"
    last = -1
    for entry in attempt["entries"]:
        try:
            content = check_entry(entry, attempt, note, last)
        except BrokenError as error:
            raise BrokenError(f"attempt {attempt['id']}, entry {entry['index']}: {error}") from None
        last = entry["index"]
        yield f"  Entry {last}: {visible(content.get('kind'))} at {visible(content.get('at'))}"
        for name in sorted(set(content) - {"at", "attempt", "commitments", "kind"}):
            yield f"    {visible(name)}: {visible(content[name])}"
        for name, text in sorted(entry["values"].items()):
            yield from (f"    {line}" for line in describe_value(name, text))
        if hidden := sorted(set(content.get("commitments", {})) - set(entry["values"])):
            yield f"    not disclosed: {visible(', '.join(hidden))}"


def describe_value(name: str, text: str) -> list[str]:
    """Return a value as it was committed to; members of a group by their names, unless null."""
    columns, members, at = GROUPS.get(name, ()), [], len("[")
    with suppress(ValueError, RecursionError):
        while columns and at < len(text):
            _, end = json.JSONDecoder().raw_decode(text, at)
            members.append(text[at:end])
            at = end + len(", ")
    if not columns or len(members) != len(columns) or f"[{', '.join(members)}]" != text:
        return [f"{visible(name)} = {visible(text)}"]
    named = zip(columns, members, strict=True)
    return [f"{name}, {column} = {visible(each)}" for column, each in named if each != "null"]


def visible(value: Any) -> str:
    """Return a value as text, with all that a terminal would not print as itself written out."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)


def verify(given: argparse.Namespace) -> Iterator[str]:
    """Yield the report, having checked all that it says."""
    key = read_key(given.key, NOTE_KEY)
    witnesses = [read_key(each, COSIGNATURE_KEY) for each in given.witness]
    keys = {name: each for one in (key, *witnesses) for name, each in one.items()}
    quorum = len(witnesses) if given.quorum is None else given.quorum
    distinct = {public for _, public in keys.values()}
    if not 0 <= quorum <= len(witnesses) or len(distinct) <= len(witnesses):
        raise ValueError("a key is named twice, or the quorum is not a number of witnesses")
    document = read_json(read_file(given.proof, MAX_PROOF_BYTES))
    if not fits(document, DOCUMENT):
        raise ValueError(f"the document is not a {FORMAT}")
    anchors = read_anchors(read_file(given.anchor, MAX_ANCHOR_BYTES)) if given.anchor else []
    note = read_note(document["checkpoint"])
    signed = check_signed(note, keys, "checkpoint")
    demand(len(signed) > quorum, f"checkpoint: fewer than {quorum} named witnesses cosigned it")
    earlier = check_grown(document, note, key, anchors)
    ids = [each["id"] for each in document["attempts"] if each["entries"]]
    is_sound = 0 < len(document["attempts"]) == len(set(ids))
    demand(is_sound, "attempts: there is none, one without entries, or one twice")
    yield f"Log {visible(note.origin)}: {note.size} entries, root {note.root.hex()}"
    for attempt in document["attempts"]:
        yield from check_attempt(attempt, note)
    yield PROVEN
    if earlier:
        yield f"- The first {earlier.size} entries are those of the earlier checkpoint, unchanged."
    if anchors:
        yield "- The log holds all that your newest anchor, of those not larger, fixed."
    for name, time_s in signed.items():
        if name not in key:
            moment = datetime.fromtimestamp(min(time_s, LAST_SHOWN_S), UTC)
            yield f"- {visible(name[0])} saw the checkpoint at {moment}, by its own clock."
    yield NOT_PROVEN


def read_file(path: Path, limit: int) -> bytes:
    """Return the bytes of a file that is not too long."""
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"a file is longer than {limit} bytes")
    return content


def main(argv: Sequence[str], out: TextIO) -> int:
    """Check the document that the arguments name, write the report, return the exit code."""
    parser = argparse.ArgumentParser(description="Check a proof document offline.")
    parser.add_argument("proof", type=Path, metavar="PROOF.json")
    parser.add_argument("--key", required=True, metavar="VKEY", help="the log's, pinned before")
    parser.add_argument("--anchor", type=Path, metavar="FILE", help="checkpoints you kept")
    parser.add_argument("--witness", action="append", default=[], metavar="VKEY", help="repeatable")
    parser.add_argument("--quorum", type=int, metavar="N", help="how many must have cosigned: all")
    try:
        report, code = "\n".join(verify(parser.parse_args(argv))), 0
    except BrokenError as error:
        report, code = f"The proof does NOT hold. {error}.", 1
    except (ValueError, OSError, RecursionError) as error:
        report, code = f"Cannot be read: {visible(str(error))}.", 2
    encoding = out.encoding or "utf-8"
    out.write(f"{report}\n".encode(encoding, "backslashreplace").decode(encoding))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout))
