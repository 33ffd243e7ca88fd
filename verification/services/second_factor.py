"""The second factor of the staff: enrol an authenticator app, check its codes, take it away.

Keys are sealed under the keyring; recovery codes are kept as keyed digests. The database alone,
or a dump of it, gives neither.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.translation import gettext_noop as _
from django_otp.oath import TOTP

from verification.models import RecoveryCode, SecondFactor
from verification.services.errors import (
    FactorStandsError,
    NoFactorError,
    NotPermittedError,
    TooManyTriesError,
    WrongCodeError,
)
from verification.services.reasons import read_reason
from verification.services.runtime import Runtime
from verification.services.staff import FactorChange, record_factor
from verification.vault.digest import keyed_digest
from verification.vault.envelope import Place, WrappedKey, unwrap, wrap

ISSUER = "Verification audit"
SECRET_BYTES = 20
STEP_S = 30
DIGITS = 6
TOLERATED_STEPS = 1
CODES = 10
CODE_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""None that is easily taken for another: no 0, 1, i, l, o."""

CODE_LENGTH = 16
"""79 bits, so that a digest cannot be searched through even by who has its key for a while."""

Codes: TypeAlias = Sequence[str]


class Way(StrEnum):
    """By what a login was proved, beside the password."""

    APP = "app"
    RECOVERY_CODE = "recovery_code"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an app needs to know: its key in Base32, and the same as an address to scan."""

    key: str = field(repr=False)
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """Since when somebody has a factor, and how many recovery codes are unused."""

    confirmed_at: datetime
    codes_left: int


def standing(person: AbstractUser) -> Standing | None:
    """Return how a person's factor stands; None without a confirmed one."""
    factor = SecondFactor.objects.filter(user_id=person.pk, confirmed=True).first()
    if factor is None or factor.confirmed_at is None:
        return None
    return Standing(factor.confirmed_at, factor.codes.filter(used_at=None).count())


def begin_enrolment(*, person: AbstractUser, runtime: Runtime) -> Enrolment:
    """Return the key of a person's new app, the same one until a code of it has confirmed it.

    Raises FactorStandsError for who has one already: only a reset makes room for another.
    """
    with transaction.atomic():
        factor = SecondFactor.objects.filter(user_id=person.pk).first() or _make(person, runtime)
    if factor.confirmed:
        raise FactorStandsError(_("This account has a second factor already."))
    key = base64.b32encode(_secret(factor, runtime)).decode()
    label = quote(f"{ISSUER}:{person.get_username()}")
    return Enrolment(key, f"otpauth://totp/{label}?{urlencode({'secret': key, 'issuer': ISSUER})}")


def confirm_enrolment(*, person: AbstractUser, typed: str, runtime: Runtime) -> Codes:
    """Put the new factor in force by a code of its app; return its recovery codes, shown once.

    Raises WrongCodeError, and FactorStandsError if it was confirmed meanwhile.
    """
    with transaction.atomic():
        factor = _locked(person)
        if factor.confirmed:
            raise FactorStandsError(_("This account has a second factor already."))
        step = _step(factor, typed, runtime)
        if step is None:
            raise WrongCodeError(_("This is not the code that belongs to the key above."))
        factor.confirmed, factor.confirmed_at = True, runtime.now()
        factor.last_step = step
        factor.save(update_fields=["confirmed", "confirmed_at", "last_step"])
        codes = _renew_codes(factor, runtime)
        record_factor(change=FactorChange.ENROLLED, of=person, by=person, runtime=runtime)
    return codes


def check_code(*, person: AbstractUser, typed: str, runtime: Runtime) -> Way:
    """Take a code of the app, or a recovery code, and use it up: neither works a second time.

    Raises WrongCodeError, NoFactorError, and TooManyTriesError while wrong codes are waited for.
    """
    with transaction.atomic():
        factor = _locked(person)
        is_allowed, why = factor.verify_is_allowed()
        way = _use(factor, typed, runtime) if factor.confirmed and is_allowed else None
        if is_allowed and way is None:
            factor.throttle_increment(commit=False)
            _save_tries(factor)
    if not is_allowed:
        raise TooManyTriesError(why["locked_until"])
    if way is None:
        raise WrongCodeError(_("This code is wrong, or was used before. Wait for the next one."))
    return way


def renew_codes(*, person: AbstractUser, runtime: Runtime) -> Codes:
    """Replace all recovery codes of a person; the new ones are shown once."""
    with transaction.atomic():
        factor = _locked(person)
        if not factor.confirmed:
            raise NoFactorError(_("This account has no second factor."))
        codes = _renew_codes(factor, runtime)
        record_factor(change=FactorChange.CODES_RENEWED, of=person, by=person, runtime=runtime)
    return codes


def reset_factor(*, person: AbstractUser, by: AbstractUser, reason: str, runtime: Runtime) -> None:
    """Take away somebody's factor, so that they enrol anew at their next login; on record.

    Raises NotPermittedError, BadReasonError or NoFactorError.
    """
    if not may_reset(by, person):
        raise NotPermittedError(_("Your role does not include this."))
    with transaction.atomic():
        _locked(person).delete()
        record_factor(
            change=FactorChange.RESET, of=person, by=by, reason=read_reason(reason), runtime=runtime
        )


def may_reset(by: AbstractUser, person: AbstractUser | None) -> bool:
    """Return whether somebody may take away that person's factor, or anybody's for None.

    Superusers are left to superusers: without a factor their password alone would be the way in.
    """
    is_over = person is not None and person.is_superuser and not by.is_superuser
    return by.has_perm("auth.change_user") and not is_over


def reset_as_operator(
    *, person: AbstractUser, operator: str, reason: str, runtime: Runtime
) -> None:
    """Do the same from the command line, for when no administrator can log in any more."""
    with transaction.atomic():
        _locked(person).delete()
        record_factor(
            change=FactorChange.RESET,
            of=person,
            by=operator,
            reason=read_reason(reason),
            runtime=runtime,
        )


def secret_place(secret_id: UUID) -> Place:
    """Return where the sealed key of an app belongs."""
    return Place("second_factor", str(secret_id), "sealed")


def _make(person: AbstractUser, runtime: Runtime) -> SecondFactor:
    secret_id = uuid4()
    secret = secrets.token_bytes(SECRET_BYTES)
    wrapped = wrap(runtime.conf.keyring, secret, secret_place(secret_id))
    made: SecondFactor
    made, _is_new = SecondFactor.objects.get_or_create(
        user_id=person.pk,
        defaults={
            "name": "",
            "confirmed": False,
            "secret_id": secret_id,
            "kek_id": wrapped.kek_id,
            "sealed": wrapped.sealed,
            "made_at": runtime.now(),
        },
    )
    return made


def _locked(person: AbstractUser) -> SecondFactor:
    """Return a person's factor, held so that of two equal codes at once only one counts."""
    found = SecondFactor.objects.select_for_update()
    factor: SecondFactor | None = found.filter(user_id=person.pk).first()
    if factor is None:
        raise NoFactorError(_("This account has no second factor."))
    return factor


def _secret(factor: SecondFactor, runtime: Runtime) -> bytes:
    wrapped = WrappedKey(factor.kek_id, bytes(factor.sealed))
    return unwrap(runtime.conf.keyring, wrapped, secret_place(factor.secret_id))


def _use(factor: SecondFactor, typed: str, runtime: Runtime) -> Way | None:
    step = _step(factor, typed, runtime)
    if step is None and not _use_recovery_code(factor, typed, runtime):
        return None
    factor.last_step = factor.last_step if step is None else step
    factor.throttle_reset(commit=False)
    _save_tries(factor)
    return Way.RECOVERY_CODE if step is None else Way.APP


def _step(factor: SecondFactor, typed: str, runtime: Runtime) -> int | None:
    """Return the step of time that a code of the app is for; None for a wrong or a used one."""
    code = "".join(typed.split())
    if len(code) != DIGITS or not (code.isascii() and code.isdigit()):
        return None
    totp = TOTP(_secret(factor, runtime), step=STEP_S, digits=DIGITS)
    totp.time = runtime.now().timestamp()
    next_step = None if factor.last_step is None else factor.last_step + 1
    if not totp.verify(int(code), tolerance=TOLERATED_STEPS, min_t=next_step):
        return None
    return int(totp.t())


def _use_recovery_code(factor: SecondFactor, typed: str, runtime: Runtime) -> bool:
    digest = _code_digest(factor, typed, runtime)
    unused = factor.codes.filter(digest=digest, used_at=None)
    return unused.update(used_at=runtime.now()) == 1


def _renew_codes(factor: SecondFactor, runtime: Runtime) -> Codes:
    factor.codes.all().delete()
    codes = [_new_code() for _number in range(CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(factor=factor, digest=_code_digest(factor, each, runtime)) for each in codes
    )
    return codes


def _new_code() -> str:
    """Return a code in groups of four: `7kq2-…`."""
    letters = [secrets.choice(CODE_LETTERS) for _place in range(CODE_LENGTH)]
    return "-".join("".join(letters[at : at + 4]) for at in range(0, CODE_LENGTH, 4))


def _code_digest(factor: SecondFactor, typed: str, runtime: Runtime) -> bytes:
    """Digest a code without what people add or leave out: case, spaces, dashes."""
    code = "".join(typed.lower().replace("-", "").split())
    return keyed_digest(runtime.conf.digest_key, f"recovery code:{factor.secret_id}:{code}")


def _save_tries(factor: SecondFactor) -> None:
    factor.save(
        update_fields=["last_step", "throttling_failure_timestamp", "throttling_failure_count"]
    )
