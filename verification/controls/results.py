"""What a check says of a control, and a digest over what all of them said."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

Fact = str | int | bool | None
Evidence = Mapping[str, Fact | Sequence[str]]
"""Facts by name: texts, whole numbers, lists of texts. Never about a subject."""


class State(StrEnum):
    """What was found. What could not be looked at is `unknown`, never `holds`."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found: a sentence for people, and the facts it stands on."""

    state: State
    sentence: str
    evidence: Evidence = field(default_factory=dict)


def judged(*, fault: str, held: str, evidence: Evidence) -> CheckResult:
    """Return that a control fails with the sentence `fault`, or holds if that is empty."""
    if fault:
        return CheckResult(State.FAILS, fault, evidence)
    return CheckResult(State.HOLDS, held, evidence)


def counts(states: Iterable[State]) -> dict[State, int]:
    """Count results by state; each state is named."""
    found = Counter(states)
    return {state: found[state] for state in State}


def digest(results: Mapping[str, CheckResult]) -> str:
    """Return the SHA-256, in hex, of results by the ids of their controls."""
    return digest_of(
        {
            each: (found.state.value, found.sentence, dict(found.evidence))
            for each, found in results.items()
        }
    )


def digest_of(said: Mapping[str, tuple[str, str, dict[str, object]]]) -> str:
    """Return the digest of state, sentence and evidence as they are stored, whatever they are.

    Over JSON without spaces, in ASCII, members sorted: `{id: [state, sentence, evidence]}`.
    """
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
