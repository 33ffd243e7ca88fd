"""Hold requests for rights against their entries, and every growth after the seal against both."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from verification.ledger.canonical import Json, parse
from verification.ledger.errors import CanonicalError
from verification.models.rights import (
    RIGHTS_APPROVED,
    RIGHTS_GLASS_BROKEN,
    RIGHTS_GLASS_REVIEWED,
    RIGHTS_REFUSED,
    RIGHTS_REQUESTED,
    RIGHTS_SEALED,
    RIGHTS_WITHDRAWN,
    Growth,
    RightsDecision,
)
from verification.services.faults import Fault, FaultCode
from verification.services.record_streams import utc_sql
from verification.services.roles import ROLES, permissions_of

ROLE_CHANGED = "role.changed"
DECISIONS = {
    RIGHTS_APPROVED: RightsDecision.APPROVED.value,
    RIGHTS_GLASS_BROKEN: RightsDecision.APPROVED.value,
    RIGHTS_REFUSED: RightsDecision.REFUSED.value,
    RIGHTS_WITHDRAWN: RightsDecision.WITHDRAWN.value,
}
KINDS = (RIGHTS_REQUESTED, *DECISIONS, RIGHTS_GLASS_REVIEWED, RIGHTS_SEALED)

ROWS = f"""
    SELECT id::text, account_id::text, growth, role_id::text,
        pg_catalog.encode(
            pg_catalog.sha256(pg_catalog.convert_to(reason, 'UTF8')), 'hex'),
        requested_by_id::text, {utc_sql("requested_at")},
        decision, decided_by_id::text, {utc_sql("decided_at")}, glass_broken,
        glass_reviewed_by_id::text, {utc_sql("glass_reviewed_at")}
    FROM verification_rights_change ORDER BY id
"""  # noqa: S608 - our own columns
NAMES = (
    "account", "growth", "role", "reason_sha256", "requested_by", "requested_at", "decision",
    "decided_by", "decided_at", "glass_broken", "glass_reviewed_by", "glass_reviewed_at",
)  # fmt: skip
SEALS = f"SELECT {utc_sql('sealed_at')} FROM verification_rights_seal"  # noqa: S608 - the same

Facts = dict[str, Json]
Key = tuple[str, str, str | None]
"""Account, growth, role."""


def rights_faults(connection: psycopg.Connection[Any], entries: Iterable[bytes]) -> Iterator[Fault]:
    """Yield what does not hold; `entries` are those of KINDS and ROLE_CHANGED, in order."""
    said = _Said()
    for raw in entries:
        try:
            entry = parse(raw)
        except CanonicalError:
            continue
        yield from said.read(entry)
    for change, *values in connection.execute(ROWS):
        found = dict(zip(NAMES, values, strict=True))
        known = said.changes.pop(change, None)
        if known is None:
            yield _fault(f"request for rights {change} is in no entry")
        elif differing := sorted(name for name in NAMES if found[name] != known.get(name)):
            what = ", ".join(differing)
            yield _fault(f"request for rights {change} differs from what was recorded: {what}")
    for change in said.changes:
        yield _fault(f"request for rights {change} was recorded, but is gone")
    seals = [at for (at,) in connection.execute(SEALS)]
    if seals != ([said.sealed_at] if said.sealed_at else []):
        yield _fault("the seal of rights is not as was recorded")


@dataclass(slots=True)
class _Said:
    """What the entries so far add up to: requests, who holds what, and what may still grow."""

    changes: dict[str, Facts] = field(default_factory=dict)
    sealed_at: str | None = None
    _approved: Counter[Key] = field(default_factory=Counter)
    _roles: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _names: dict[str, str] = field(default_factory=dict)
    _works: dict[str, bool] = field(default_factory=dict)
    _supers: dict[str, bool] = field(default_factory=dict)

    def read(self, entry: Mapping[str, Json]) -> Iterator[Fault]:
        """Take in one entry; yield a growth that two people did not decide."""
        kind = entry.get("kind")
        if kind == RIGHTS_SEALED:
            self.sealed_at = self.sealed_at or str(entry.get("at"))
        elif kind in KINDS:
            yield from self._request(str(kind), entry)
        elif kind == ROLE_CHANGED:
            grown = list(self._grown(entry))
            for each in grown:
                yield from self._use(each)

    def _request(self, kind: str, entry: Mapping[str, Json]) -> Iterator[Fault]:
        change = str(entry.get("change"))
        about = {name: entry.get(name) for name in ("account", "growth", "role")}
        by, at = entry.get("by_id"), entry.get("at")
        if kind == RIGHTS_REQUESTED:
            self.changes[change] = {
                **about,
                "reason_sha256": entry.get("reason_sha256"),
                "requested_by": by,
                "requested_at": at,
                "glass_broken": False,
            }
            return
        known = self.changes.setdefault(change, dict(about))
        if kind == RIGHTS_GLASS_REVIEWED:
            known |= {"glass_reviewed_by": by, "glass_reviewed_at": at}
            return
        known |= {"decision": DECISIONS[kind], "decided_by": by, "decided_at": at}
        known["glass_broken"] = kind == RIGHTS_GLASS_BROKEN
        if kind == RIGHTS_APPROVED and by in (known.get("requested_by"), known.get("account")):
            yield Fault(FaultCode.FOUR_EYES, f"one person asked for and gave rights: {change}")
        if DECISIONS[kind] == RightsDecision.APPROVED:
            self._approved[_key(about)] += 1

    def _grown(self, entry: Mapping[str, Json]) -> Iterator[Key]:
        """Yield what somebody has more than before."""
        is_set = entry.get("change") == "set"
        account, role = str(entry.get("user")), str(entry.get("group"))
        match entry.get("what"):
            case "group" if is_set:
                self._names[role] = str(entry.get("name"))
            case "member" if is_set:
                self._roles[account].add(role)
                yield account, Growth.ROLE.value, role
            case "member":
                self._roles[account].discard(role)
            case "account":
                yield from self._account(account, entry if is_set else {})
            case "user_permission" if is_set:
                yield account, f"permission {entry.get('name')}", None
            case "group_permission" if is_set and not self._is_included(role, entry):
                yield f"role {role}", f"permission {entry.get('name')}", None

    def _account(self, account: str, entry: Mapping[str, Json]) -> Iterator[Key]:
        works = entry.get("is_active") is True and entry.get("is_staff") is True
        is_super = entry.get("is_superuser") is True
        held = self._roles.get(account) or self._supers.get(account)
        if works and held and not self._works.get(account):
            yield account, Growth.RETURN.value, None
        if is_super and not self._supers.get(account):
            yield account, Growth.SUPERUSER.value, None
        self._works[account], self._supers[account] = works, is_super

    def _is_included(self, role: str, entry: Mapping[str, Json]) -> bool:
        name = self._names.get(role)
        return name in ROLES and entry.get("name") in permissions_of(str(name))

    def _use(self, key: Key) -> Iterator[Fault]:
        if self._approved[key] > 0:
            self._approved[key] -= 1
        elif self.sealed_at is not None:
            account, growth, role = key
            what = growth if role is None else f"{growth} {role}"
            sentence = f"account {account} got more rights without two people: {what}"
            yield Fault(FaultCode.FOUR_EYES, sentence)


def _key(about: Mapping[str, Json]) -> Key:
    role = about.get("role")
    return str(about.get("account")), str(about.get("growth")), None if role is None else str(role)


def _fault(sentence: str) -> Fault:
    return Fault(FaultCode.REGISTER, sentence)
