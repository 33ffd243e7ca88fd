"""Pages over the database of the settings: `python -m bench.child list_reader`.

Prints the names of what it can read as a line of JSON. Then it answers each name on its standard
input with a line `{"ms": ..., "queries": ...}`: the time in the process that serves, from the
request to the last byte, and how many queries that took.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.rows import CLIENT_ID
from bench.site import BenchError
from verification.admin.attempts import attempt_address
from verification.admin.positions import write_position
from verification.api.filters import cursor_of
from verification.models import ApiClient, VerificationAttempt
from verification.selectors import attempts as api
from verification.selectors.listing import Position
from verification.services.clients import issue_bearer_key

LIST = "/admin/verification/verificationattempt/"
REVIEWS = "/admin/verification/review/"
API = "/api/v1/attempts/"


def main(arguments: list[str]) -> None:  # noqa: ARG001 - it has none
    """Serve until the standard input ends."""
    read = _reader()
    addresses = _addresses()
    print(json.dumps(list(addresses)), flush=True)
    for line in sys.stdin:
        address = addresses[line.strip()]
        began = time.perf_counter()
        read(address)
        took_ms = (time.perf_counter() - began) * 1000
        with CaptureQueriesContext(connection) as queries:
            read(address)
        print(json.dumps({"ms": took_ms, "queries": len(queries)}), flush=True)


def _reader() -> Callable[[str], None]:
    """Return what gets an address: as staff, or for the API as its first client."""
    browser = Client(headers={"host": "127.0.0.1"})
    browser.force_login(User.objects.get(username="bench-first"))
    client = ApiClient.objects.get(pk=CLIENT_ID)
    bearer = f"Bearer {issue_bearer_key(client=client, now=datetime.now(UTC)).secret}"

    def read(address: str) -> None:
        headers = {"authorization": bearer} if address.startswith(API) else None
        answer = browser.get(address, headers=headers)
        if answer.status_code != 200:
            raise BenchError(f"{address} answers {answer.status_code}")

    return read


def _addresses() -> Mapping[str, str]:
    """Return what is read, by its name. Half of all rows are newer than the middle one."""
    rows = VerificationAttempt.objects.order_by("created_at", "id")
    ends = rows.values_list("created_at", flat=True)
    first, last = ends[0], ends.reverse()[0]
    later = rows.filter(created_at__gte=first + (last - first) / 2, evidence_key__isnull=False)
    middle, risky = later[0], later.filter(device_tags__is_root=1).reverse()[0]
    third = f"{CLIENT_ID[:-1]}3"
    turned = write_position(Position(middle.created_at, middle.pk))
    cursor = cursor_of(api.Position(middle.created_at, middle.pk))
    return {
        "first page": LIST,
        "outcome": f"{LIST}?outcome=different_person",
        "verdict": f"{LIST}?verdict=review",
        "common decision": f"{LIST}?decision=approved",
        "rare decision": f"{LIST}?decision=retry",
        "attack": f"{LIST}?attack=yes",
        "rare client": f"{LIST}?client={third}",
        "client and outcome": f"{LIST}?client={CLIENT_ID}&outcome=liveness_failed",
        "deep page": f"{LIST}?before={turned}",
        "deep page, filtered": f"{LIST}?verdict=rejected&before={turned}",
        "exact search": f"{LIST}?q={middle.biz_no}",
        "record": attempt_address(middle.pk),
        "record with a raised tag": attempt_address(risky.pk),
        "review queue": REVIEWS,
        "API, first page": API,
        "API, deep page": f"{API}?cursor={cursor}",
        "API, decision": f"{API}?decision=rejected",
    }
