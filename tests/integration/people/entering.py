"""A site that asks for the second factor, and a person with an app."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client, override_settings
from django_otp.oath import TOTP

from verification.models import SecondFactor
from verification.services.runtime import get_runtime
from verification.services.second_factor import secret_place
from verification.vault.envelope import WrappedKey, unwrap

PASSWORD = "a long pass phrase"
LOGIN = "/admin/login/"
ENROL = "/admin/verification/secondfactor/enrol/"
CODE = "/admin/verification/secondfactor/code/"
LIST = "/admin/verification/verificationattempt/"


@contextmanager
def asking(**more: object) -> Iterator[None]:
    """Switch the second factor on."""
    with override_settings(VERIFICATION={**settings.VERIFICATION, "SECOND_FACTOR": True, **more}):
        yield


def make_person(name: str, *roles: str) -> User:
    """Return a member of the staff with a password."""
    person = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    person.groups.set(Group.objects.filter(name__in=roles))
    return person


def give_password(browser: Client, name: str, password: str = PASSWORD) -> Any:
    """Post the login form."""
    return browser.post(LOGIN, {"username": name, "password": password})


def app_code(person: User, steps: int = 0) -> str:
    """Return what the person's app shows now, or some steps of 30 s from now."""
    factor = SecondFactor.objects.get(user=person)
    runtime = get_runtime()
    wrapped = WrappedKey(factor.kek_id, bytes(factor.sealed))
    totp = TOTP(unwrap(runtime.conf.keyring, wrapped, secret_place(factor.secret_id)))
    totp.time = runtime.now().timestamp() + 30 * steps
    return f"{totp.token():06d}"


@dataclass(frozen=True, slots=True)
class Entered:
    """A browser in which somebody has enrolled, and the codes they were shown."""

    browser: Client
    codes: list[str]


def enrol(person: User) -> Entered:
    """Log in for the first time, as the pages lead."""
    browser = Client(raise_request_exception=False)
    give_password(browser, person.username)
    browser.get(ENROL)
    shown = browser.post(ENROL, {"code": app_code(person)})
    assert shown.context is not None
    return Entered(browser, list(shown.context["codes"]))
