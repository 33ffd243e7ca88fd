"""Attempts of every kind of life, made by the services themselves, entries included."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User

from tests.conftest import OpenToken
from verification.lifecycle import State
from verification.models import ApiClient, Evidence, VerificationAttempt
from verification.models.erasure import LegalBasis
from verification.models.reveal import Purpose
from verification.services import reconciliation
from verification.services.accepting import accept, receive
from verification.services.erasing import decide_erasure, request_erasure
from verification.services.errors import AttemptNotSentError
from verification.services.reaper import reap
from verification.services.reveals import reveal
from verification.services.runtime import Runtime, make_runtime
from verification.services.sequencing import tend_log
from verification.services.settlement import Settlement
from verification.services.settling import Send, settle
from verification.services.submission import intend, submit

PACKET = b"packet" * 1000
SHA256 = hashlib.sha256(PACKET).digest()
RAW = (
    b'{"request_id": "1,2", "result_code": 1000, "result_message": "SUCCESS",'
    b' "images": {"image_best": "/9j/2Q=="}}'
)
ANSWERED = Settlement(
    State.ANSWERED,
    {"http_status": 200, "result_code": 1000, "result_message": "SUCCESS", "outcome": "verified"},
    {"raw_answer": RAW, "image_best": b"\xff\xd8\xff\xd9"},
)
IN_DOUBT = Settlement(State.IN_DOUBT, {"error_code": "invalid_json"}, {"raw_answer": b"no json"})
NOT_SENT = Settlement(State.NOT_SENT, {"error_code": "upstream_unreachable"}, {})
UNREAD = Settlement(State.IN_DOUBT, {"error_code": "answer_not_read"}, {"raw_answer": RAW})


def ahead(runtime: Runtime, seconds: float) -> Runtime:
    """Return the runtime with a clock that is ahead."""

    def clock() -> datetime:
        return runtime.now() + timedelta(seconds=seconds)

    return replace(runtime, now=clock)


def drain(runtime: Runtime) -> None:
    """Sequence all that is staged."""
    while tend_log(runtime=runtime):
        pass


def seal(runtime: Runtime) -> None:
    """Sequence all that is staged, and make a checkpoint over it."""
    drain(runtime)
    tend_log(runtime=ahead(runtime, runtime.conf.ledger_checkpoint_s + 1))


@dataclass(frozen=True)
class Lives:
    """Leads attempts through their lives for one client; each method returns the attempt's id."""

    client: ApiClient
    runtime: Runtime
    open_token: OpenToken

    def submitted(self, biz_no: str = "ONB-1", **options: str) -> UUID:
        """Submit through the sandbox, whatever comes of it."""
        try:
            return self.submit(self.open_token(biz_no, **options))
        except AttemptNotSentError as error:
            return error.attempt.pk

    def submit(self, token: str, runtime: Runtime | None = None, key: str | None = None) -> UUID:
        """Submit one token."""
        return submit(
            client=self.client,
            biz_token=token,
            packet=memoryview(PACKET),
            packet_sha256=SHA256,
            idempotency_key=key,
            runtime=runtime or self.runtime,
        ).attempt.pk

    def accepted(self) -> UUID:
        """Accept only."""
        submission = receive(
            client=self.client,
            biz_token=self.open_token("ONB-2"),
            packet=memoryview(PACKET),
            packet_sha256=SHA256,
            idempotency_key=None,
            conf=self.runtime.conf,
        )
        return accept(submission, runtime=self.runtime).attempt_id

    def send(self) -> Send:
        """Accept and intend."""
        send = intend(self.accepted(), runtime=self.runtime)
        assert send is not None
        return send

    def sending(self) -> UUID:
        """Be about to send."""
        return self.send().attempt_id

    def settled(self, settlement: Settlement = ANSWERED) -> UUID:
        """Send and settle by a given answer."""
        send = self.send()
        settle(send, settlement, runtime=self.runtime)
        return send.attempt_id

    def reaped_unsent(self) -> UUID:
        """Be given up before the send."""
        attempt_id = self.accepted()
        reap(runtime=ahead(self.runtime, 15))
        return attempt_id

    def reaped(self) -> Send:
        """Be given up while it was sent."""
        send = self.send()
        reap(runtime=ahead(self.runtime, 15))
        return send

    def in_doubt(self) -> UUID:
        """Stay in doubt without any answer."""
        return self.reaped().attempt_id

    def late(self) -> UUID:
        """Get an answer after being given up."""
        send = self.reaped()
        settle(send, ANSWERED, runtime=self.runtime)
        return send.attempt_id

    def reconciled(self) -> UUID:
        """Be settled by an answer that came late."""
        attempt_id = self.late()
        assert reconciliation.reconcile(attempt_id=attempt_id, runtime=self.runtime)
        return attempt_id

    def read_again(self) -> UUID:
        """Be settled by an answer that was kept, but not understood at first."""
        attempt_id = self.settled(UNREAD)
        assert reconciliation.reconcile(attempt_id=attempt_id, runtime=self.runtime)
        return attempt_id

    def closed(self) -> UUID:
        """Be closed for want of an answer."""
        attempt_id = self.settled(IN_DOUBT)
        reconciliation.close_attempt(
            attempt_id=attempt_id, reason="no trace at the vendor", runtime=self.runtime
        )
        return attempt_id

    def sent_again(self) -> UUID:
        """Be answered at the third send."""
        token = self.open_token("ONB-3")
        nowhere = replace(self.runtime.conf, faceid_base_url="http://127.0.0.1:9")
        unreachable = make_runtime(nowhere)
        for _ in range(2):
            try:
                self.submit(token, unreachable)
            except AttemptNotSentError:
                continue
        return self.submit(token)

    def sent_again_late(self) -> UUID:
        """Be answered late at the second send."""
        attempt_id = self.accepted()
        not_sent = intend(attempt_id, runtime=self.runtime)
        assert not_sent is not None
        settle(not_sent, NOT_SENT, runtime=self.runtime)
        again = intend(attempt_id, runtime=self.runtime)
        assert again is not None
        reap(runtime=ahead(self.runtime, 15))
        settle(again, ANSWERED, runtime=self.runtime)
        assert reconciliation.reconcile(attempt_id=attempt_id, runtime=self.runtime)
        return attempt_id

    def keyed(self) -> UUID:
        """Be submitted with an Idempotency-Key, and a subject that needs escapes."""
        token = self.open_token('ONB "4" \u00e9\u4e2d', uuid="Zo\u00eb\\\U0001f600")
        return self.submit(token, key="key-4")

    def revealed(self) -> UUID:
        """Have an image looked at, by somebody who is called otherwise later."""
        attempt_id = self.settled()
        officer = someone("looks")
        reveal(
            evidence_id=Evidence.objects.get(attempt_id=attempt_id, kind="image_best").pk,
            officer=officer,
            purpose=Purpose.REVIEW,
            reason="a second pair of eyes",
            runtime=self.runtime,
        )
        User.objects.filter(pk=officer.pk).update(username=f"{officer.username}-married")
        return attempt_id

    def erased(self) -> UUID:
        """Have the evidence destroyed by two people, one of whom is called otherwise later."""
        attempt_id = self.settled()
        asking = someone("asks")
        asked = request_erasure(
            attempt_id=attempt_id,
            legal_basis=LegalBasis.SUBJECT_REQUEST,
            reason="letter of the person",
            by=asking,
            runtime=self.runtime,
        )
        decide_erasure(
            erasure_id=asked.pk, approve=True, by=someone("approves"), runtime=self.runtime
        )
        User.objects.filter(pk=asking.pk).update(username=f"{asking.username}-married")
        return attempt_id

    def kept_from_erasure(self) -> UUID:
        """Have a request for erasure refused."""
        attempt_id = self.settled()
        asked = request_erasure(
            attempt_id=attempt_id,
            legal_basis=LegalBasis.CONSENT_WITHDRAWN,
            reason="said on the telephone",
            by=someone("asks"),
            runtime=self.runtime,
        )
        decide_erasure(
            erasure_id=asked.pk, approve=False, by=someone("refuses"), runtime=self.runtime
        )
        return attempt_id


def someone(name: str) -> User:
    """Return a member of staff who may do everything."""
    number = User.objects.count()
    return User.objects.create_user(f"{name}-{number}", is_staff=True, is_superuser=True)


LIVES: dict[str, Callable[[Lives], UUID]] = {
    "answered": Lives.submitted,
    "accepted": Lives.accepted,
    "sending": Lives.sending,
    "settled": Lives.settled,
    "reaped unsent": Lives.reaped_unsent,
    "in doubt": Lives.in_doubt,
    "late": Lives.late,
    "reconciled": Lives.reconciled,
    "read again": Lives.read_again,
    "closed": Lives.closed,
    "sent again": Lives.sent_again,
    "sent again, answered late": Lives.sent_again_late,
    "keyed": Lives.keyed,
    "revealed": Lives.revealed,
    "erased": Lives.erased,
    "kept from erasure": Lives.kept_from_erasure,
}
"""Every way through the states."""


def attempt(attempt_id: UUID) -> VerificationAttempt:
    """Return the row."""
    return VerificationAttempt.objects.get(pk=attempt_id)
