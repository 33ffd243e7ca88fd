"""A policy as a document: strict JSON of one canonical form; docs/formats/policy.md.

Figures stand as integers and decimal texts, because the canonical form knows no floats.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

from verification.errors import VerificationError
from verification.faceid.contract import DEVICE_TAGS, THRESHOLD_NAMES
from verification.ledger.canonical import Json, canonical, parse
from verification.ledger.errors import CanonicalError
from verification.lifecycle import State
from verification.outcomes import Outcome
from verification.policy.terms import Decision, Priority, Reason, Verdict

SCHEMA = 1
EVERY = "*"
MARGIN = re.compile(r"(0|[1-9][0-9]{0,2})(\.[0-9]{1,3})?")
CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST_NAME = 100
LONGEST_LIST = 200
HIGHEST = 100
MAX_HOURS = 24 * 90
MAX_COUNT = 1000
MAX_MINUTES = 60 * 24 * 90
JUDGED_STATES = (State.REJECTED, State.IN_DOUBT)

Member = TypeVar("Member", Verdict, Reason, Decision)


class PolicyError(VerificationError):
    """A document is not a policy; the text names the member and what is wrong with it.

    `sentence` is English, and `values` are what its places `%(name)s` hold.
    """

    def __init__(self, sentence: str, **values: object) -> None:
        self.sentence = sentence
        self.values = values
        super().__init__(sentence % values if values else sentence)


def gettext_noop(sentence: str) -> str:
    """Mark a sentence for the catalogues, which we do not know: who shows it translates it."""
    return sentence


@dataclass(frozen=True, slots=True)
class Repetition:
    """`count` failures within `hours` before an attempt speak against it."""

    count: int
    hours: int


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """What officers choose from when they decide; `decisions` are those it can explain."""

    code: str
    label: str
    decisions: frozenset[Decision]


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read; each field is the member of its name in docs/formats/policy.md."""

    outcomes: Mapping[Outcome, Verdict]
    states: Mapping[State, Verdict]
    threshold: str
    margin: Decimal
    device_tags: frozenset[str]
    device_levels: frozenset[str]
    verify_tags: frozenset[str]
    failures: Repetition
    always_review: frozenset[Reason]
    second_person: frozenset[Reason]
    priorities: Mapping[Reason, Priority]
    sla_minutes: Mapping[Priority, int]
    lease_minutes: int
    reason_codes: tuple[ReasonCode, ...]


BUILT_IN: Mapping[str, Json] = MappingProxyType(
    {
        "schema": SCHEMA,
        "outcomes": {
            Outcome.VERIFIED.value: Verdict.APPROVED.value,
            Outcome.DIFFERENT_PERSON.value: Verdict.REVIEW.value,
            Outcome.LIVENESS_FAILED.value: Verdict.REJECTED.value,
            Outcome.NOT_COMPLETED.value: Verdict.RETRY.value,
            Outcome.SOURCE_FAILED.value: Verdict.REVIEW.value,
            Outcome.UNRECOGNISED.value: Verdict.REVIEW.value,
        },
        "states": {
            State.REJECTED.value: Verdict.RETRY.value,
            State.IN_DOUBT.value: Verdict.REVIEW.value,
        },
        "threshold": "1e-4",
        "margin": "2",
        "device_tags": list(DEVICE_TAGS),
        "device_levels": [],
        "verify_tags": [EVERY],
        "failures": {"count": 3, "hours": 24},
        "always_review": [
            Reason.ATTACK_BESIDE_COMPARISON.value,
            Reason.SUBJECT_FAILURES.value,
            Reason.BIZ_NO_FAILURES.value,
        ],
        "second_person": [
            Reason.ATTACK_BESIDE_COMPARISON.value,
            Reason.DEVICE_TAG.value,
            Reason.DEVICE_LEVEL.value,
            Reason.VERIFY_TAG.value,
        ],
        "priorities": {
            Reason.ATTACK_BESIDE_COMPARISON.value: "urgent",
            Reason.DEVICE_TAG.value: "high",
            Reason.IN_DOUBT.value: "high",
        },
        "sla_minutes": {"urgent": 60, "high": 240, "normal": 1440},
        "lease_minutes": 30,
        "reason_codes": [
            {"code": "same_person", "decisions": ["approved"], "label": "Same person"},
            {"code": "risk_explained", "decisions": ["approved"], "label": "Risk explained"},
            {"code": "other_person", "decisions": ["rejected"], "label": "Another person"},
            {"code": "attack_seen", "decisions": ["rejected"], "label": "Presentation attack"},
            {"code": "device_not_trusted", "decisions": ["rejected", "retry"],
             "label": "Device not trusted"},
            {"code": "poor_capture", "decisions": ["retry"], "label": "Poor capture"},
            {"code": "answer_lost", "decisions": ["retry"], "label": "Answer lost"},
            {"code": "other", "decisions": ["approved", "rejected", "retry"],
             "label": "Other: see the note"},
        ],
    }
)  # fmt: skip
"""The policy in force until people agree on another: version 1."""


def read_policy(raw: bytes) -> Policy:
    """Read a canonical document. Raises PolicyError, also for what is JSON but not canonical."""
    try:
        return make_policy(parse(raw))
    except CanonicalError as error:
        raise PolicyError(
            gettext_noop("the document is not canonical JSON: %(fault)s"), fault=str(error)
        ) from error


def write_document(document: Mapping[str, Json]) -> bytes:
    """Return the canonical bytes of a document, checked. Raises PolicyError."""
    make_policy(document)
    try:
        return canonical(dict(document))
    except CanonicalError as error:
        raise PolicyError(
            gettext_noop("the document has no canonical form: %(fault)s"), fault=str(error)
        ) from error


def make_policy(document: Mapping[str, Json]) -> Policy:
    """Check every member of a document; none may be missing, none unknown. Raises PolicyError."""
    _same_names(document, {"schema", *Policy.__dataclass_fields__}, "the document")
    if document["schema"] != SCHEMA:
        raise PolicyError(gettext_noop("schema: only %(schema)s is known"), schema=SCHEMA)
    outcomes = _object(document, "outcomes", {each.value for each in Outcome})
    states = _object(document, "states", {each.value for each in JUDGED_STATES})
    failures = _object(document, "failures", {"count", "hours"})
    minutes = _object(document, "sla_minutes", {each.name.lower() for each in Priority})
    return Policy(
        outcomes={Outcome(k): _word(Verdict, v, f"outcomes.{k}") for k, v in outcomes.items()},
        states={State(k): _word(Verdict, v, f"states.{k}") for k, v in states.items()},
        threshold=_choice(document["threshold"], THRESHOLD_NAMES, "threshold"),
        margin=_margin(document["margin"]),
        device_tags=_names(document, "device_tags"),
        device_levels=_names(document, "device_levels"),
        verify_tags=_names(document, "verify_tags"),
        failures=Repetition(
            _whole(failures["count"], MAX_COUNT, "failures.count"),
            _whole(failures["hours"], MAX_HOURS, "failures.hours"),
        ),
        always_review=_reasons(document, "always_review"),
        second_person=_reasons(document, "second_person"),
        priorities=_priorities(document["priorities"]),
        sla_minutes={
            Priority[k.upper()]: _whole(v, MAX_MINUTES, f"sla_minutes.{k}")
            for k, v in minutes.items()
        },
        lease_minutes=_whole(document["lease_minutes"], MAX_MINUTES, "lease_minutes"),
        reason_codes=_reason_codes(document["reason_codes"]),
    )


def _same_names(given: Mapping[str, Json], due: Collection[str], place: str) -> None:
    if missing := sorted(set(due) - set(given)):
        raise PolicyError(
            gettext_noop("%(place)s: %(names)s missing"), place=place, names=", ".join(missing)
        )
    if unknown := sorted(set(given) - set(due)):
        raise PolicyError(
            gettext_noop("%(place)s: %(names)s unknown"), place=place, names=", ".join(unknown)
        )


def _object(document: Mapping[str, Json], name: str, due: Collection[str]) -> Mapping[str, Json]:
    found = document[name]
    if not isinstance(found, Mapping):
        raise PolicyError(gettext_noop("%(place)s: an object is due"), place=name)
    _same_names(found, due, name)
    return found


def _word(kind: type[Member], value: Json, place: str) -> Member:
    return kind(_choice(value, [each.value for each in kind], place))


def _choice(value: Json, choices: Iterable[str], place: str) -> str:
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise PolicyError(
            gettext_noop("%(place)s: one of %(known)s is due"), place=place, known=", ".join(known)
        )
    return value


def _whole(value: Json, top: int, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= top:
        raise PolicyError(
            gettext_noop("%(place)s: a whole number from 1 to %(top)s is due"), place=place, top=top
        )
    return value


def _margin(value: Json) -> Decimal:
    if not isinstance(value, str) or not MARGIN.fullmatch(value) or Decimal(value) > HIGHEST:
        raise PolicyError(
            gettext_noop('margin: a text such as "2" or "1.5", from 0 to 100, is due')
        )
    return Decimal(value)


def _list(value: Json, place: str) -> list[Json]:
    if not isinstance(value, list) or len(value) > LONGEST_LIST:
        raise PolicyError(
            gettext_noop("%(place)s: a list of at most %(most)s is due"),
            place=place,
            most=LONGEST_LIST,
        )
    return value


def _names(document: Mapping[str, Json], name: str) -> frozenset[str]:
    found = [_name(each, name) for each in _list(document[name], name)]
    return _set(found, name)


def _name(value: Json, place: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME:
        raise PolicyError(
            gettext_noop("%(place)s: texts of 1 to %(most)s characters are due"),
            place=place,
            most=LONGEST_NAME,
        )
    return value


def _reasons(document: Mapping[str, Json], name: str) -> frozenset[Reason]:
    found = [_word(Reason, each, name) for each in _list(document[name], name)]
    return _set(found, name)


Item = TypeVar("Item", bound=str)


def _set(found: list[Item], place: str) -> frozenset[Item]:
    if len(set(found)) < len(found):
        raise PolicyError(gettext_noop("%(place)s: each may stand there once"), place=place)
    return frozenset(found)


def _priorities(value: Json) -> Mapping[Reason, Priority]:
    if not isinstance(value, Mapping):
        raise PolicyError(gettext_noop("%(place)s: an object is due"), place="priorities")
    words = [each.name.lower() for each in Priority]
    return {
        _word(Reason, reason, "priorities"): Priority[
            _choice(word, words, f"priorities.{reason}").upper()
        ]
        for reason, word in value.items()
    }


def _reason_codes(value: Json) -> tuple[ReasonCode, ...]:
    codes = tuple(_reason_code(each) for each in _list(value, "reason_codes"))
    _set([each.code for each in codes], "reason_codes")
    explained = {decision for each in codes for decision in each.decisions}
    if missing := [each.value for each in Decision if each not in explained]:
        raise PolicyError(
            gettext_noop("reason_codes: none explains %(names)s"), names=", ".join(missing)
        )
    return codes


def _reason_code(value: Json) -> ReasonCode:
    if not isinstance(value, Mapping):
        raise PolicyError(gettext_noop("reason_codes: objects are due"))
    _same_names(value, {"code", "decisions", "label"}, "reason_codes")
    code = value["code"]
    if not isinstance(code, str) or not CODE.fullmatch(code):
        raise PolicyError(
            gettext_noop("reason_codes: a code is a-z, 0-9 and _, at most 40 characters")
        )
    place = f"reason_codes.{code}"
    decisions = [_word(Decision, each, place) for each in _list(value["decisions"], place)]
    if not decisions:
        raise PolicyError(gettext_noop("%(place)s: it explains no decision"), place=place)
    return ReasonCode(code, _name(value["label"], place), _set(decisions, place))
