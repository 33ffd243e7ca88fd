"""Attempts over HTTP: submit, repeat, read, list, filter, page, export; and nobody else's."""

import base64
import csv
import hashlib
import io
import json
import threading
import time
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.api.conftest import LiveSite

pytestmark = pytest.mark.django_db

MEMBERS = {
    "id", "state", "outcome", "decision", "policy", "client", "region", "biz_no", "subject",
    "request_id",
    "result_code", "result_message", "error", "billable", "time_used_ms", "attack", "comparisons",
    "risk", "visual_attributes", "evidence", "packet", "review", "ledger", "created_at",
    "settled_at",
}  # fmt: skip


def sent_to_vendor(live: LiveSite, biz_no: str) -> int:
    """Return how many verify requests the vendor got for a business number."""
    entries = live.sandbox.requests.for_biz_no(biz_no)
    return sum(entry.path.endswith("/verify") for entry in entries)


def but_its_place(attempt: dict[str, Any]) -> dict[str, Any]:
    """Return an attempt without its place in the log, which it gets a little later."""
    return {**attempt, "ledger": None}


def test_a_submission_answers_201_with_the_whole_attempt(live: LiveSite) -> None:
    packet = b"\x00\xff" * 5000
    answer = live.submit(live.token("A-1", verbose="1", device_risk="1"), packet)
    attempt = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/attempts/{attempt['id']}/"
    assert "Idempotent-Replayed" not in answer.headers
    assert set(attempt) == MEMBERS
    assert (attempt["state"], attempt["outcome"]) == ("answered", "verified")
    assert (attempt["result_code"], attempt["result_message"]) == (1000, "SUCCESS")
    assert (attempt["biz_no"], attempt["subject"]) == ("A-1", "subject-1")
    assert attempt["client"] == "onboarding-live"
    assert attempt["error"] is None
    assert attempt["packet"] == {
        "sha256": hashlib.sha256(packet).hexdigest(),
        "size_bytes": len(packet),
    }
    assert set(attempt["comparisons"]["ref1"]["thresholds"]) == {"1e-3", "1e-4", "1e-5", "1e-6"}
    assert attempt["attack"]["is_attack"] is False
    assert attempt["risk"]["device_tags"]
    assert {"image_best", "raw_answer", "video_key"} <= {e["kind"] for e in attempt["evidence"]}
    assert all(len(each["sha256"]) == 64 for each in attempt["evidence"])


def test_a_detail_is_what_the_submission_answered(live: LiveSite) -> None:
    submitted = live.submit(live.token("A-2")).json()
    read = live.call("GET", f"/api/v1/attempts/{submitted['id']}/")
    assert read.status_code == 200
    assert but_its_place(read.json()) == submitted


def test_the_same_token_again_is_a_replay_and_the_vendor_hears_nothing(live: LiveSite) -> None:
    token = live.token("A-3")
    first, second = live.submit(token), live.submit(token)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert but_its_place(second.json()) == first.json()
    assert sent_to_vendor(live, "A-3") == 1


def test_an_idempotency_key_stands_for_one_token_and_packet(live: LiveSite) -> None:
    key, token = f"key-{uuid4()}", live.token("A-4")
    first = live.submit(token, Idempotency_Key=key)
    same = live.submit(token, Idempotency_Key=key)
    other = live.submit(live.token("A-5"), b"other", Idempotency_Key=key)
    assert (first.status_code, same.status_code, other.status_code) == (201, 200, 422)
    assert other.json()["code"] == "idempotency_key_reused"
    assert other.json()["attempt_id"] == first.json()["id"]


def test_an_attempt_in_doubt_answers_202_and_where_to_look(live: LiveSite) -> None:
    token = live.token("ONB-once sandbox:close-after")
    answer, again = live.submit(token), live.submit(token)
    assert answer.status_code == again.status_code == 202
    assert answer.json()["state"] == "in_doubt"
    assert answer.json()["outcome"] is None
    assert live.call("GET", answer.headers["Location"]).json()["state"] == "in_doubt"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert sent_to_vendor(live, "ONB-once sandbox:close-after") == 1


def test_a_refused_attempt_names_the_vendors_error(live: LiveSite) -> None:
    answer = live.submit(live.token("sandbox:bad-packet"))
    assert answer.status_code == 201
    assert answer.json()["state"] == "rejected"
    assert answer.json()["error"]["code"] == "MEGLIVE_DATA_ERROR"


def test_a_busy_vendor_is_503_with_a_wait_and_the_same_request_completes_later(
    live: LiveSite,
) -> None:
    answer = live.submit(live.token("sandbox:429"))
    assert answer.status_code == 503
    assert answer.json()["code"] == "upstream_busy"
    assert int(answer.headers["Retry-After"]) >= 1
    read = live.call("GET", f"/api/v1/attempts/{answer.json()['attempt_id']}/")
    assert read.json()["state"] == "not_sent"


def test_an_unsent_attempt_goes_on_with_its_own_packet_only(live: LiveSite) -> None:
    token = live.token("sandbox:429")
    first, other = live.submit(token, b"packet"), live.submit(token, b"another packet")
    assert (first.status_code, other.status_code) == (503, 422)
    assert other.json()["code"] == "packet_mismatch"
    assert other.json()["attempt_id"] == first.json()["attempt_id"]


def test_many_equal_requests_at_once_make_one_call(live: LiveSite) -> None:
    token = live.token("A-6 sandbox:slow:0.3")
    statuses: list[int] = []
    senders = [
        threading.Thread(target=lambda: statuses.append(live.submit(token).status_code))
        for _ in range(20)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 409}
    assert sent_to_vendor(live, "A-6 sandbox:slow:0.3") == 1


def test_a_packet_of_nearly_the_whole_limit_is_taken(live: LiveSite) -> None:
    packet = bytes(10 * 1024 * 1024 - 2000)
    answer = live.submit(live.token("A-7"), packet)
    assert answer.status_code == 201
    assert answer.json()["packet"]["size_bytes"] == len(packet)
    assert answer.json()["state"] == "answered"


def test_pages_follow_each_other_without_gap_or_repeat(live: LiveSite) -> None:
    made = [live.submit(live.token("PAGED", uuid="pager")).json()["id"] for _ in range(5)]
    seen: list[str] = []
    path = "/api/v1/attempts/?subject=pager&page_size=2"
    cursor: str | None = ""
    while cursor is not None:
        suffix = f"&cursor={cursor}" if cursor else ""
        page = live.call("GET", path + suffix).json()
        seen += [attempt["id"] for attempt in page["results"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]


@pytest.mark.parametrize(
    "query",
    [
        "state=answered",
        "outcome=verified",
        "result_code=1000",
        "biz_no=FILTERED",
        "subject=filtered",
        "created_from=2020-01-01",
        "created_before=2999-01-01T00:00:00%2B02:00",
        "created_before=2999-01-01T00:00:00-16:40",
        "created_before=2999-01-01T00:00:00%2B23:59",
        "created_from=2020-01-01T00:00:00.5Z&state=answered&biz_no=FILTERED",
    ],
)
def test_filters_that_hold_keep_the_attempt(live: LiveSite, query: str) -> None:
    made = live.submit(live.token("FILTERED", uuid="filtered")).json()["id"]
    page = live.call("GET", f"/api/v1/attempts/?page_size=200&{query}").json()
    assert made in {attempt["id"] for attempt in page["results"]}


@pytest.mark.parametrize(
    "query",
    [
        "state=rejected",
        "outcome=different_person",
        "result_code=-1",
        "biz_no=filtered-not",
        "subject=FILTERED-NOT",
        "created_from=2999-01-01",
        "created_before=2020-01-01",
        "request_id=nobody",
    ],
)
def test_filters_that_do_not_hold_drop_the_attempt(live: LiveSite, query: str) -> None:
    made = live.submit(live.token("FILTERED-NOT", uuid="filtered-not")).json()["id"]
    page = live.call("GET", f"/api/v1/attempts/?page_size=200&{query}").json()
    assert made not in {attempt["id"] for attempt in page["results"]}


def test_the_export_has_the_same_attempts_as_the_list(live: LiveSite) -> None:
    made = {live.submit(live.token("EXPORTED", uuid="exported")).json()["id"] for _ in range(3)}
    answer = live.call("GET", "/api/v1/attempts/export.csv?subject=exported")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert {row["id"] for row in rows} == made


def test_an_export_is_on_record_and_sealed_before_its_first_byte(live: LiveSite) -> None:
    answer = live.call("GET", "/api/v1/attempts/export.csv?subject=nobody")
    note = base64.b64decode(answer.headers["Verification-Checkpoint"], validate=True)
    size = int(note.splitlines()[1])
    pages = [live.call("GET", "/api/v1/ledger/entries/").json()]
    while following := pages[-1]["next"]:
        pages.append(live.call("GET", following).json())
    entries = [each for page in pages for each in page["entries"]]
    export = answer.headers["Verification-Export"]
    [told] = [each for each in entries if f'"export":"{export}"' in each["raw"]]
    assert told["index"] < size
    assert json.loads(told["raw"])["filters"].get("subject", "not named") is None
    published = live.call("GET", f"/api/v1/ledger/checkpoint/?size={size}")
    assert published.content == note


def test_an_export_as_of_a_size_is_the_same_again(live: LiveSite) -> None:
    live.submit(live.token("AS-OF", uuid="as-of"))
    live.call("GET", "/api/v1/attempts/export.csv?subject=nobody")  # seals the log
    form = "subject=as-of&columns=id,state,biz_no&layout=jsonl"
    first = live.call("GET", f"/api/v1/attempts/export.csv?{form}&as_of=latest")
    size = first.headers["Verification-As-Of"]
    live.submit(live.token("AS-OF", uuid="as-of"))
    again = live.call("GET", f"/api/v1/attempts/export.csv?{form}&as_of={size}")
    assert again.headers["Content-Type"] == "application/jsonl"
    assert "attempts.jsonl" in again.headers["Content-Disposition"]
    assert again.headers["Verification-As-Of"] == size
    assert again.content == first.content
    [line] = again.content.splitlines()
    assert list(json.loads(line)) == ["id", "state", "biz_no"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("as_of=yesterday", "as_of"),
        ("as_of=-1", "as_of"),
        ("as_of=999999999999999999", "as_of"),
        ("as_of=9999999999999999999", "as_of"),
        ("as_of=", "as_of"),
        ("columns=id,face", "columns"),
        ("columns=", "columns"),
        ("layout=xlsx", "layout"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_name(live: LiveSite, query: str, name: str) -> None:
    answer = live.call("GET", f"/api/v1/attempts/export.csv?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert answer.json()["parameter"] == name


def test_a_replay_names_the_place_in_the_log_that_the_first_answer_could_not(
    live: LiveSite,
) -> None:
    token = live.token("SEALED")
    first = live.submit(token)
    assert first.json()["ledger"] is None
    end = time.monotonic() + 10
    while (again := live.submit(token).json())["ledger"] is None:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert live.call("GET", first.headers["Location"]).json()["ledger"] is not None
    index = again["ledger"]["index"]
    [entry] = live.call("GET", f"/api/v1/ledger/entries/?start={index}&end={index + 1}").json()[
        "entries"
    ]
    assert entry["leaf_hash"] == again["ledger"]["leaf_hash"]
    assert first.json()["id"] in entry["raw"]


def test_a_stranger_finds_nothing_of_others_anywhere(live: LiveSite) -> None:
    token = live.token("SECRET", uuid="secret")
    own = live.submit(token).json()
    detail = live.call("GET", f"/api/v1/attempts/{own['id']}/", key=live.stranger)
    listed = live.call("GET", "/api/v1/attempts/?biz_no=SECRET", key=live.stranger)
    exported = live.call("GET", "/api/v1/attempts/export.csv", key=live.stranger)
    assert (detail.status_code, detail.json()["code"]) == (404, "not_found")
    assert listed.json() == {"results": [], "next_cursor": None}
    assert own["id"] not in exported.text
    stolen = live.submit(token, key=live.stranger)
    assert (stolen.status_code, stolen.json()["code"]) == (403, "foreign_token")
    proof = live.call("GET", f"/api/v1/attempts/{own['id']}/proof/", key=live.stranger)
    assert (proof.status_code, proof.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/sessions/"),
        ("POST", "/api/v1/attempts/"),
        ("GET", "/api/v1/attempts/export.csv"),
    ],
)
def test_a_key_without_the_scope_is_refused(live: LiveSite, method: str, path: str) -> None:
    answer = live.call(method, path, key=live.reader)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert "insufficient_scope" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/sessions/"),
        ("POST", "/api/v1/attempts/"),
        ("GET", "/api/v1/attempts/"),
        ("GET", "/api/v1/attempts/export.csv"),
        ("GET", "/api/v1/attempts/01900000-0000-7000-8000-000000000000/"),
        ("GET", "/api/v1/attempts/01900000-0000-7000-8000-000000000000/proof/"),
        ("GET", "/api/v1/ledger/checkpoint/"),
        ("GET", "/api/v1/ledger/entries/"),
        ("GET", "/api/v1/ledger/consistency/?old=0"),
    ],
)
@pytest.mark.parametrize("key", [None, "nonsense", "vk_000000000000_" + "A" * 43])
def test_without_a_valid_key_nothing_is_answered(
    live: LiveSite, method: str, path: str, key: str | None
) -> None:
    answer = live.call(method, path, key=key)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] in {"unauthenticated", "invalid_key"}
