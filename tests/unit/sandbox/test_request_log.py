"""The request log keeps the newest requests and wakes who waits for one."""

import threading
import time

from verification.sandbox import request_log
from verification.sandbox.request_log import LoggedRequest, RequestLog


def logged(number: int, biz_no: str = "ONB") -> LoggedRequest:
    return LoggedRequest(
        at=float(number),
        path="/",
        biz_token_sha256=None,
        biz_no=biz_no,
        bytes_received=number,
        content_length=number,
        complete=True,
        packet_sha256=None,
        status=200,
        scenario=None,
    )


def test_only_the_newest_are_kept() -> None:
    log = RequestLog()
    surplus = 3
    for number in range(request_log.MAX_ENTRIES + surplus):
        log.add(logged(number))
    entries = log.entries()
    assert len(entries) == request_log.MAX_ENTRIES
    assert (entries[0].at, entries[-1].at) == (surplus, request_log.MAX_ENTRIES + surplus - 1)


def test_it_is_filtered_by_biz_no_and_cleared() -> None:
    log = RequestLog()
    log.add(logged(1, "A"))
    log.add(logged(2, "B"))
    assert [entry.at for entry in log.for_biz_no("B")] == [2]
    log.clear()
    assert log.entries() == ()


def test_waiting_ends_with_the_request_or_with_the_time() -> None:
    log = RequestLog()
    assert not log.wait_for(bool, 0.05)
    late = threading.Timer(0.1, log.add, [logged(1)])
    late.start()
    before = time.monotonic()
    assert log.wait_for(bool, 10)
    assert time.monotonic() - before < 5
    late.join()
