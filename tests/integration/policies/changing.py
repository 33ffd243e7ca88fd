"""Changes of the policy as people make them."""

from typing import Any

from django.contrib.auth.models import User

from verification.ledger.canonical import parse
from verification.models import LedgerEntry, ReviewPolicy, StagedEntry
from verification.policy.document import BUILT_IN
from verification.services.policies import decide_policy, propose_policy
from verification.services.runtime import Runtime

NOTE = "agreed in the risk committee"


def document(**changes: Any) -> dict[str, Any]:
    """Return the built-in policy with other members."""
    return {**BUILT_IN, **changes}


def outcomes(**changes: str) -> dict[str, Any]:
    """Return the built-in verdicts by outcome, some of them otherwise."""
    known = BUILT_IN["outcomes"]
    assert isinstance(known, dict)
    return {**known, **changes}


def propose(by: User, runtime: Runtime, **changes: Any) -> ReviewPolicy:
    """Propose the built-in policy with other members."""
    return propose_policy(document=document(**changes), note=NOTE, by=by, runtime=runtime)


def put_in_force(first: User, second: User, runtime: Runtime, **changes: Any) -> ReviewPolicy:
    """Have one propose and another approve."""
    version = propose(first, runtime, **changes).version
    return decide_policy(version=version, approve=True, by=second, runtime=runtime)


def entries(prefix: str = "policy.") -> list[dict[str, Any]]:
    """Return the entries about versions, in the order in which they were staged."""
    raw = [*LedgerEntry.objects.order_by("index").values_list("raw", flat=True)]
    raw += StagedEntry.objects.order_by("no").values_list("raw", flat=True)
    found = [parse(bytes(each)) for each in raw]
    return [
        each
        for each in found
        if str(each["kind"]).startswith(prefix) and each["kind"] != "policy.changed"
    ]
