"""The one door to the vendor: calls within a total deadline, repeated only when that is safe."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from verification.conf import Conf
from verification.faceid.client import FaceIdClient
from verification.faceid.deadline import Deadline
from verification.faceid.errors import NotProcessed, NotSent
from verification.faceid.signing import RANDOM_RANGE
from verification.faceid.transport import Transport
from verification.faceid.types import (
    BizToken,
    BizTokenRequest,
    Credentials,
    Upload,
    VerifyAnswer,
)

PAUSES_NOT_SENT_S = (0.1, 0.4, 1.0)
PAUSE_NOT_PROCESSED_S = 1.0

Answer = TypeVar("Answer")


class Upstream:
    """Calls the vendor; every call ends within `timeout_s` seconds, repeats included."""

    def __init__(
        self,
        client: FaceIdClient,
        *,
        timeout_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._sleep = sleep

    def verify(self, *, biz_token: str, packet: memoryview) -> VerifyAnswer:
        """Send one packet. Raises FaceIdError; only `repeat_is_safe` ones were tried again."""
        upload = Upload(packet)
        return self._within_deadline(
            lambda deadline: self._client.verify(
                biz_token=biz_token, packet=upload, deadline=deadline
            )
        )

    def get_biz_token(self, request: BizTokenRequest) -> BizToken:
        """Ask for a token. Raises FaceIdError; only `repeat_is_safe` ones were tried again."""
        return self._within_deadline(
            lambda deadline: self._client.get_biz_token(request, deadline=deadline)
        )

    def _within_deadline(self, call: Callable[[Deadline], Answer]) -> Answer:
        deadline = Deadline.after(self._timeout_s, self._monotonic)
        pauses_not_sent, pauses_busy = iter(PAUSES_NOT_SENT_S), iter((PAUSE_NOT_PROCESSED_S,))
        while True:
            try:
                return call(deadline)
            except NotSent:
                if not self._paused(next(pauses_not_sent, None), deadline):
                    raise
            except NotProcessed as busy:
                pause = _asked_pause(busy, pauses_busy)
                if not self._paused(pause, deadline):
                    raise

    def _paused(self, pause_s: float | None, deadline: Deadline) -> bool:
        """Sleep and return True if there is a pause to make and time left after it."""
        if pause_s is None or pause_s >= deadline.remaining_s():
            return False
        self._sleep(pause_s)
        return True


def make_upstream(conf: Conf) -> Upstream:
    """Build the door to the configured region, with a connection pool of its own."""
    client = FaceIdClient(
        base_url=conf.faceid_base_url,
        credentials=Credentials(conf.faceid_api_key, conf.faceid_api_secret),
        transport=Transport(pool_size=conf.faceid_pool_size),
        nonce=lambda: secrets.randbelow(RANDOM_RANGE),
    )
    return Upstream(client, timeout_s=conf.faceid_timeout_s)


def _asked_pause(busy: NotProcessed, pauses: Iterator[float]) -> float | None:
    """Return how long to wait before the one repeat, or None when it was made already."""
    own_pause = next(pauses, None)
    if own_pause is None or busy.retry_after_s is None:
        return own_pause
    return max(busy.retry_after_s, 0.0)
