"""Eight writers through the corridor, with a vendor that answers at once and no HTTP.

`python -m bench.child corridor ledger` waits for lines `COUNT PER_S` on its standard input, makes
so many submissions, at most PER_S a second (0: as fast as it can), and prints a line of JSON for
each. `bare` is the counterpart: the same services with exactly the inserts into the stage cut out
of their statements, and without building the entries.
"""

import json
import re
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from unittest.mock import patch

from django.db import connection

from bench.site import BenchError
from bench.upstream import verify_answer
from verification.faceid import answers
from verification.faceid.types import VerifyAnswer
from verification.models import ApiClient
from verification.services import accepting, settling
from verification.services.runtime import Runtime, get_runtime
from verification.services.submission import submit
from verification.services.upstream import Upstream

WRITERS = 8
PACKET = b"\xff" * 1000

ACCEPT_STAGE = r"INSERT INTO verification_ledger_stage .* FROM accepted RETURNING no"
SETTLE_STAGE = (
    r", staged AS \(\s+INSERT INTO verification_ledger_stage [^)]*\) SELECT [^\n]*\n    \)"
)


def main(arguments: list[str]) -> None:
    """Serve until the standard input ends."""
    if arguments[0] == "ledger":
        _serve()
        return
    with (
        patch.multiple(
            accepting,
            ACCEPT=_cut(accepting.ACCEPT, ACCEPT_STAGE, "SELECT id FROM accepted"),
            accepted_entry=_no_entry,
        ),
        patch.multiple(
            settling, SETTLE=_cut(settling.SETTLE, SETTLE_STAGE, ""), settled_entry=_no_entry
        ),
    ):
        _serve()


def _serve() -> None:
    world = get_runtime()
    writer = Writer(Runtime(world.conf, Answering(), world.now), ApiClient.objects.get())
    for line in sys.stdin:
        submissions, per_s = line.split()
        print(json.dumps(writer.write(int(submissions), float(per_s))), flush=True)


class Answering(Upstream):
    """The vendor without the way there: the answer is read anew each time, as a real one is."""

    def __init__(self) -> None:
        self._raw = verify_answer()

    def verify(self, *, biz_token: str, packet: memoryview) -> VerifyAnswer:  # noqa: ARG002
        """Answer that the person was verified."""
        return answers.verify_answer(self._raw)


class Writer:
    """Submits from WRITERS threads, each with a connection of its own while it needs one."""

    def __init__(self, runtime: Runtime, client: ApiClient) -> None:
        self._runtime = runtime
        self._client = client
        self._digest = sha256(PACKET).digest()

    def write(self, submissions: int, per_s: float) -> dict[str, object]:
        """Make submissions; return the seconds that all took and the milliseconds of each."""
        numbers, began = count(), time.perf_counter()

        def work(_writer: int) -> list[float]:
            times = []
            while (number := next(numbers)) < submissions:
                if per_s:
                    time.sleep(max(0.0, began + number / per_s - time.perf_counter()))
                times.append(self._submit() * 1000)
            return times

        with ThreadPoolExecutor(WRITERS) as pool:
            times = [each for done in pool.map(work, range(WRITERS)) for each in done]
        return {"seconds": time.perf_counter() - began, "took_ms": times}

    def _submit(self) -> float:
        began = time.perf_counter()
        submit(
            client=self._client,
            biz_token=f"1700000000,{secrets.token_hex(18)}",
            packet=memoryview(PACKET),
            packet_sha256=self._digest,
            idempotency_key=None,
            runtime=self._runtime,
        )
        connection.close()  # as a request's end does
        return time.perf_counter() - began


def _cut(statement: str, part: str, instead: str) -> str:
    cut, times = re.subn(part, instead, statement)
    if times != 1 or "ledger" in cut:
        raise BenchError("a statement of the corridor is not the one that this knows how to cut")
    return cut


def _no_entry(**_: object) -> bytes:
    return b""
