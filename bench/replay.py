"""Replay the attempts that `rows` made by a version of the policy; print how long that took.

`python -m bench.child replay CHANGES`: the members, as JSON, in which the version differs from the
built-in one; none for that itself.
"""

import json
import time
from dataclasses import replace
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.db.models import Max

from verification.ledger.canonical import Json
from verification.models import PolicyReplay, VerificationAttempt
from verification.models.policy import BUILT_IN_VERSION, ReplayState
from verification.policy.document import BUILT_IN
from verification.services.policies import propose_policy
from verification.services.replaying import continue_replays, request_replay
from verification.services.runtime import Runtime, get_runtime

DAYS = 366


def main(arguments: list[str]) -> None:
    """Print seconds, attempts, and how many would have another verdict."""
    newest = VerificationAttempt.objects.aggregate(at=Max("created_at"))["at"]
    runtime = replace(get_runtime(), now=lambda: newest + timedelta(seconds=1))
    person = get_user_model().objects.create_superuser(f"bench-{time.monotonic_ns()}")
    version = _version(json.loads(arguments[0]), person, runtime)
    row = request_replay(version=version, days=DAYS, by=person, runtime=runtime)
    began, work = time.perf_counter(), time.process_time()
    while continue_replays(runtime=runtime):
        pass
    seconds, work_s = time.perf_counter() - began, time.process_time() - work
    row = PolicyReplay.objects.get(pk=row.pk)
    if row.state != ReplayState.DONE:
        raise SystemExit(f"the what-if is {row.state}")
    flips = sum(number for key, number in row.result["changes"].items() if _differs(key))
    took = {"seconds": seconds, "processor_s": work_s, "done": row.done, "flips": flips}
    print(json.dumps(took))


def _version(changes: dict[str, Json], person: AbstractUser, runtime: Runtime) -> int:
    if not changes:
        return BUILT_IN_VERSION
    document = {**BUILT_IN, **changes}
    note = "for the benchmark only"
    return propose_policy(document=document, note=note, by=person, runtime=runtime).version


def _differs(change: str) -> bool:
    before, after = change.split("|")
    return before != after
