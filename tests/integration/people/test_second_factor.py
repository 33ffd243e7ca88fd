"""The second factor: nothing without it, no code twice, no secret in the database."""

import json
import threading
from base64 import b32decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from io import StringIO

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from pytest_django import DjangoDbBlocker

from tests.integration.database.roles import Roles, acting_as, granted_roles
from tests.integration.keys.rings import BOTH, ONLY_NEW, holding
from tests.integration.people.doors import doors
from tests.integration.people.entering import (
    CODE,
    ENROL,
    LIST,
    PASSWORD,
    app_code,
    asking,
    enrol,
    give_password,
    make_person,
)
from verification.admin.second_step import SecondStepMiddleware
from verification.checks import check_second_factor
from verification.models import RecoveryCode, SecondFactor, StagedEntry
from verification.services.errors import (
    BadReasonError,
    NoFactorError,
    NotPermittedError,
    WrongCodeError,
)
from verification.services.privileges import Kind
from verification.services.rotation import rotate_keys
from verification.services.runtime import Runtime, get_runtime
from verification.services.second_factor import Way, check_code, reset_factor
from verification.services.self_check import check_stored_keys

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
RESET = "/admin/verification/secondfactor/reset/"
CODES = "/admin/verification/secondfactor/codes/"
REASON = "lost the phone on a train"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """Ask for the second factor, at a time that stands still until it is moved."""
    with asking(), time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture(scope="module")
def roles(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Roles]:
    """Make the roles and grant."""
    with django_db_blocker.unblock(), granted_roles() as made:
        yield made


@pytest.fixture
def chief() -> User:
    """Return an administrator."""
    return make_person("chief", "administrator")


@pytest.fixture
def officer() -> User:
    """Return an officer."""
    return make_person("ines", "officer")


def _staged(*kinds: str) -> list[dict[str, object]]:
    entries = [json.loads(bytes(each.raw)) for each in StagedEntry.objects.order_by("no")]
    staff = [each for each in entries if str(each["kind"]).startswith("staff.")]
    return [each for each in staff if each["kind"] in kinds or not kinds]


def _everything() -> Iterator[str]:
    """Yield every row of every table as text, bytes in hexadecimal."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT one::text FROM "{table}" AS one')
            yield from (row for (row,) in cursor.fetchall())


def test_who_has_not_enrolled_sees_nothing_else(officer: User) -> None:
    browser = Client(raise_request_exception=False)
    assert give_password(browser, "ines").status_code == HTTPStatus.FOUND
    for name, path in doors().items():
        if name in {"login", "logout", "jsi18n", "verification_factor_enrol"}:
            continue
        for answer in (browser.get(path), browser.post(path)):
            assert answer.status_code == HTTPStatus.FOUND, name
            assert answer.headers["Location"].startswith(ENROL), name
    page = browser.get(ENROL)
    assert page.status_code == HTTPStatus.OK
    assert "no-store" in page.headers["Cache-Control"]
    assert b"log-line" not in page.content
    assert LIST.encode() not in page.content


def test_who_owes_the_code_sees_nothing_else(officer: User) -> None:
    enrol(officer)
    browser = Client(raise_request_exception=False)
    give_password(browser, "ines")
    for name, path in doors().items():
        if name in {"login", "logout", "jsi18n", "verification_factor_code"}:
            continue
        for answer in (browser.get(path), browser.post(path)):
            assert answer.status_code == HTTPStatus.FOUND, name
            if name != "verification_factor_enrol":
                assert answer.headers["Location"].startswith(CODE), name
    assert browser.get("/admin/nowhere/").headers["Location"].startswith(CODE)
    assert app_code(officer).encode() not in browser.get(ENROL, follow=True).content


def test_a_first_login_enrols_and_lets_in(officer: User) -> None:
    entered = enrol(officer)
    assert len(set(entered.codes)) == 10
    assert entered.browser.get(LIST).status_code == HTTPStatus.OK
    again = entered.browser.get(ENROL, follow=True).content.decode()
    assert not any(code in again for code in entered.codes)
    kinds = [each["kind"] for each in _staged()]
    assert kinds == ["staff.password_given", "staff.second_factor_changed", "staff.logged_in"]
    assert _staged("staff.second_factor_changed")[0]["change"] == "enrolled"


def test_a_wrong_code_enrols_nobody(officer: User) -> None:
    browser = Client(raise_request_exception=False)
    give_password(browser, "ines")
    first = browser.get(ENROL).context["key"]
    wrong = f"{(int(app_code(officer)) + 1) % 10**6:06d}"
    answer = browser.post(ENROL, {"code": wrong})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.context["key"] == first
    assert not SecondFactor.objects.get().confirmed
    assert browser.get(LIST).status_code == HTTPStatus.FOUND


def test_password_and_code_let_in_under_another_session_key(
    officer: User, clock: time_machine.Traveller
) -> None:
    enrol(officer)
    clock.shift(timedelta(minutes=1))
    browser = Client(raise_request_exception=False)
    give_password(browser, "ines")
    before = browser.cookies["sessionid"].value
    answer = browser.post(
        CODE, {"code": f" {app_code(officer)[:3]} {app_code(officer)[3:]}", "next": LIST}
    )
    assert answer.headers["Location"] == LIST
    assert browser.cookies["sessionid"].value != before
    assert browser.get(LIST).status_code == HTTPStatus.OK
    stolen = Client(raise_request_exception=False)
    stolen.cookies["sessionid"] = before
    assert stolen.get(LIST).headers["Location"].startswith("/admin/login/")
    assert _staged("staff.logged_in")[-1]["proved_by"] == "app"


def test_a_code_of_the_app_works_once(officer: User, clock: time_machine.Traveller) -> None:
    enrol(officer)
    clock.shift(timedelta(minutes=2))
    code, runtime = app_code(officer), get_runtime()
    check_code(person=officer, typed=code, runtime=runtime)
    with pytest.raises(WrongCodeError):
        check_code(person=officer, typed=code, runtime=runtime)
    clock.shift(timedelta(minutes=1))
    with pytest.raises(WrongCodeError):  # an older one than the last that was used
        check_code(person=officer, typed=app_code(officer, -3), runtime=runtime)


@pytest.mark.parametrize("is_recovery", [False, True])
def test_of_equal_codes_at_once_one_works(
    officer: User, clock: time_machine.Traveller, is_recovery: bool
) -> None:
    codes = enrol(officer).codes
    clock.shift(timedelta(minutes=2))
    code = codes[0] if is_recovery else app_code(officer)
    came: list[str] = []
    barrier = threading.Barrier(6)

    def give() -> None:
        barrier.wait()
        try:
            came.append(check_code(person=officer, typed=code, runtime=get_runtime()).value)
        except Exception as error:  # noqa: BLE001 - counted below
            came.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=give) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert max(came) in {"app", "recovery_code"}
    refused = [each for each in came if each in {"WrongCodeError", "TooManyTriesError"}]
    assert len(refused) == 5


def test_a_recovery_code_works_once_however_it_is_typed(officer: User) -> None:
    code = enrol(officer).codes[3]
    browser = Client(raise_request_exception=False)
    give_password(browser, "ines")
    page = browser.post(CODE, {"code": code.upper().replace("-", " ")}, follow=True)
    assert "9 are left" in page.content.decode()
    assert _staged("staff.logged_in")[-1]["proved_by"] == "recovery_code"
    other = Client(raise_request_exception=False)
    give_password(other, "ines")
    assert other.post(CODE, {"code": code}).status_code == HTTPStatus.BAD_REQUEST


def test_wrong_codes_are_slowed_down_even_before_the_right_one(
    officer: User, clock: time_machine.Traveller
) -> None:
    enrol(officer)
    clock.shift(timedelta(minutes=1))
    browser = Client(raise_request_exception=False)
    give_password(browser, "ines")
    for wait in (1, 2, 4):
        assert browser.post(CODE, {"code": "x"}).status_code == HTTPStatus.BAD_REQUEST
        held = browser.post(CODE, {"code": app_code(officer)})
        assert held.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert held.headers["Retry-After"] == str(wait)
        assert "Log out" not in held.content.decode()
        clock.shift(timedelta(seconds=wait))
    assert browser.post(CODE, {"code": app_code(officer)}).status_code == HTTPStatus.FOUND
    steps = [each["step"] for each in _staged("staff.login_refused")]
    assert steps == ["code", "locked"] * 3


def test_the_database_holds_neither_key_nor_code(officer: User) -> None:
    browser = Client(raise_request_exception=False)
    give_password(browser, "ines")
    key = browser.get(ENROL).context["key"].replace(" ", "")
    codes = browser.post(ENROL, {"code": app_code(officer)}).context["codes"]
    plain = [key, *codes, *(code.replace("-", "") for code in codes)]
    wanted = [*plain, *(each.encode().hex() for each in plain), b32decode(key).hex()]
    stored = "".join(_everything()).lower()
    assert SecondFactor.objects.get().sealed.hex() in stored
    assert not [each for each in wanted if each.lower() in stored]
    assert RecoveryCode.objects.count() == 10


def test_a_key_moved_to_another_account_does_not_open(officer: User, chief: User) -> None:
    enrol(officer)
    enrol(chief)
    stolen = SecondFactor.objects.get(user=chief)
    SecondFactor.objects.filter(user=officer).update(sealed=stolen.sealed)
    browser = Client(raise_request_exception=False)
    give_password(browser, "ines")
    answer = browser.post(CODE, {"code": app_code(chief)})
    assert answer.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    assert browser.get(LIST).status_code == HTTPStatus.FOUND


def test_a_reset_ends_sessions_and_is_on_record(officer: User, chief: User) -> None:
    theirs, mine = enrol(officer).browser, enrol(chief).browser
    half = Client(raise_request_exception=False)
    answer = mine.post(f"{RESET}{officer.pk}/", {"reason": REASON})
    assert answer.headers["Location"] == f"/admin/auth/user/{officer.pk}/change/"
    assert theirs.get(LIST).headers["Location"] == "/admin/login/"
    assert theirs.get(LIST).headers["Location"].startswith("/admin/login/")
    give_password(half, "ines")
    assert half.get(LIST).headers["Location"].startswith(ENROL)
    last = _staged("staff.second_factor_changed")[-1]
    assert (last["change"], last["by"], last["of"]) == ("reset", "chief", "ines")
    assert last["reason"] == REASON


def test_a_reset_needs_the_right_a_reason_and_a_fresh_proof(
    officer: User, chief: User, clock: time_machine.Traveller
) -> None:
    enrol(officer)
    mine = enrol(chief).browser
    root = User.objects.create_superuser("root", password=PASSWORD)
    enrol(root)
    assert mine.post(f"{RESET}{root.pk}/", {"reason": REASON}).status_code == HTTPStatus.FORBIDDEN
    assert mine.post(f"{RESET}{officer.pk}/", {"reason": "short"}).status_code == 400
    for by, person in ((officer, chief), (chief, root)):
        with pytest.raises(NotPermittedError):
            reset_factor(person=person, by=by, reason=REASON, runtime=get_runtime())
    with pytest.raises(BadReasonError):
        reset_factor(person=officer, by=chief, reason="\u2800" * 20, runtime=get_runtime())
    clock.shift(timedelta(minutes=11))
    asked = mine.post(f"{RESET}{officer.pk}/", {"reason": REASON})
    assert asked.headers["Location"].startswith("/admin/verification/preference/confirm/")
    assert SecondFactor.objects.count() == 3


def test_a_sensitive_act_asks_for_password_and_code(
    chief: User, clock: time_machine.Traveller
) -> None:
    browser = enrol(chief).browser
    clock.shift(timedelta(minutes=11))
    confirm = "/admin/verification/preference/confirm/?next=/admin/"
    for given in (
        {"password": PASSWORD},
        {"password": PASSWORD, "code": "000"},
        {"password": "wrong", "code": app_code(chief)},
    ):
        assert browser.post(confirm, given).status_code == HTTPStatus.BAD_REQUEST, given
    clock.shift(timedelta(seconds=30))
    asked = browser.post("/admin/auth/group/", {"action": "delete_selected"})
    assert asked.headers["Location"].startswith("/admin/verification/preference/confirm/")
    answer = browser.post(confirm, {"password": PASSWORD, "code": app_code(chief)})
    assert answer.headers["Location"] == "/admin/"
    assert browser.post("/admin/auth/group/", {}).status_code != HTTPStatus.FOUND


def test_new_recovery_codes_take_the_place_of_the_earlier_ones(officer: User) -> None:
    entered = enrol(officer)
    shown = entered.browser.post(CODES)
    assert not set(shown.context["codes"]) & set(entered.codes)
    with pytest.raises(WrongCodeError):
        check_code(person=officer, typed=entered.codes[0], runtime=get_runtime())
    assert entered.browser.get(CODES).status_code == HTTPStatus.FOUND


def test_a_reset_in_the_middle_of_an_act_is_no_error(
    chief: User, officer: User, clock: time_machine.Traveller
) -> None:
    """As if it was reset between the gate and the view."""
    browser = enrol(chief).browser
    request = RequestFactory().post("/admin/verification/preference/confirm/")
    middleware = SecondStepMiddleware(lambda _request: HttpResponse())
    answer = middleware.process_exception(request, NoFactorError("gone"))
    assert answer is not None
    assert answer.headers["Location"] == "/admin/"
    assert middleware.process_exception(request, ValueError()) is None
    SecondFactor.objects.filter(user=chief).delete()
    assert browser.get("/admin/").headers["Location"] == "/admin/login/"


@pytest.mark.urls("tests.integration.people.nested_urls")
def test_what_is_routed_inside_the_admin_is_behind_the_gate(officer: User) -> None:
    browser = Client(raise_request_exception=False)
    give_password(browser, "ines")
    assert browser.get("/admin/inner/logout/").headers["Location"].startswith(ENROL)


def test_it_is_enrolled_used_and_reset_with_the_rights_of_the_web_role(
    roles: Roles, officer: User, chief: User, clock: time_machine.Traveller
) -> None:
    with acting_as(roles[Kind.WEB]):
        codes = enrol(officer).codes
        clock.shift(timedelta(minutes=1))
        browser = Client(raise_request_exception=False)
        give_password(browser, "ines", "wrong")
        give_password(browser, "ines")
        assert browser.post(CODE, {"code": "x"}).status_code == HTTPStatus.BAD_REQUEST
        clock.shift(timedelta(seconds=2))
        assert browser.post(CODE, {"code": codes[0]}).status_code == HTTPStatus.FOUND
        assert browser.post(CODES).status_code == HTTPStatus.OK
        answer = enrol(chief).browser.post(f"{RESET}{officer.pk}/", {"reason": REASON})
        assert answer.status_code == HTTPStatus.FOUND
    assert not SecondFactor.objects.filter(user=officer).exists()


def test_switched_off_it_is_not_asked_for(officer: User) -> None:
    enrol(officer)
    with asking(SECOND_FACTOR=False):
        browser = Client(raise_request_exception=False)
        give_password(browser, "ines")
        assert browser.get(LIST).status_code == HTTPStatus.OK
        assert browser.get(ENROL).status_code == HTTPStatus.CONFLICT
        assert browser.post(CODES).status_code == HTTPStatus.CONFLICT


def test_keys_outlive_a_change_of_the_keyring(
    officer: User, clock: time_machine.Traveller, runtime: Runtime
) -> None:
    enrol(officer)
    clock.shift(timedelta(minutes=1))
    code = app_code(officer)
    assert check_stored_keys(ONLY_NEW)
    rotated = rotate_keys(runtime=holding(runtime, BOTH))
    assert (rotated.second_factors, rotated.broken) == (1, 0)
    assert not check_stored_keys(ONLY_NEW)
    way = check_code(person=officer, typed=code, runtime=holding(runtime, ONLY_NEW))
    assert way is Way.APP


def test_an_operator_resets_it_from_the_command_line(officer: User) -> None:
    enrol(officer)
    for name, reason, why in (
        ("nobody", REASON, "No account"),
        ("ines", "short", "Give a reason"),
    ):
        with pytest.raises(CommandError, match=why):
            call_command("second_factor_reset", name, reason=reason)
    out = StringIO()
    call_command("second_factor_reset", "ines", reason=REASON, stdout=out)
    assert out.getvalue() == "The second factor of ines is reset.\n"
    last = _staged("staff.second_factor_changed")[-1]
    assert str(last["by"]).startswith("command:")
    assert (last["change"], last["by_id"], last["of"]) == ("reset", None, "ines")
    with pytest.raises(CommandError, match="no second factor"):
        call_command("second_factor_reset", "ines", reason=REASON)


def test_the_checks_say_when_nobody_asks_for_it() -> None:
    assert check_second_factor() == []
    with override_settings(MIDDLEWARE=[]):
        assert [each.id for each in check_second_factor()] == ["verification.E015"]
    with asking(SECOND_FACTOR=False):
        assert [each.id for each in check_second_factor()] == ["verification.W014"]
        with override_settings(DEBUG=True):
            assert check_second_factor() == []


def test_without_its_middleware_the_site_stays_shut(officer: User) -> None:
    enrol(officer)
    kept = [each for each in settings.MIDDLEWARE if "otp" not in each]
    with override_settings(MIDDLEWARE=kept):
        browser = Client(raise_request_exception=False)
        give_password(browser, "ines")
        assert browser.get(LIST).status_code == HTTPStatus.INTERNAL_SERVER_ERROR
