"""Tokens the sandbox has issued, and signs it has seen: in memory, shared by its threads."""

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from verification.faceid.contract import TOKEN_LIFE_S
from verification.sandbox.scenarios import Asked


@dataclass(slots=True)
class Issued:
    """A token with what was frozen into it: parameters by name, "file" for an image."""

    token: str = field(repr=False)
    options: Mapping[str, str]
    asked: Asked
    issued_at: float
    is_spent: bool = False
    was_tried: bool = False

    @property
    def biz_no(self) -> str:
        """Return the caller's number, empty if none was given."""
        return self.options.get("biz_no", "")


class Memory:
    """What the vendor would keep in a database. Every method is atomic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, Issued] = {}
        self._signs: set[str] = set()
        self._busy_once: set[tuple[str, str]] = set()

    def issue(self, options: Mapping[str, str], asked: Asked) -> Issued:
        """Make a token of the vendor's shape, `"<unix seconds>,<uuid4>"`."""
        now = self._clock()
        token = f"{int(now)},{uuid.uuid4()}"
        with self._lock:
            self._tokens[token] = issued = Issued(token, options, asked, now)
        return issued

    def find(self, token: str) -> Issued | None:
        """Return a token of ours, spent or expired ones too."""
        with self._lock:
            return self._tokens.get(token)

    def first_try(self, issued: Issued) -> bool:
        """Whether no verify call has named this token before."""
        with self._lock:
            was_tried, issued.was_tried = issued.was_tried, True
            return not was_tried

    def spend(self, issued: Issued) -> bool:
        """Spend a token; False if it was spent or has expired."""
        with self._lock:
            is_alive = self._clock() - issued.issued_at < TOKEN_LIFE_S
            was_spent, issued.is_spent = issued.is_spent, True
            return is_alive and not was_spent

    def is_usable(self, issued: Issued) -> bool:
        """Whether a token could be spent now."""
        with self._lock:
            return not issued.is_spent and self._clock() - issued.issued_at < TOKEN_LIFE_S

    def first_use(self, sign_digest: str) -> bool:
        """Remember a single-use sign; False if it came before."""
        with self._lock:
            is_new = sign_digest not in self._signs
            self._signs.add(sign_digest)
            return is_new

    def first_ask(self, biz_no: str, uuid: str) -> bool:
        """Return True once for each pair."""
        with self._lock:
            is_new = (biz_no, uuid) not in self._busy_once
            self._busy_once.add((biz_no, uuid))
            return is_new
