"""Strict forms: which fields a body may have, and what a text may hold."""

import re
from collections.abc import Collection

from verification.api.problems import Problem
from verification.faceid.multipart import Form, fields, parse

MAX_PARTS = 10
MAX_FILES = 2
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_TOKEN_CHARS = 512
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")


def read_form(
    body: memoryview,
    content_type: str,
    *,
    texts: Collection[str],
    files: Collection[str],
    max_parts: int = MAX_PARTS,
    max_files: int = MAX_FILES,
) -> Form:
    """Return the form in a body; MultipartError for anything but exactly these fields."""
    parts = parse(body, content_type, max_parts=max_parts, max_files=max_files)
    return fields(parts, texts=texts, files=files)


def required_text(form: Form, name: str, *, max_chars: int = MAX_TOKEN_CHARS) -> str:
    """Return a text that must be there, of 1 to `max_chars` characters, none of them control."""
    text = form.texts.get(name)
    if text is None:
        raise missing_field(name)
    if not text or len(text) > max_chars or CONTROL.search(text):
        raise Problem(
            "invalid_field",
            f"The field {name} has 1 to {max_chars} characters, none of them control characters.",
            extra={"field": name},
        )
    return text


def required_file(form: Form, name: str) -> memoryview:
    """Return a file that must be there and not be empty."""
    data = form.files.get(name)
    if data is None:
        raise missing_field(name)
    if not data:
        raise Problem("invalid_field", f"The file {name} is empty.", extra={"field": name})
    return data


def missing_field(name: str) -> Problem:
    """Return the problem of a field that is not there."""
    return Problem("missing_field", f"The field {name} is missing.", extra={"field": name})


def idempotency_key(header: str | None) -> str | None:
    """Return the Idempotency-Key of a request, if it has one."""
    if header is None:
        return None
    if not IDEMPOTENCY_KEY.fullmatch(header):
        detail = "An Idempotency-Key has 1 to 255 visible ASCII characters and is sent once."
        raise Problem("invalid_idempotency_key", detail)
    return header
