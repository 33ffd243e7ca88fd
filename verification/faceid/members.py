"""Reading a JSON object of the vendor member by member, so that nothing in it gets lost."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeGuard

from verification.faceid.types import Json

INT32_MAX = 2**31 - 1


class ShapeError(Exception):
    """A member that decides is not of the documented type or range."""


class Members:
    """An object of an answer. Members are taken by name; null is read as absent.

    `decided_*` readers raise ShapeError for a wrong type or range, `advised_*` readers keep such
    a value in `unknown` and return None. `keep_rest` keeps what nobody took. `unknown` is keyed
    by dotted path and shared with the objects inside.
    """

    def __init__(self, value: Json, path: str = "", unknown: dict[str, Json] | None = None) -> None:
        if not isinstance(value, dict):
            raise ShapeError
        self._left = dict(value)
        self._path = path
        self.unknown: dict[str, Json] = {} if unknown is None else unknown

    @property
    def names(self) -> tuple[str, ...]:
        """What nobody has taken yet."""
        return tuple(self._left)

    def take(self, name: str) -> Json:
        return self._left.pop(name, None)

    def keep(self, name: str, value: Json) -> None:
        self.unknown[self._path + name] = value

    def keep_rest(self) -> None:
        for name, value in self._left.items():
            self.keep(name, value)

    def inside(self, name: str, value: Json) -> "Members":
        """An object that was taken from this one under `name`."""
        return Members(value, f"{self._path}{name}.", self.unknown)

    def decided_object(self, name: str) -> "Members | None":
        value = self.take(name)
        return None if value is None else self.inside(name, value)

    def decided_text(self, name: str) -> str | None:
        value = self.take(name)
        if value is None or isinstance(value, str):
            return value
        raise ShapeError

    def decided_code(self, name: str) -> int:
        """An integer of 32 bits, required."""
        value = self.take(name)
        if not is_integer(value) or abs(value) > INT32_MAX:
            raise ShapeError
        return value

    def decided_flag(self, name: str) -> bool | None:
        """A boolean, or 0 or 1 in its place."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, int) or value not in {0, 1}:
            raise ShapeError
        return bool(value)

    def decided_score(self, name: str, top: int) -> Decimal | None:
        """A number in 0..top, with the digits as sent."""
        value = self.take(name)
        if value is None:
            return None
        if not (is_integer(value) or isinstance(value, Decimal)) or not 0 <= value <= top:
            raise ShapeError
        return Decimal(value)

    def advised_text(self, name: str) -> str | None:
        value = self.take(name)
        if value is None or isinstance(value, str):
            return value
        self.keep(name, value)
        return None

    def advised_object(self, name: str) -> Mapping[str, Json] | None:
        value = self.take(name)
        if value is None or isinstance(value, dict):
            return value
        self.keep(name, value)
        return None

    def advised_time_ms(self, name: str) -> int | None:
        value = self.take(name)
        if value is None or (is_integer(value) and 0 <= value <= INT32_MAX):
            return value
        self.keep(name, value)
        return None


def is_integer(value: Json) -> TypeGuard[int]:
    """A whole number; JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)
