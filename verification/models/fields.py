"""Columns that keep the vendor's figures exactly as they were sent."""

import json
from collections.abc import Mapping
from decimal import Decimal
from json import JSONDecoder
from typing import TYPE_CHECKING, Any

import simplejson
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    DecimalColumn = models.Field[Decimal | None, Decimal | None]
else:
    DecimalColumn = models.Field


class ExactDecimalField(DecimalColumn):
    """PostgreSQL `numeric` without a scale: `84.30` comes back as `84.30`.

    Django's DecimalField demands a scale and pads to it. Ranges are CHECK constraints of the
    model, which a NaN fails because PostgreSQL sorts it above every number.
    """

    description = "Exact decimal"

    def db_type(self, connection: BaseDatabaseWrapper) -> str:  # noqa: ARG002 - Django's signature
        """Return the column type; `connection` is always PostgreSQL."""
        return "numeric"

    def get_prep_value(self, value: Any) -> Any:
        """Pass a Decimal through; text is parsed so that filters accept it."""
        return Decimal(value) if isinstance(value, str) else value


class _ExactDecoder(JSONDecoder):
    """Reads fractions as Decimal."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})


def dump_exact(value: object) -> str:
    """Write JSON with every Decimal as a number of the same digits; NaN is a ValueError."""
    return simplejson.dumps(value, use_decimal=True, allow_nan=False, ensure_ascii=False)


def jsonb_text(value: object) -> str:
    """Return a value as PostgreSQL writes it when it is stored as `jsonb` and read as text.

    `value` is built of None, booleans, integers, Decimals, texts, lists and string-keyed mappings.
    Members are sorted by the length of their names in bytes, then by these bytes; a number has
    its digits without exponent, and there is no negative zero. Source: PostgreSQL 8.14, jsonb.
    """
    match value:
        case None | bool() | str():
            return plain_text(value)
        case int() | Decimal():
            digits = f"{value:f}" if isinstance(value, Decimal) else str(value)
            return digits if value else digits.removeprefix("-")
        case Mapping():
            pairs = sorted((str(key).encode(), each) for key, each in value.items())
            pairs.sort(key=lambda pair: len(pair[0]))
            members = (f"{plain_text(k.decode())}: {jsonb_text(each)}" for k, each in pairs)
            return f"{{{', '.join(members)}}}"
        case list() | tuple():
            return f"[{', '.join(map(jsonb_text, value))}]"
        case _:
            raise TypeError(f"jsonb holds no {type(value).__name__}")


plain_text = json.JSONEncoder(ensure_ascii=False).encode
"""Write a text, boolean or null as jsonb does."""


def load_exact(text: str) -> Any:
    """Read JSON as the columns do."""
    return json.loads(text, cls=_ExactDecoder)


def exact_jsonb(value: object) -> Jsonb:
    """Return a query parameter for a `jsonb` column, digits kept."""
    return Jsonb(value, dumps=dump_exact)


class ExactJSONField(models.JSONField):
    """`jsonb` whose fractions keep their digits, in both directions."""

    def __init__(self, **options: Any) -> None:
        options.pop("decoder", None)
        super().__init__(decoder=_ExactDecoder, **options)

    def deconstruct(self) -> Any:
        """Leave the decoder out of migrations: it is not a choice."""
        name, path, args, options = super().deconstruct()
        options.pop("decoder", None)
        return name, path, args, options

    def get_db_prep_value(
        self,
        value: Any,
        connection: BaseDatabaseWrapper,
        prepared: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> Any:
        """Bind plain values with exact digits; leave expressions to Django."""
        if value is None or hasattr(value, "as_sql"):
            return super().get_db_prep_value(value, connection, prepared)
        return exact_jsonb(value)
