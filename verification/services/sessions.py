"""Open a session: ask the vendor for a biz_token and record that it was issued."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection

from verification.faceid.contract import TOKEN_LIFE_S
from verification.faceid.types import BizToken, BizTokenRequest
from verification.identifiers import uuid7
from verification.models import ApiClient, VerificationSession
from verification.services.runtime import Runtime
from verification.services.settlement import visible
from verification.vault.digest import keyed_digest

OWN_COLUMNS = frozenset({"biz_no", "uuid", "liveness_type"})


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """The recorded session, the token to hand on, and the vendor's bytes."""

    session: VerificationSession
    biz_token: str = field(repr=False)
    raw_answer: bytes = field(repr=False)


def open_session(*, client: ApiClient, request: BizTokenRequest, runtime: Runtime) -> OpenedSession:
    """Get a biz_token for `client`. Blocks up to `faceid_timeout_s`.

    Raises FaceIdError. Repeating after any of them is safe: a token that was issued and lost on
    the way was not used and expires within the hour. Whether it is billed no document says.
    """
    connection.close()  # back to the pool while the vendor works
    token = runtime.upstream.get_biz_token(request)
    session = _record(client, request.texts, token, runtime)
    return OpenedSession(session, token.biz_token, token.raw)


def _record(
    client: ApiClient, texts: Mapping[str, str], token: BizToken, runtime: Runtime
) -> VerificationSession:
    now = runtime.now()
    return VerificationSession.objects.create(
        id=uuid7(now),
        client=client,
        region=runtime.conf.faceid_region,
        token_digest=keyed_digest(runtime.conf.digest_key, token.biz_token),
        biz_no=texts.get("biz_no", ""),
        subject=texts.get("uuid", ""),
        liveness_type=texts.get("liveness_type", ""),
        options={name: text for name, text in texts.items() if name not in OWN_COLUMNS},
        request_id=visible(token.request_id, 200),
        time_used_ms=token.time_used_ms,
        created_at=now,
        expires_at=now + timedelta(seconds=TOKEN_LIFE_S),
    )
