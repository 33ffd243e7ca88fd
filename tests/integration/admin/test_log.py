"""The log for staff: its foot on every page, its lists, and the check of one record."""

import html
import re
import threading
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.conftest import OpenToken
from tests.factories import make_attempt
from tests.integration.database.roles import acting_as, granted_roles
from tests.integration.ledger.lives import Lives, drain, seal
from tests.owner import unguarded
from verification.admin.listing import PAGE_SIZE
from verification.identifiers import uuid7
from verification.ledger.canonical import canonical
from verification.ledger.keys import encode_base64
from verification.models import (
    ApiClient,
    LedgerCheckpoint,
    LedgerCosignature,
    LedgerEntry,
    LedgerNode,
    LedgerVerification,
    VerificationAttempt,
)
from verification.services.privileges import Kind
from verification.services.runtime import Runtime
from verification.services.staging import stage

pytestmark = pytest.mark.django_db(transaction=True)

ENTRIES = "/admin/verification/ledgerentry/"
CHECKPOINTS = "/admin/verification/ledgercheckpoint/"
ATTEMPTS = "/admin/verification/verificationattempt/"
READERS = ("officer", "approver", "auditor", "superuser")


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


def _text(page: bytes) -> str:
    shown = re.sub(r"<[^>]+>", " ", page.decode())
    return re.sub(r"\s+", " ", html.unescape(shown))


def _read(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == HTTPStatus.OK, address
    return _text(answer.content)


def _foot(browser: Client, address: str = "/admin/") -> str:
    page = browser.get(address).content
    found = re.search(rb'<p class="log-line">.*?</p>', page, re.DOTALL)
    assert found, address
    return _text(found[0])


def _check(browser: Client, attempt_id: UUID) -> str:
    answer = browser.post(f"{ATTEMPTS}{attempt_id}/verify/")
    assert answer.status_code == HTTPStatus.OK
    return _text(answer.content)


def _newest() -> LedgerCheckpoint:
    found = LedgerCheckpoint.objects.first()
    assert found is not None
    return found


def _many(number: int) -> None:
    """Log so many entries of a kind, and one of another kind first."""
    stage([canonical({"at": "2026-11-22T10:00:00.000000Z", "kind": "first.one"})])
    stage(canonical({"kind": "test.counted", "number": each}) for each in range(number))


# The foot


def test_the_foot_of_a_new_site_says_that_nothing_is_sealed(officer: Client) -> None:
    foot = _foot(officer)
    assert "Log: 0 entries" in foot
    assert "No checkpoint yet" in foot
    assert "Never verified" in foot


def test_the_foot_names_size_and_root_and_how_old_they_are(
    officer: Client, runtime: Runtime
) -> None:
    drain(runtime)
    newest = _newest()
    foot = _foot(officer)
    assert f"Log: {newest.size} entries" in foot or "Log: 1 entry" in foot
    assert f"Checkpoint of {newest.size} ," in foot
    assert encode_base64(bytes(newest.root))[:8] in foot
    assert f'href="{CHECKPOINTS}{newest.size}/"' in officer.get("/admin/").content.decode()
    for page in (ATTEMPTS, ENTRIES, CHECKPOINTS, "/admin/password_change/"):
        assert _foot(officer, page)


@pytest.mark.parametrize(
    ("seconds", "says", "tone"),
    [(30, "", "plain"), (90, "late", "warn"), (400, "overdue: nothing is being sealed", "bad")],
)
def test_the_foot_says_in_words_what_its_colour_says(
    officer: Client, runtime: Runtime, seconds: int, says: str, tone: str
) -> None:
    drain(runtime)
    made_at = timezone.now() - timedelta(seconds=seconds)
    with unguarded("verification_ledger_checkpoint"):
        LedgerCheckpoint.objects.update(made_at=made_at)
    page = officer.get("/admin/").content.decode()
    assert f'<span class="log-{tone}"><a' in page
    for word in ("late", "overdue"):
        assert (f"<strong>{word}" in page) == says.startswith(word)


@pytest.mark.parametrize(("result", "says"), [("held", "held"), ("broken", "BROKEN")])
def test_the_foot_tells_of_the_last_verification(officer: Client, result: str, says: str) -> None:
    for number, each in enumerate(("broken" if result == "held" else "held", result)):
        at = timezone.now() + timedelta(seconds=number)
        LedgerVerification.objects.create(
            id=uuid7(at), started_at=at, finished_at=at, size=3, attempts=2, result=each,
            finding=None if each == "held" else "row_differs: it differs",
        )  # fmt: skip
    foot = _foot(officer)
    assert "Verified" in foot
    assert foot.strip().endswith(says)
    page = _read(officer, CHECKPOINTS)
    assert ("it differs" in page) == (result == "broken")


def test_a_log_that_cannot_be_read_breaks_no_page(officer: Client) -> None:
    make_attempt(biz_no="LOAN-1")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE verification_ledger_entry RENAME TO hidden")
    try:
        assert "The log cannot be read" in _foot(officer, ATTEMPTS)
        assert "LOAN-1" in _read(officer, ATTEMPTS)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO verification_ledger_entry")


def test_a_locked_log_holds_no_page_up(officer: Client) -> None:
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE verification_ledger_checkpoint IN ACCESS EXCLUSIVE MODE")
            locked.set()
            done.wait(30)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert locked.wait(10)
        before = timezone.now()
        assert "The log cannot be read" in _foot(officer)
        assert timezone.now() - before < timedelta(seconds=5)
    finally:
        done.set()
        holder.join()


def test_the_foot_is_for_staff_and_its_link_for_those_who_may_follow_it(
    cast: dict[str, Client], runtime: Runtime
) -> None:
    drain(runtime)
    assert b"log-line" not in cast["anonymous"].get("/admin/login/").content
    stranger = cast["stranger"].get("/admin/").content
    assert b"log-line" in stranger
    assert b"ledgercheckpoint" not in stranger


def test_the_foot_costs_one_query_of_the_log(officer: Client, runtime: Runtime) -> None:
    drain(runtime)
    with CaptureQueriesContext(connection) as captured:
        officer.get("/admin/")
    of_log = [each for each in captured if "verification_ledger" in each["sql"]]
    assert len(of_log) == 1


# Lists


@pytest.mark.parametrize("person", READERS)
def test_every_role_reads_the_log_and_nobody_writes_to_it(
    cast: dict[str, Client], runtime: Runtime, person: str
) -> None:
    drain(runtime)
    browser = cast[person]
    pages = [ENTRIES, CHECKPOINTS, f"{ENTRIES}0/", f"{CHECKPOINTS}{_newest().size}/"]
    for page in pages:
        assert browser.get(page).status_code == HTTPStatus.OK, page
        for method in (browser.post, browser.put, browser.delete):
            assert method(page).status_code == HTTPStatus.METHOD_NOT_ALLOWED, page
        for tail in ("add/", "0/change/", "0/delete/", "0/history/"):
            assert browser.post(page + tail).status_code == HTTPStatus.NOT_FOUND
    assert cast["stranger"].get(ENTRIES).status_code == HTTPStatus.FORBIDDEN
    assert cast["anonymous"].get(f"{CHECKPOINTS}1/").status_code == HTTPStatus.FOUND


def test_entries_are_listed_newest_first_and_turned_by_number(
    officer: Client, runtime: Runtime
) -> None:
    _many(2 * PAGE_SIZE)
    drain(runtime)
    top = LedgerEntry.objects.first()
    assert top is not None
    seen: list[int] = []
    address = ENTRIES
    for _ in range(9):
        page = officer.get(address).content.decode()
        seen += [int(each) for each in re.findall(r'ledgerentry/(\d+)/">', page)]
        found = re.search(r'<a href="([^"]+)" rel="next"', page)
        if not found:
            break
        address = ENTRIES + html.unescape(found[1])
    assert seen == list(range(top.index, -1, -1))
    newer = re.search(r'<a href="([^"]+)" rel="prev"', officer.get(address).content.decode())
    assert newer
    assert officer.get(ENTRIES + html.unescape(newer[1])).status_code == HTTPStatus.OK


def test_entries_are_found_by_kind_attempt_and_number(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.settled()
    _many(3)
    drain(runtime)

    def numbers(query: str) -> list[int]:
        page = officer.get(ENTRIES + query).content.decode()
        return [int(each) for each in re.findall(r'ledgerentry/(\d+)/">', page)]

    of_attempt = list(
        LedgerEntry.objects.filter(attempt_id=attempt_id).values_list("index", flat=True)
    )
    assert numbers(f"?q={attempt_id}") == of_attempt
    assert len(numbers("?kind=test.counted")) == 3
    assert len(numbers(f"?q={attempt_id}&kind=attempt.accepted")) == 1
    assert numbers("?q=0") == [0]
    assert numbers("?q=999999999999999999") == []
    assert "Test counted" in officer.get(ENTRIES).content.decode()


@pytest.mark.parametrize(
    "query",
    ["kind__regex=a", "before=x", "before=-1", "after=1&before=2", "q=1&q=2", "before=" + "9" * 30],
)
def test_an_address_that_we_do_not_make_leads_back(officer: Client, query: str) -> None:
    for address in (ENTRIES, CHECKPOINTS):
        answer = officer.get(f"{address}?{query}")
        assert answer.status_code == HTTPStatus.FOUND
        assert urlsplit(answer.headers["Location"]).query == "e=1"


@pytest.mark.parametrize("query", ["q=nothing", "q=%00", "kind=unknown", "q=" + "1" * 65])
def test_a_filter_that_is_not_understood_is_named(officer: Client, query: str) -> None:
    answer = officer.get(f"{ENTRIES}?{query}")
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert "A filter is not understood" in answer.content.decode()


@pytest.mark.parametrize("tail", ["99999/", "-1/", "x/", "9" * 30 + "/", "%00/"])
def test_what_is_not_there_is_not_found(officer: Client, runtime: Runtime, tail: str) -> None:
    drain(runtime)
    for address in (ENTRIES, CHECKPOINTS):
        assert officer.get(address + tail).status_code == HTTPStatus.NOT_FOUND


def test_no_list_counts_the_table(officer: Client, runtime: Runtime) -> None:
    _many(5)
    seal(runtime)
    for address in (ENTRIES, f"{ENTRIES}?before=3", CHECKPOINTS):
        with CaptureQueriesContext(connection) as captured:
            officer.get(address)
        for each in captured:
            if "ledger_entry" in each["sql"] or "ledger_checkpoint" in each["sql"]:
                assert "COUNT(" not in each["sql"], each["sql"]
                assert "OFFSET" not in each["sql"], each["sql"]


def test_checkpoints_say_how_many_entries_they_added(officer: Client, runtime: Runtime) -> None:
    drain(runtime)
    first = _newest().size
    _many(4)
    seal(runtime)
    second = _newest()
    LedgerCosignature.objects.create(
        checkpoint=second, witness="witness.example/w1", line="\u2014 w x",
        cosigned_at=timezone.now(),
    )  # fmt: skip
    page = officer.get(CHECKPOINTS).content.decode()
    added = re.findall(r'data-label="New entries" class="figure"><span>(\d+)<', page)
    assert added == [str(second.size - first), str(first)]
    assert "witness.example/w1" in page


# Records of the log


def test_a_checkpoint_shows_its_note_as_it_is_published(officer: Client, runtime: Runtime) -> None:
    drain(runtime)
    newest = _newest()
    page = html.unescape(officer.get(f"{CHECKPOINTS}{newest.size}/").content.decode())
    assert f">{bytes(newest.note).decode()}</pre>" in page
    assert str(runtime.conf.ledger_vkeys[0]) in page
    assert "Signature verified" in page


def test_a_checkpoint_that_nobody_signed_is_called_so(officer: Client, runtime: Runtime) -> None:
    drain(runtime)
    newest = _newest()
    with unguarded("verification_ledger_checkpoint"):
        LedgerCheckpoint.objects.update(root=b"x" * 32)
    page = _read(officer, f"{CHECKPOINTS}{newest.size}/")
    assert "does NOT hold" in page
    assert "Does not verify" in page
    assert "Signature verified" not in page
    assert "The newest checkpoint does NOT hold" in _read(officer, f"{ENTRIES}0/")


def test_an_entry_shows_its_text_and_its_way_to_the_root(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.settled()
    _many(20)
    seal(runtime)
    for entry in LedgerEntry.objects.all():
        page = html.unescape(officer.get(f"{ENTRIES}{entry.index}/").content.decode())
        assert f">{bytes(entry.raw).decode()}</pre>" in page
        assert "✓ It stands" in page
        assert page.count("node-ours") == page.count('class="pair"')
        assert bytes(_newest().root).hex() in page
        assert (str(attempt_id) in page) == (entry.attempt_id == attempt_id)


def test_an_entry_that_was_changed_is_called_so(officer: Client, runtime: Runtime) -> None:
    _many(5)
    seal(runtime)
    with unguarded("verification_ledger_entry"):
        LedgerEntry.objects.filter(index=2).update(raw=canonical({"kind": "quite.another"}))
    page = _read(officer, f"{ENTRIES}2/")
    assert "does NOT stand in the signed log" in page
    assert "The stored leaf hash is NOT that of the stored text." in page
    assert "are NOT those of its text" in page


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"no json", b"{}", b"<script>alert(1)</script>"])
def test_any_bytes_can_be_shown(officer: Client, runtime: Runtime, raw: bytes) -> None:
    _many(5)
    seal(runtime)
    with unguarded("verification_ledger_entry"):
        LedgerEntry.objects.filter(index=2).update(raw=raw)
    page = officer.get(f"{ENTRIES}2/")
    assert page.status_code == HTTPStatus.OK
    assert b"<script>alert" not in page.content
    assert "NOT an entry in canonical form" in page.content.decode()


def test_an_entry_that_is_not_sealed_says_so(officer: Client, runtime: Runtime) -> None:
    drain(runtime)
    _many(1)
    drain(runtime)
    top = LedgerEntry.objects.first()
    assert top is not None
    assert "No checkpoint covers this entry yet" in _read(officer, f"{ENTRIES}{top.index}/")
    assert "Not sealed yet" in _read(officer, ENTRIES)


# The check of one record


@pytest.mark.parametrize("person", READERS)
def test_a_record_that_holds_is_shown_to_hold(
    cast: dict[str, Client], runtime: Runtime, lives: Lives, person: str
) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    assert "Verify this record" in _read(cast[person], f"{ATTEMPTS}{attempt_id}/")
    page = _check(cast[person], attempt_id)
    assert "This record is as it was written" in page
    assert page.count("✓ in the signed log") == 2
    assert "= the root in the signed checkpoint" in page
    assert encode_base64(bytes(_newest().root)) in page
    assert "What this does not prove" in page


def test_a_record_whose_row_was_changed_is_named(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    with unguarded("verification_attempt"):
        VerificationAttempt.objects.filter(pk=attempt_id).update(outcome="liveness_failed")
    page = _check(officer, attempt_id)
    assert "This record does NOT match its entries" in page
    assert "It is not what was written: result" in page
    assert "is as it was written" not in page


def test_a_record_whose_entry_was_changed_with_it_is_named(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    """The row fits its entries again, so that only the signed root tells."""
    attempt_id = lives.settled()
    seal(runtime)
    index = LedgerEntry.objects.filter(attempt_id=attempt_id).order_by("index")[0].index
    with unguarded("verification_ledger_entry", "verification_ledger_node"):
        LedgerNode.objects.update(hash=b"x" * 32)
        entries = LedgerEntry.objects.exclude(index=index)
        entries.update(leaf_hash=b"y" * 32)
    page = _check(officer, attempt_id)
    assert "This record does NOT match its entries" in page
    assert "The proof leads to another root" in page
    assert "✕ not in the signed log" in page
    assert "≠ NOT the root in the signed checkpoint" in page


def test_a_record_under_a_checkpoint_that_nobody_signed_is_not_trusted(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    with unguarded("verification_ledger_checkpoint"):
        LedgerCheckpoint.objects.update(note=b"nonsense")
    page = _check(officer, attempt_id)
    assert "does NOT hold" in page
    assert "is as it was written" not in page


def test_a_record_whose_hashes_are_gone_is_not_called_good(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.settled()
    _many(3)
    seal(runtime)
    with unguarded("verification_ledger_node"):
        LedgerNode.objects.all().delete()
    page = _check(officer, attempt_id)
    assert "does NOT match" in page
    assert "There is nothing to draw" in page


def test_a_record_that_is_not_sealed_yet_says_when_to_come_back(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.settled()
    assert "Not sealed yet" in _check(officer, attempt_id)
    seal(runtime)
    assert "is as it was written" in _check(officer, attempt_id)


def test_a_record_without_entries_says_so(officer: Client, runtime: Runtime) -> None:
    drain(runtime)
    page = _check(officer, make_attempt().pk)
    assert "This record is not in the log" in page
    assert "is as it was written" not in page


def test_a_row_that_is_gone_is_missed_by_its_entries(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.accepted()
    seal(runtime)
    with unguarded("verification_attempt"):
        VerificationAttempt.objects.filter(pk=attempt_id).delete()
    page = _check(officer, attempt_id)
    assert "There are entries or evidence, but no attempt" in page


def test_a_check_is_a_post_with_a_token_by_who_may_read(
    cast: dict[str, Client], runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.accepted()
    address = f"{ATTEMPTS}{attempt_id}/verify/"
    assert cast["officer"].get(address).headers["Location"] == f"{ATTEMPTS}{attempt_id}/"
    assert cast["stranger"].post(address).status_code == HTTPStatus.FORBIDDEN
    assert "/login/" in cast["anonymous"].post(address).headers["Location"]
    careful = Client(enforce_csrf_checks=True, raise_request_exception=False)
    careful.force_login(User.objects.get(username="officer"))
    assert careful.post(address).status_code == HTTPStatus.FORBIDDEN
    nobody = f"{ATTEMPTS}{uuid7(timezone.now())}/verify/"
    assert cast["officer"].post(nobody).status_code == HTTPStatus.NOT_FOUND


def test_a_check_changes_nothing(officer: Client, runtime: Runtime, lives: Lives) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    with CaptureQueriesContext(connection) as captured:
        _check(officer, attempt_id)
    for each in captured:
        assert not re.match(r"(INSERT|UPDATE|DELETE)", each["sql"]), each["sql"]


def test_an_attempt_may_be_checked_by_who_may_see_no_more_than_it(
    runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    user = User.objects.create_user("narrow", is_staff=True)
    permissions = Group.objects.get(name="auditor").permissions
    user.user_permissions.add(permissions.get(codename="view_verificationattempt"))
    browser = Client()
    browser.force_login(user)
    page = browser.post(f"{ATTEMPTS}{attempt_id}/verify/").content.decode()
    assert "This record is as it was written" in page
    assert f'"{CHECKPOINTS}' not in page


def test_the_database_role_of_the_web_may_read_all_of_it(
    officer: Client, runtime: Runtime, lives: Lives
) -> None:
    attempt_id = lives.settled()
    seal(runtime)
    pages = (ENTRIES, f"{ENTRIES}0/", CHECKPOINTS, f"{CHECKPOINTS}{_newest().size}/")
    with granted_roles() as roles, acting_as(roles[Kind.WEB]):
        for page in pages:
            assert "Checkpoint of" in _foot(officer, page)
        assert "This record is as it was written" in _check(officer, attempt_id)


def test_a_time_that_nobody_can_have_is_named_and_never_passed_over(
    officer: Client, lives: Lives, runtime: Runtime
) -> None:
    """The owner of the tables can write `infinity`, which Python has not."""
    attempt_id = lives.settled()
    seal(runtime)
    with unguarded(), connection.cursor() as cursor:
        cursor.execute("UPDATE verification_ledger_checkpoint SET made_at = 'infinity'")
    check = officer.post(f"{ATTEMPTS}{attempt_id}/verify/")
    for answer in (officer.get(ENTRIES), officer.get(CHECKPOINTS), check):
        assert answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
        assert "they run ledger_verify" in _text(answer.content)
        assert "The log cannot be read" in _text(answer.content)
