"""What if: judge the attempts of some days by another version, and count what would differ.

Nothing that was recorded changes. The worker does it in slices, so that its other jobs have their
turn; a slice that is lost with its process is done again.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db import OperationalError
from django.utils.translation import gettext_noop as _

from verification.identifiers import uuid7
from verification.lifecycle import State
from verification.models import PolicyReplay, ReviewPolicy
from verification.models.fields import load_exact
from verification.models.policy import ENDED, ReplayState
from verification.outcomes import Outcome
from verification.policy.document import Policy
from verification.policy.judging import Facts, judge
from verification.selectors.policies import read_document
from verification.selectors.replays import (
    DOCUMENTS,
    LABELS,
    count_judged,
    fact_names,
    find_replay,
    judged_page,
    open_replays,
)
from verification.services.errors import (
    BadPolicyError,
    NotPermittedError,
    PolicyDecidedError,
    UnknownPolicyError,
)
from verification.services.judging import FAILURES, MOST_FAILURES, Basis, facts_of
from verification.services.runtime import Runtime
from verification.services.tally import Tally, read_tally

logger = logging.getLogger(__name__)

MAX_DAYS = 366
PAGE_SIZE = 10_000
SLICE_S = 4.0
VERSION = LABELS.index("policy_version")


def request_replay(*, version: int, days: int, by: AbstractUser, runtime: Runtime) -> PolicyReplay:
    """Ask for a what-if over the last days; the one that waits or runs already, if there is one.

    Raises NotPermittedError, UnknownPolicyError, and BadPolicyError for a number of days that is
    not 1 to MAX_DAYS.
    """
    _check(by)
    if not 1 <= days <= MAX_DAYS:
        raise BadPolicyError(_("Choose 1 to %(most)s days."), {"most": MAX_DAYS})
    if not ReviewPolicy.objects.filter(pk=version).exists():
        raise UnknownPolicyError(_("There is no such version."))
    now = runtime.now()
    return open_replays().filter(policy_id=version, days=days).first() or (
        PolicyReplay.objects.create(
            id=uuid7(now),
            policy_id=version,
            days=days,
            state=ReplayState.ASKED,
            asked_by_id=by.pk,
            asked_at=now,
        )
    )


def cancel_replay(*, replay_id: UUID, by: AbstractUser, runtime: Runtime) -> PolicyReplay:
    """End a what-if early; what it has counted stays.

    Raises NotPermittedError, UnknownPolicyError, and PolicyDecidedError if it has ended.
    """
    _check(by)
    ended = open_replays().filter(pk=replay_id)
    if not ended.update(state=ReplayState.CANCELLED, finished_at=runtime.now()):
        if find_replay(replay_id) is None:
            raise UnknownPolicyError(_("There is no such what-if."))
        raise PolicyDecidedError(_("It has ended already."))
    return PolicyReplay.objects.get(pk=replay_id)


def continue_replays(
    *,
    runtime: Runtime,
    slice_s: float = SLICE_S,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Work on the oldest what-if for a while; return whether there is more to do.

    Safe to repeat and to run beside another: of two slices of the same attempts one is kept.
    """
    row = open_replays().first()
    if row is None:
        return False
    try:
        if row.state == ReplayState.ASKED:
            _start(row, runtime)
        _slice(row, monotonic() + slice_s, runtime, monotonic)
    except OperationalError:
        raise  # the database went away: the job is done again
    except Exception as error:  # noqa: BLE001 - one that cannot be done must not hold up others
        logger.error("what-if %s: %s", row.pk, type(error).__name__)  # noqa: TRY400 - no values
        PolicyReplay.objects.filter(pk=row.pk).exclude(state__in=ENDED).update(
            state=ReplayState.FAILED, finished_at=runtime.now()
        )
    return open_replays().exists()


def judge_again(policy: Policy, page: Sequence[Sequence[Any]], tally: Tally) -> None:
    """Judge rows of `judged_page` and count them."""
    names = fact_names(policy)
    versions = {row[VERSION] for row in page}
    policies = {each: _policy_of(each) for each in versions}
    for row in page:
        at, attempt_id, client_id, version, verdict, reasons = row[: len(LABELS)]
        judgement = judge(policy, _facts(policy, dict(zip(names, row[len(LABELS) :], strict=True))))
        tally.add(
            at, attempt_id, client_id, verdict, reasons or (), policies[version], policy, judgement
        )


def _facts(policy: Policy, columns: dict[str, Any]) -> Facts:
    """Return what the judgement looked at, or would have: one that was closed was in doubt."""
    for name in DOCUMENTS:
        columns[name] = _read(columns[name])
    state = State(columns["state"])
    failures = columns["subject_failures"], columns["biz_no_failures"]
    judged_in = State.IN_DOUBT if state is State.CLOSED else state
    return facts_of(judged_in, columns, Basis(0, policy, *failures))


def _check(by: AbstractUser) -> None:
    codenames = ("propose_policy", "decide_policy")
    if not any(by.has_perm(f"verification.{each}") for each in codenames):
        raise NotPermittedError(_("Your role does not include this."))


def _start(row: PolicyReplay, runtime: Runtime) -> None:
    row.started_at = runtime.now()
    row.total = count_judged(*_range(row))
    PolicyReplay.objects.filter(pk=row.pk, state=ReplayState.ASKED).update(
        state=ReplayState.RUNNING, started_at=row.started_at, total=row.total
    )


def _slice(
    row: PolicyReplay, until: float, runtime: Runtime, monotonic: Callable[[], float]
) -> None:
    policy = read_document(row.policy.document)
    tally = read_tally(row.result)
    is_ours = True
    while is_ours and monotonic() < until:
        page = _next_page(row, policy)
        judge_again(policy, page, tally)
        is_ours = _keep(row, page, tally, runtime)
        if len(page) < PAGE_SIZE:
            return


def _next_page(row: PolicyReplay, policy: Policy) -> list[Sequence[Any]]:
    since, until = _range(row)
    position = None
    if row.position_at is not None and row.position_id is not None:
        position = (row.position_at, row.position_id)
    return judged_page(
        policy,
        since=since,
        until=until,
        before=position,
        failures=[Outcome(each) for each in FAILURES],
        most=MOST_FAILURES,
        size=PAGE_SIZE,
    )


def _keep(row: PolicyReplay, page: Sequence[Sequence[Any]], tally: Tally, runtime: Runtime) -> bool:
    """Store how far it is; False if it was cancelled, or somebody else is further."""
    before, row.done = row.done, row.done + len(page)
    values: dict[str, Any] = {"done": row.done, "result": tally.to_json()}
    if page:
        row.position_at, row.position_id = page[-1][0], page[-1][1]
        values |= {"position_at": row.position_at, "position_id": row.position_id}
    if len(page) < PAGE_SIZE:
        values |= {"state": ReplayState.DONE, "finished_at": runtime.now(), "total": row.done}
    found = PolicyReplay.objects.filter(pk=row.pk, state=ReplayState.RUNNING, done=before)
    return found.update(**values) > 0


def _range(row: PolicyReplay) -> tuple[datetime, datetime]:
    return row.asked_at - timedelta(days=row.days), row.asked_at


def _policy_of(version: int | None) -> Policy | None:
    """Return a version's policy; None where an attempt has none, or one that is not stored."""
    row = ReviewPolicy.objects.filter(pk=version).first() if version is not None else None
    return read_document(row.document) if row else None


@lru_cache(maxsize=4096)
def _read(text: str | None) -> Mapping[str, object] | None:
    """Read a stored JSON document; the same few stand in nearly every attempt."""
    return load_exact(text) if text is not None else None
