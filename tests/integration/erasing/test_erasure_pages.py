"""Asking and deciding in the admin and by command, and everyone who tries."""

from http import HTTPStatus
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from tests.integration.erasing.erasures import REASON, ask, decide, erase
from tests.integration.ledger.lives import Lives, seal
from tests.integration.reveals.conftest import make_person
from verification.models import Erasure, EvidenceKey
from verification.services.runtime import Runtime

pytestmark = pytest.mark.django_db(transaction=True)

ERASURES = "/admin/verification/erasure/"
FORM = {"legal_basis": "subject_request", "reason": REASON}
APPROVE = {"decision": "approve", "sure": "on"}


def _browser(user: User, **more: Any) -> Client:
    browser = Client(raise_request_exception=False, **more)
    browser.force_login(user)
    return browser


def _attempt_page(browser: Client, attempt_id: UUID) -> str:
    answer = browser.get(f"/admin/verification/verificationattempt/{attempt_id}/")
    assert answer.status_code == HTTPStatus.OK
    return answer.content.decode()


def _is_erased(attempt_id: UUID) -> bool:
    return EvidenceKey.objects.get(pk=attempt_id).sealed is None


def test_one_asks_another_approves_and_both_see_it(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    asking, deciding = _browser(officer), _browser(approver)
    assert "Request erasure" in _attempt_page(asking, attempt_id)
    asked = asking.post(f"{ERASURES}request/{attempt_id}/", FORM)
    assert asked.status_code == HTTPStatus.FOUND
    row = Erasure.objects.get()
    assert "You asked for it" in _attempt_page(asking, attempt_id)
    assert "Decide on it" in _attempt_page(deciding, attempt_id)
    assert f"{ERASURES}{row.pk}/" in deciding.get(ERASURES).content.decode()
    page = deciding.get(f"{ERASURES}{row.pk}/").content.decode()
    for said in ("What will be gone for ever", "image_best", REASON, "olga", "Approve and erase"):
        assert said in page
    decided = deciding.post(f"{ERASURES}{row.pk}/decide/", APPROVE)
    assert decided.status_code == HTTPStatus.FOUND
    assert _is_erased(attempt_id)
    assert "Nothing to decide" in deciding.get(ERASURES).content.decode()
    for browser in (asking, deciding):
        page = _attempt_page(browser, attempt_id)
        assert "Certificate of erasure" in page
        assert "Request erasure" not in page
    refused = asking.get(f"{ERASURES}{row.pk}/certificate/")
    assert refused.status_code == HTTPStatus.CONFLICT  # not sealed yet
    seal(runtime)
    certificate = asking.get(f"{ERASURES}{row.pk}/certificate/")
    assert certificate.status_code == HTTPStatus.OK
    assert certificate.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert certificate.headers["Content-Disposition"].startswith("attachment")
    assert str(attempt_id).encode() in certificate.content


def test_a_refusal_leaves_the_evidence(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    row = ask(attempt_id, officer, runtime)
    answer = _browser(approver).post(f"{ERASURES}{row.pk}/decide/", {"decision": "refuse"})
    assert answer.status_code == HTTPStatus.FOUND
    assert not _is_erased(attempt_id)
    assert "Request erasure" in _attempt_page(_browser(officer), attempt_id)


@pytest.mark.parametrize("form", [{}, {"decision": "approve"}, {"decision": "yes", "sure": "on"}])
def test_a_decision_that_is_not_clear_changes_nothing(
    form: dict[str, str], lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    row = ask(lives.submitted(), officer, runtime)
    answer = _browser(approver).post(f"{ERASURES}{row.pk}/decide/", form)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert Erasure.objects.get().decision is None


@pytest.mark.parametrize("form", [{}, {**FORM, "legal_basis": "mood"}, {**FORM, "reason": "short"}])
def test_a_request_that_is_not_complete_is_refused(
    form: dict[str, str], lives: Lives, officer: User
) -> None:
    answer = _browser(officer).post(f"{ERASURES}request/{lives.submitted()}/", form)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert not Erasure.objects.exists()


def test_a_superuser_cannot_decide_on_their_own_request(lives: Lives, runtime: Runtime) -> None:
    superuser = User.objects.create_superuser("root")
    attempt_id = lives.submitted()
    row = ask(attempt_id, superuser, runtime)
    browser = _browser(superuser)
    assert "Approve and erase" not in browser.get(f"{ERASURES}{row.pk}/").content.decode()
    answer = browser.post(f"{ERASURES}{row.pk}/decide/", APPROVE)
    assert answer.status_code == HTTPStatus.CONFLICT
    assert not _is_erased(attempt_id)


@pytest.mark.parametrize("role", ["stranger", "auditor", "officer", "anonymous"])
def test_who_may_not_do_it_cannot(
    role: str, lives: Lives, approver: User, runtime: Runtime
) -> None:
    attempt_id, other_id = lives.submitted(), lives.submitted()
    row = ask(attempt_id, approver, runtime)
    browser = Client() if role == "anonymous" else _browser(make_person("otto", role))
    refused = HTTPStatus.FOUND if role == "anonymous" else HTTPStatus.FORBIDDEN
    assert browser.post(f"{ERASURES}{row.pk}/decide/", APPROVE).status_code == refused
    if role != "officer":
        asked = browser.post(f"{ERASURES}request/{other_id}/", FORM)
        assert asked.status_code == refused
    if role in {"stranger", "anonymous"}:
        for page in ("", f"{row.pk}/", f"{row.pk}/certificate/"):
            assert browser.get(f"{ERASURES}{page}").status_code == refused
    else:
        assert "Approve and erase" not in browser.get(f"{ERASURES}{row.pk}/").content.decode()
    assert Erasure.objects.count() == 1
    assert not _is_erased(attempt_id)


def test_only_a_form_of_ours_asks_or_decides(
    lives: Lives, officer: User, approver: User, runtime: Runtime
) -> None:
    attempt_id = lives.submitted()
    row = ask(attempt_id, officer, runtime)
    paths = (f"{ERASURES}{row.pk}/decide/", f"{ERASURES}request/{attempt_id}/")
    for path in paths:
        for method in ("get", "put", "delete"):
            answer = getattr(_browser(approver), method)(path)
            assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        forged = _browser(approver, enforce_csrf_checks=True).post(path, {**APPROVE, **FORM})
        assert forged.status_code == HTTPStatus.FORBIDDEN
    for path in ("", f"{row.pk}/", f"{row.pk}/certificate/"):
        answer = _browser(approver).post(f"{ERASURES}{path}", APPROVE)
        assert answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert not _is_erased(attempt_id)


def test_what_is_unknown_is_not_found(approver: User) -> None:
    browser = _browser(approver)
    assert browser.get(f"{ERASURES}{uuid4()}/").status_code == HTTPStatus.NOT_FOUND
    assert browser.get(f"{ERASURES}{uuid4()}/certificate/").status_code == HTTPStatus.NOT_FOUND
    answer = browser.post(f"{ERASURES}{uuid4()}/decide/", APPROVE)
    assert answer.status_code == HTTPStatus.NOT_FOUND


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command("evidence_erase", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_asks_lists_decides_and_certifies(
    lives: Lives, officer: User, approver: User, runtime: Runtime, tmp_path: Path
) -> None:
    attempt_id = str(lives.submitted())
    said = _run(
        "request", attempt_id, "--basis", "unlawful", "--reason", REASON, "--by", "olga"
    )  # fmt: skip
    erasure = said.split()[0]
    assert f"{erasure} attempt {attempt_id} unlawful" in _run("pending")
    with pytest.raises(CommandError, match="role"):
        _run("decide", erasure, "--approve", "--by", "olga")
    assert _run("decide", erasure, "--approve", "--by", "anna") == f"{attempt_id} erased\n"
    assert _run("pending") == ""
    file = tmp_path / "certificate.txt"
    with pytest.raises(CommandError, match="No checkpoint"):
        _run("certificate", attempt_id, "--output", str(file))
    seal(runtime)
    _run("certificate", attempt_id, "--output", str(file))
    assert file.read_text().startswith("CERTIFICATE OF ERASURE")
    with pytest.raises(CommandError, match="exists"):
        _run("certificate", attempt_id, "--output", str(file))
    with pytest.raises(CommandError, match="no account"):
        _run("decide", erasure, "--refuse", "--by", "nobody")


def test_the_command_refuses_and_writes_to_standard_output(
    lives: Lives, officer: User, approver: User, runtime: Runtime,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:  # fmt: skip
    attempt_id = lives.submitted()
    row = ask(attempt_id, officer, runtime)
    assert _run("decide", str(row.pk), "--refuse", "--by", "anna") == f"{attempt_id} refused\n"
    decide(ask(attempt_id, officer, runtime), approver, runtime)
    erase(lives.submitted(), officer, approver, runtime)
    seal(runtime)
    _run("certificate", str(attempt_id))
    assert capfdbinary.readouterr().out.startswith(b"CERTIFICATE OF ERASURE")
