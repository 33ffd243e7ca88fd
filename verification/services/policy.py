"""The policy in force, as an entry: what our tables and limits say, whenever that changes."""

from dataclasses import dataclass

from verification.ledger.canonical import Json, canonical, parse
from verification.models import LedgerEntry, ReviewPolicy
from verification.models.policy import PolicyState
from verification.outcomes import BILLED, OUTCOMES
from verification.services.entries import POLICY, utc_text
from verification.services.policy_entries import policy_facts
from verification.services.runtime import Runtime


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """An entry that tells of another policy than the last one did."""

    kind: str
    raw: bytes


def policy_entry(*, runtime: Runtime) -> PolicyEntry | None:
    """Return the entry of the policy in force, None if the log's last one says the same."""
    policy = _policy(runtime)
    last = LedgerEntry.objects.filter(kind=POLICY).order_by("-index").first()
    if last is not None and parse(bytes(last.raw))["policy"] == policy:
        return None
    entry: dict[str, Json] = {"at": utc_text(runtime.now()), "kind": POLICY, "policy": policy}
    return PolicyEntry(POLICY, canonical(entry))


def _policy(runtime: Runtime) -> dict[str, Json]:
    conf = runtime.conf
    return {
        "billed": {f"{code} {message}": billed for (code, message), billed in BILLED.items()},
        "outcomes": {str(code): outcome.value for code, outcome in OUTCOMES.items()},
        "region": conf.faceid_region,
        "reveals_per_hour": conf.reveals_per_hour,
        "review_policy": _review_policy(),
        "timeout_ms": round(conf.faceid_timeout_s * 1000),
    }


def _review_policy() -> dict[str, Json] | None:
    """Return the version in force; version 1 came with the installation, so only this tells it."""
    row = ReviewPolicy.objects.filter(state=PolicyState.ACTIVE).first()
    return policy_facts(row) if row else None
