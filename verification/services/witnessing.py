"""Offer the newest checkpoint to the witnesses, and keep their cosignatures.

The protocol is docs/formats/witness.md. A witness that refuses has seen another history of this
log than the one in this database: that is an alarm, never repaired here.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import requests

from verification.conf import WitnessAddress
from verification.ledger.checkpoint import open_checkpoint
from verification.ledger.errors import LedgerError
from verification.ledger.keys import VerifierKey
from verification.ledger.witness import add_checkpoint_request, parse_cosignatures, parse_size
from verification.models import LedgerCheckpoint, LedgerCosignature
from verification.selectors.ledger import consistency_proof, last_checkpoint
from verification.services.runtime import Runtime

logger = logging.getLogger(__name__)
alerts = logging.getLogger("verification.alerts")

TIMEOUT_S = (3.05, 10.0)
MAX_ANSWER_BYTES = 65_536
OK, CONFLICT = 200, 409
REFUSALS = frozenset({400, 403, 404, 422})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a witness answered."""

    status: int
    body: bytes


Post = Callable[[str, bytes], Answer]
"""Posts a body to a URL. Raises OSError (as requests does) if nothing comes of it."""


def post(url: str, body: bytes) -> Answer:
    """Post without redirects, proxies or credentials of the environment; the answer is capped."""
    with requests.Session() as session:
        session.trust_env = False
        with session.post(
            url, data=body, timeout=TIMEOUT_S, allow_redirects=False, stream=True
        ) as response:
            return Answer(response.status_code, response.raw.read(MAX_ANSWER_BYTES))


def offer_checkpoint(*, runtime: Runtime, send: Post = post) -> int:
    """Ask every witness that has not cosigned the newest checkpoint; return how many did now.

    Safe to repeat; one that cannot be reached is asked again at the next checkpoint. No database
    transaction is open while a witness is asked.
    """
    newest = last_checkpoint()
    if newest is None:
        return 0
    keys = runtime.conf.ledger_vkeys
    return sum(_ask(each, newest, keys, send) for each in runtime.conf.ledger_witnesses)


def _ask(
    witness: WitnessAddress, newest: LedgerCheckpoint, keys: Sequence[VerifierKey], send: Post
) -> bool:
    cosigned = LedgerCosignature.objects.filter(witness=witness.key.name)
    last = cosigned.order_by("-checkpoint_id").values_list("checkpoint_id", flat=True).first()
    if last == newest.size:
        return False
    try:
        answer = _send(witness, newest, last or 0, send)
        if answer.status == CONFLICT:
            known = parse_size(answer.body.decode("ascii", "replace").removesuffix("\n"))
            answer = _send(witness, newest, known, send)
        if answer.status == OK:
            return _keep(witness, newest, keys, answer.body)
    except (OSError, LedgerError) as error:
        logger.warning("witness %s did not cosign: %s", witness.key.name, type(error).__name__)
        return False
    if answer.status in REFUSALS or answer.status == CONFLICT:
        name, size, status = witness.key.name, newest.size, answer.status
        alerts.error("witness %s refuses the log at size %d: HTTP %d", name, size, status)
    else:
        logger.warning("witness %s did not cosign: HTTP %d", witness.key.name, answer.status)
    return False


def _send(witness: WitnessAddress, newest: LedgerCheckpoint, old_size: int, send: Post) -> Answer:
    # A witness that knows a longer log than ours is no accident: it refuses, whatever we prove.
    proof = consistency_proof(min(old_size, newest.size), newest.size)
    body = add_checkpoint_request(old_size, proof, bytes(newest.note))
    return send(f"{witness.url}/add-checkpoint", body)


def _keep(
    witness: WitnessAddress, newest: LedgerCheckpoint, keys: Sequence[VerifierKey], body: bytes
) -> bool:
    """Store the line that verifies under the witness's key; LedgerError if none does."""
    for line in parse_cosignatures(body):
        if line.name != witness.key.name:
            continue
        note = bytes(newest.note) + f"{line}\n".encode()
        opened = open_checkpoint(note, log_keys=keys, witnesses=[witness.key])
        for cosignature in opened.cosignatures:
            LedgerCosignature.objects.get_or_create(
                checkpoint=newest,
                witness=witness.key.name,
                defaults={
                    "line": str(line),
                    "cosigned_at": datetime.fromtimestamp(cosignature.time_s, UTC),
                },
            )
            return True
    return False
