"""Destroy keys, or erase texts of records, whose time is over, as an approved run says.

Slice by slice, in the worker.

Each page is one transaction: what expires, its entries, and how far the run is. So a worker that
is killed has done a page whole or not at all, and the next one goes on behind it.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import BinaryField, F, Func, QuerySet

from verification.ledger.canonical import Json
from verification.models import Evidence, EvidenceKey, Expiry, RetentionRule, RetentionRun
from verification.models.retention import WORKING, Kept, RunState
from verification.selectors.due import Page, Standing, keys_page, records_page
from verification.selectors.holds import held_attempts
from verification.selectors.retention import Rules, rules_in_force
from verification.services.record_erasing import erase_record
from verification.services.retention import has_other_rules
from verification.services.retention_entries import ended_entry, expired_entry
from verification.services.retention_lock import share_destructions
from verification.services.runtime import Runtime
from verification.services.staging import stage

logger = logging.getLogger(__name__)

PAGE_SIZE = 500
RECORDS_AT_ONCE = 100
"""Each has its sessions, former states and notes."""

SLICE_S = 4.0


@dataclass(frozen=True, slots=True)
class _Due:
    """What is to be done with a page: what expires by which rule, and how many stay."""

    expiring: Mapping[UUID, RetentionRule]
    held: int
    doubtful: int


def continue_runs(
    *,
    runtime: Runtime,
    slice_s: float = SLICE_S,
    page_size: int = PAGE_SIZE,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Work on the approved run for a while; return whether there is more to do.

    Safe to repeat and to run beside another: a page belongs to whoever has locked the run.
    """
    until = monotonic() + slice_s
    try:
        while (is_more := _page(runtime, page_size)) and monotonic() < until:
            pass
    except OperationalError:
        raise  # the database went away: the job is done again
    except Exception as error:  # noqa: BLE001 - a run that cannot go on must not be tried for ever
        logger.error("retention run: %s", type(error).__name__)  # noqa: TRY400 - no values
        _fail(runtime)
        return False
    return is_more


def _page(runtime: Runtime, size: int) -> bool:
    """Do one page of the open run; False if there is none, or it has ended."""
    with transaction.atomic():
        run = _working().select_for_update(skip_locked=True).first()
        if run is None:
            return False
        share_destructions()
        now = runtime.now()
        if run.state == RunState.APPROVED:
            _start(run, now)
        if has_other_rules(run):
            _end(run, RunState.CANCELLED, now)
            return False
        is_last = _records(run, size, now) if run.what == Kept.RECORD else _keys(run, size, now)
        if is_last:
            _end(run, RunState.DONE, now)
    return not is_last


def _start(run: RetentionRun, now: datetime) -> None:
    run.state, run.started_at = RunState.RUNNING, now
    run.save(update_fields=["state", "started_at"])


def _keys(run: RetentionRun, size: int, now: datetime) -> bool:
    """Do a page of keys; return whether it was the last one."""
    page = keys_page(run.position_id, run.asked_at, size)
    rules, kinds = rules_in_force(), _kinds([each.attempt_id for each in page])
    due = _due(
        page, lambda each: _rule(rules, kinds.get(each.attempt_id, ()), each.region), run.asked_at
    )
    _expire(run, due, now)
    _count(run, page, due, len(due.expiring))
    return len(page) < size


def _records(run: RetentionRun, size: int, now: datetime) -> bool:
    """Do a page of records, whose evidence is gone; return whether it was the last one."""
    size = min(size, RECORDS_AT_ONCE)
    page = records_page(run.position_id, run.asked_at, size)
    rules = rules_in_force()
    due = _due(page, lambda each: rules.record(each.region), run.asked_at)
    erased = sum(erase_record(attempt_id=each, basis=run, at=now) for each in due.expiring)
    _count(run, page, due, erased)
    return len(page) < size


def _expire(run: RetentionRun, due: _Due, now: datetime) -> None:
    """Destroy the keys that are due."""
    rows = [
        Expiry(attempt_id=attempt_id, run_id=run.pk, rule_id=rule.pk, expired_at=now)
        for attempt_id, rule in due.expiring.items()
    ]
    Expiry.objects.bulk_create(rows)
    destroyed = _destroyed(due.expiring)
    keys = EvidenceKey.objects.filter(pk__in=list(due.expiring))
    keys.update(sealed=None, erased_at=now)
    stage(expired_entry(row, evidence=destroyed[row.attempt_id]) for row in rows)


def _count(run: RetentionRun, page: Page, due: _Due, expired: int) -> None:
    if not page:
        return
    run.expired += expired
    run.held += due.held
    run.doubtful += due.doubtful
    run.seen += expired + due.held + due.doubtful
    run.position_id = page[-1].attempt_id
    run.save(update_fields=["seen", "expired", "held", "doubtful", "position_id"])


def _due(page: Page, rule_of: Callable[[Standing], RetentionRule | None], at: datetime) -> _Due:
    """Return what is due of a page by the rule of each."""
    found: dict[UUID, RetentionRule] = {}
    doubtful: set[UUID] = set()
    for each in page:
        rule = rule_of(each)
        if rule is not None and each.created_at + timedelta(days=rule.days) <= at:
            found[each.attempt_id] = rule
            if not each.is_over:
                doubtful.add(each.attempt_id)
    held = held_attempts(found)
    kept = held | doubtful
    expiring = {each: rule for each, rule in found.items() if each not in kept}
    return _Due(expiring, len(held), len(doubtful - held))


def _rule(rules: Rules, kinds: Sequence[str], region: str) -> RetentionRule | None:
    return rules.longest(kinds, region) if kinds else None


def _kinds(ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    rows = Evidence.objects.filter(attempt_id__in=ids).values_list("attempt_id", "kind")
    for attempt_id, kind in rows:
        found.setdefault(attempt_id, []).append(kind)
    return found


def _destroyed(ids: Mapping[UUID, object]) -> dict[UUID, list[Json]]:
    """Return which ciphertexts can no longer be opened; they are digested where they are stored."""
    digest = Func(F("sealed"), function="sha256", output_field=BinaryField())
    rows = Evidence.objects.filter(attempt_id__in=list(ids)).order_by("attempt_id", "kind")
    found: dict[UUID, list[Json]] = {each: [] for each in ids}
    for attempt_id, id_, kind, sealed in rows.annotate(digest=digest).values_list(
        "attempt_id", "id", "kind", "digest"
    ):
        item: Json = {"id": str(id_), "kind": kind, "sealed_sha256": bytes(sealed).hex()}
        found[attempt_id].append(item)
    return found


def _fail(runtime: Runtime) -> None:
    with transaction.atomic():
        run = _working().select_for_update().first()
        if run is not None:
            _end(run, RunState.FAILED, runtime.now())


def _end(run: RetentionRun, state: RunState, now: datetime) -> None:
    run.state, run.finished_at = state, now
    run.save(update_fields=["state", "finished_at"])
    stage([ended_entry(run, at=now, by=None)])


def _working() -> QuerySet[RetentionRun]:
    return RetentionRun.objects.filter(state__in=WORKING)
