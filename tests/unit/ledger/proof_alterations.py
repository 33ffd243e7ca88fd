"""What can be done to a good proof document, and what a verifier must say to it."""

import re
from collections.abc import Callable
from typing import Any

from tests.unit.ledger.proof_samples import DATA_KEY, FIRST, KEY, LOG_11, TOLD, content, log_of

Alter = Callable[[Any], object]


def entry(value: Any, number: int = 1, attempt: int = 0) -> Any:
    """Return an entry of a document's content."""
    return value["attempts"][attempt]["entries"][number]


def _swap(raw: str, old: str, new: str) -> Alter:
    """Return what replaces a part of an entry's text; it must be there."""
    assert old in raw
    return lambda it: entry(it).update(raw=raw.replace(old, new, 1))


RAW = entry(content())["raw"]
PATH = entry(content())["proof"]
NOTE = content()["checkpoint"]
GROWN = content()["consistency"]
LINE = NOTE.splitlines()[-1]
UNREADABLE: dict[str, Alter] = {
    "other format": lambda it: it.update(format="verification-proof/v2"),
    "format missing": lambda it: it.pop("format"),
    "member too many": lambda it: it.update(more=None),
    "member of an attempt too many": lambda it: it["attempts"][0].update(more=None),
    "member of an entry too many": lambda it: entry(it).update(more=None),
    "member of an entry missing": lambda it: entry(it).pop("values"),
    "member of consistency missing": lambda it: it["consistency"].pop("old"),
    "consistency empty": lambda it: it.update(consistency={}),
    "consistency a list": lambda it: it.update(consistency=[]),
    "attempts an object": lambda it: it.update(attempts={}),
    "attempt a text": lambda it: it.update(attempts=["x"]),
    "id in upper case": lambda it: it["attempts"][0].update(id=FIRST.upper()),
    "id with a newline": lambda it: it["attempts"][0].update(id=f"{FIRST}\n"),
    "key too short": lambda it: it["attempts"][0].update(key=KEY.hex()[:-2]),
    "key in upper case": lambda it: it["attempts"][0].update(key=KEY.hex().upper()),
    "index a text": lambda it: entry(it).update(index="5"),
    "index a boolean": lambda it: entry(it).update(index=True),
    "index beyond 53 bits": lambda it: entry(it).update(index=2**53),
    "index of many digits": lambda it: entry(it).update(index=10**4000),
    "index not a number": lambda it: entry(it).update(index=float("nan")),
    "hash too short": lambda it: entry(it).update(proof=["AAAA"]),
    "hash without padding": lambda it: entry(it).update(proof=[PATH[0].rstrip("=")]),
    "hash for URLs": lambda it: entry(it).update(proof=["-" + PATH[0][1:]]),
    "hash with a newline": lambda it: entry(it).update(proof=[PATH[0] + "\n"]),
    "hash no text": lambda it: entry(it).update(proof=[None]),
    "value no text": lambda it: entry(it).update(values={"result": 200}),
    "half a surrogate pair in a value": lambda it: entry(it).update(values={"result": "\ud800"}),
    "half a surrogate pair in an entry": _swap(RAW, "answered", "\\ud800"),
    "name not ASCII": lambda it: entry(it).update(values={"rés": ""}),
    "entry no JSON": _swap(RAW, "{", ""),
    "entry a list": lambda it: entry(it).update(raw="[]"),
    "entry with white space": _swap(RAW, ",", ", "),
    "entry with a needless escape": _swap(RAW, "answered", "\\u0061nswered"),
    "entry with a key twice": _swap(RAW, '"at":', '"at":"","at":'),
    "entry in another order": _swap(RAW, RAW, '{"kind":"attempt.settled","attempt":""}'),
    "entry with a fraction": _swap(RAW, '"send_no":1', '"send_no":1.5'),
    "entry with an exponent": _swap(RAW, '"send_no":1', '"send_no":1e0'),
    "entry with a negative zero": _swap(RAW, '"send_no":1', '"send_no":-0'),
    "entry with NaN": _swap(RAW, '"send_no":1', '"send_no":NaN'),
    "entry beyond 53 bits": _swap(RAW, '"send_no":1', f'"send_no":{-(2**53)}'),
    "entry too deep": _swap(RAW, '"send_no":1', f'"send_no":{"[" * 16}{"]" * 16}'),
    "entry too long": _swap(RAW, "answered", "a" * 65_536),
    "checkpoint empty": lambda it: it.update(checkpoint=""),
    "checkpoint without a signature": lambda it: it.update(checkpoint=NOTE.replace(LINE, "")),
    "checkpoint without its last newline": lambda it: it.update(checkpoint=NOTE[:-1]),
    "checkpoint with a control character": lambda it: it.update(
        checkpoint=NOTE.replace("\n\n", "\nmore\t\n\n")
    ),
    "checkpoint with a leading zero": lambda it: it.update(
        checkpoint=NOTE.replace("\n11\n", "\n011\n")
    ),
    "checkpoint beyond 63 bits": lambda it: it.update(
        checkpoint=NOTE.replace("\n11\n", f"\n{2**63}\n")
    ),
    "checkpoint of an empty log with a root": lambda it: it.update(
        checkpoint=NOTE.replace("\n11\n", "\n0\n")
    ),
    "checkpoint with a short signature": lambda it: it.update(
        checkpoint=NOTE.replace(LINE.split()[-1], "AAAAAA==")
    ),
    "checkpoint with 101 signatures": lambda it: it.update(
        checkpoint=NOTE.replace(LINE, "\n".join([LINE] * 101))
    ),
    "checkpoint of a megabyte": lambda it: it.update(
        checkpoint=NOTE.replace("\n\n", f"\n{'x' * 1_000_000}\n\n")
    ),
    "earlier checkpoint no note": lambda it: it["consistency"].update(old="x"),
}
BROKEN: dict[str, tuple[Alter, str]] = {
    "no attempts": (lambda it: it.update(attempts=[]), "attempts: "),
    "no entries": (lambda it: it["attempts"][0].update(entries=[]), "attempts: "),
    "attempt twice": (lambda it: it["attempts"].append(it["attempts"][0]), "attempts: "),
    "index of another": (lambda it: entry(it).update(index=4), "entry 4: its proof"),
    "index negative": (lambda it: entry(it).update(index=-1), "entry -1: its proof"),
    "index beyond the log": (lambda it: entry(it).update(index=11), "entry 11: its proof"),
    "no proof": (lambda it: entry(it).update(proof=[]), "entry 5: its proof"),
    "proof cut": (lambda it: entry(it).update(proof=PATH[:-1]), "entry 5: its proof"),
    "proof too long": (lambda it: entry(it).update(proof=[*PATH, PATH[0]]), "entry 5: its proof"),
    "proof of another": (
        lambda it: entry(it).update(proof=entry(it, 0)["proof"]),
        "entry 5: its proof",
    ),
    "state": (_swap(RAW, '"answered"', '"rejected"'), "entry 5: its proof"),
    "time": (_swap(RAW, "09:30:01", "09:30:02"), "entry 5: its proof"),
    "client": (lambda it: entry(it, 0).update(raw=RAW), "entry 2: its proof"),
    "commitment": (
        lambda it: entry(it).update(raw=re.sub('"[0-9a-f]{64}"', f'"{"0" * 64}"', RAW, count=1)),
        "entry 5: its proof",
    ),
    "same entry twice": (
        lambda it: it["attempts"][0]["entries"].insert(1, entry(it)),
        "entry 5: it does not come after",
    ),
    "entries in another order": (
        lambda it: it["attempts"][0]["entries"].append(it["attempts"][0]["entries"].pop(1)),
        "entry 5: it does not come after",
    ),
    "first entry left out": (lambda it: it["attempts"][0]["entries"].pop(0), "entry 5: only the"),
    "entry of another attempt": (
        lambda it: it["attempts"][0]["entries"].append(entry(it, 1, attempt=1)),
        "entry 8: it does not come after",
    ),
    "entry of another attempt only": (
        lambda it: it["attempts"][0].update(entries=it["attempts"][1]["entries"]),
        "entry 6: it is not about this attempt",
    ),
    "other id": (lambda it: it["attempts"][1].update(id=FIRST[:-1] + "0"), "entry 6: it is not"),
    "other value": (
        lambda it: entry(it, 0)["values"].update(biz_no="order-18"),
        "entry 2: biz_no is not",
    ),
    "other digits": (
        lambda it: entry(it)["values"].update(scores=TOLD["scores"].replace("84.30", "84.3")),
        "entry 5: scores is not",
    ),
    "value of another name": (
        lambda it: entry(it, 0).update(values={"subject": "order-17"}),
        "entry 2: subject is not",
    ),
    "value without a commitment": (
        lambda it: entry(it).update(values={"biz_no": "order-17"}),
        "entry 5: biz_no is not",
    ),
    "other key": (
        lambda it: it["attempts"][0].update(key="0" * 64),
        "entry 2: biz_no is not",
    ),
    "values without a key": (lambda it: it["attempts"][0].update(key=None), "entry 2: a value is"),
    "data key": (
        lambda it: entry(it)["values"].update(evidence_key=DATA_KEY),
        "entry 5: the key of the evidence",
    ),
    "other size": (
        lambda it: it.update(checkpoint=NOTE.replace("\n11\n", "\n12\n")),
        "checkpoint: the signature",
    ),
    "extension line": (
        lambda it: it.update(checkpoint=NOTE.replace("\n\n", "\nmore\n\n")),
        "checkpoint: the signature",
    ),
    "other signature": (
        lambda it: it.update(checkpoint=NOTE.replace(LINE[-30:-10], LINE[-30:-10].swapcase())),
        "checkpoint: the signature",
    ),
    "signature too long": (
        lambda it: it.update(checkpoint=NOTE.replace(LINE, f"{LINE[:-1]}A")),
        "checkpoint: the signature",
    ),
    "one of two signatures wrong": (
        lambda it: it.update(
            checkpoint=NOTE + LINE.replace(LINE[-30:-10], LINE[-30:-10].swapcase()) + "\n"
        ),
        "checkpoint: the signature",
    ),
    "signed under another name": (
        lambda it: it.update(checkpoint=NOTE.replace("\u2014 log", "\u2014 lag")),
        "checkpoint: the trusted key",
    ),
    "earlier checkpoint unsigned": (
        lambda it: it["consistency"].update(old=GROWN["old"].replace("\n7\n", "\n6\n")),
        "consistency: the signature",
    ),
    "earlier checkpoint larger": (
        lambda it: it.update(
            checkpoint=GROWN["old"], consistency={"old": NOTE, "proof": GROWN["proof"]}
        ),
        "consistency: the proof does not fit",
    ),
    "earlier checkpoint of another time": (
        lambda it: it["consistency"].update(old=LOG_11.note(6).decode()),
        "consistency: the proof",
    ),
    "fork before": (
        lambda it: it["consistency"].update(old=log_of().note(7).decode()),
        "consistency: the proof leads to other roots",
    ),
    "growth unproven": (lambda it: it["consistency"].update(proof=[]), "consistency: the proof"),
    "growth cut": (
        lambda it: it["consistency"].update(proof=GROWN["proof"][1:]),
        "consistency: the proof",
    ),
    "growth too long": (
        lambda it: it["consistency"].update(proof=[PATH[0], *GROWN["proof"]]),
        "consistency: the proof",
    ),
    "growth from nothing with hashes": (
        lambda it: it["consistency"].update(old=LOG_11.note(0).decode()),
        "consistency: the proof does not fit",
    ),
}
