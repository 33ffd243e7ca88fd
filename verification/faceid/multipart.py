"""multipart/form-data (RFC 7578), both ways, without copying an upload.

`encode` makes a body that streams from the caller's buffers. `parse` is one strict pass over a
whole body held in memory: it takes every shape that FaceID clients are known to send and refuses
whatever two parsers could read in two ways. `fields` turns parts into the expected form.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from verification.errors import VerificationError
from verification.faceid.types import Upload

SLICE_BYTES = 1024 * 1024

_MAX_HEADER_BYTES = 8 * 1024
_MAX_HEADER_LINES = 16
_MAX_EDGE_BYTES = 64
_EDGE = b"\r\n \t"
_PLAIN_NAME = re.compile(r"[0-9A-Za-z_.\-]{1,64}")
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_HEADER_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*)")
_VALUE = re.compile(rb"[ \t]*([^;\s\"]+)[ \t]*")
_PARAMETER = re.compile(
    rb";[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*"
    rb"(?:\"((?:[^\"\\]|\\.)*+)\"|([^;\"]*))[ \t]*"
)

ErrorCode = Literal[
    "not_multipart",
    "malformed",
    "header_too_large",
    "too_many_parts",
    "too_many_files",
    "unsupported_encoding",
    "unknown_field",
    "duplicate_field",
    "not_utf8",
    "text_expected",
    "file_expected",
]


class MultipartError(VerificationError):
    """A body that is refused. `code` is stable, the text is a sentence for the sender, `field` the
    offending field's name if it is a known one. None of them quotes the body."""

    def __init__(self, code: ErrorCode, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.code = code
        self.field = field


@dataclass(frozen=True, slots=True)
class Body:
    """An encoded form: `len()` is its Content-Length, iterating yields slices of at most
    SLICE_BYTES that point into the given buffers, as often as wanted."""

    segments: tuple[bytes | memoryview, ...] = field(repr=False)
    boundary: str

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self.boundary}"

    def __len__(self) -> int:
        return sum(len(segment) for segment in self.segments)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        for segment in self.segments:
            for start in range(0, len(segment), SLICE_BYTES):
                yield segment[start : start + SLICE_BYTES]


def encode(texts: Mapping[str, str], files: Mapping[str, Upload], boundary: str) -> Body:
    """Encode text fields, then file fields, in the given order.

    `boundary` must be one that no upload can contain by accident or on purpose: 1 to 64 letters,
    digits, `_ . -`, from unpredictable bits. The uploads must not change until the body is sent.
    Raises ValueError for names or a boundary that would need escaping, and for lone surrogates.
    """
    for name in (*texts, *files, boundary):
        if not _PLAIN_NAME.fullmatch(name):
            raise ValueError("Field names and boundary are letters, digits, '_', '.' and '-'.")
    segments: list[bytes | memoryview] = []
    pending = ""
    for name, value in texts.items():
        pending += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        pending += f"{value}\r\n"
    for name, upload in files.items():
        pending += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        segments += [pending.encode(), memoryview(upload.data).cast("B")]
        pending = "\r\n"
    segments.append(f"{pending}--{boundary}--\r\n".encode())
    return Body(tuple(segments), boundary)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body. `is_file`: a filename parameter was present, whatever it said; the name
    of the file itself is dropped. `data` is a slice of the body, not a copy, from `start` on."""

    name: str
    is_file: bool
    content_type: str | None
    data: memoryview = field(repr=False)
    start: int


@dataclass(frozen=True, slots=True)
class Form:
    """The expected fields that were present. `starts` tells where in the body each file begins."""

    texts: dict[str, str] = field(repr=False)
    files: dict[str, memoryview] = field(repr=False)
    starts: dict[str, int] = field(default_factory=dict)


def parse(
    body: bytes | bytearray | memoryview,
    content_type: str,
    *,
    max_parts: int = 10,
    max_files: int = 2,
) -> tuple[Part, ...]:
    """Split a whole body into its parts, in order, duplicates and unknown names included.

    Accepted as real clients send it: blank lines before the first boundary, nothing after the
    last, any boundary of RFC 2046, quoted or not, any content type and any file name of a part,
    an own Content-Length that is right, the transfer encodings 7bit, 8bit and binary.
    Raises MultipartError and nothing else.
    """
    view = memoryview(body).cast("B")
    dashed = b"--" + _boundary(content_type)
    source, delimiter = _searchable(view), b"\r\n" + dashed
    parts: list[Part] = []
    position = _first_boundary(view, dashed)
    while not _is_last(view, position):
        part, position = _part(view, position, source, delimiter)
        parts.append(part)
        if len(parts) > max_parts:
            raise MultipartError("too_many_parts", f"More than {max_parts} parts.")
        if sum(part.is_file for part in parts) > max_files:
            raise MultipartError("too_many_files", f"More than {max_files} files.")
    return tuple(parts)


def fields(parts: tuple[Part, ...], *, texts: Collection[str], files: Collection[str]) -> Form:
    """Sort parts into the expected text and file fields; each may be absent.

    Raises MultipartError: `unknown_field`, `duplicate_field`, `file_expected` (a file sent
    without a file name, so that its bytes may have been altered on the way), `text_expected`,
    `not_utf8` (text that is not UTF-8, or holds NUL).
    """
    form = Form({}, {})
    for part in parts:
        name = part.name
        if name not in texts and name not in files:
            raise MultipartError("unknown_field", "A field of this form has an unknown name.")
        if name in form.texts or name in form.files:
            raise MultipartError("duplicate_field", f"The field {name} came twice.", name)
        if part.is_file:
            if name not in files:
                raise MultipartError("text_expected", f"The field {name} is not a file.", name)
            form.files[name] = part.data
            form.starts[name] = part.start
        else:
            if name not in texts:
                raise MultipartError("file_expected", f"The field {name} must be a file.", name)
            form.texts[name] = _text(part)
    return form


def _text(part: Part) -> str:
    try:
        text = str(part.data, "utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise MultipartError("not_utf8", f"The field {part.name} is not UTF-8 text.", part.name)
    return text


def _boundary(content_type: str) -> bytes:
    value, parameters = _parameters(content_type.encode("utf-8", "surrogateescape"))
    if value != b"multipart/form-data":
        raise MultipartError("not_multipart", "The content type is not multipart/form-data.")
    boundary = parameters.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise _malformed("The boundary is missing or not 1 to 70 legal characters.")
    return boundary


def _searchable(view: memoryview) -> bytes | bytearray:
    """What `find` can search, three times as fast as a pattern: the buffer itself where the view
    is all of it, a copy else."""
    whole = view.obj
    if isinstance(whole, bytes | bytearray) and len(whole) == len(view):
        return whole
    return bytes(view)


def _first_boundary(view: memoryview, dashed: bytes) -> int:
    """The position after the first boundary. Before it stand line breaks at most."""
    edge = bytes(view[: _MAX_EDGE_BYTES + len(dashed)])
    before, found, _ = edge.partition(dashed)
    if not found or before.replace(b"\r\n", b""):
        raise _malformed("The body does not begin with its boundary.")
    return len(before) + len(dashed)


def _is_last(view: memoryview, position: int) -> bool:
    """Whether the boundary that ends at `position` closes the body; after it stand blanks and
    line breaks at most."""
    if bytes(view[position : position + 2]) != b"--":
        return False
    rest = view[position + 2 :]
    if len(rest) > _MAX_EDGE_BYTES or bytes(rest).strip(_EDGE):
        raise _malformed("Something follows the closing boundary.")
    return True


def _part(
    view: memoryview, position: int, source: bytes | bytearray, delimiter: bytes
) -> tuple[Part, int]:
    """The part that begins behind the boundary ending at `position`, and the end of the next
    boundary. `source` holds the bytes of `view`."""
    headers, start = _headers(view, position)
    # The search begins at the blank line, whose break a boundary must not use as its own.
    end = source.find(delimiter, start - 2)
    if end < 0:
        raise _malformed("The closing boundary is missing.")
    if end < start:
        raise _malformed("A part has headers and no body.")
    data = view[start:end]
    _check_transfer(headers, len(data))
    name, is_file = _disposition(headers.get(b"content-disposition"))
    content_type = headers.get(b"content-type")
    content_type_text = None if content_type is None else content_type.decode("latin-1")
    return Part(name, is_file, content_type_text, data, start), end + len(delimiter)


def _headers(view: memoryview, position: int) -> tuple[dict[bytes, bytes], int]:
    """The headers of a part by lower-case name, and where its data starts."""
    block = bytes(view[position : position + _MAX_HEADER_BYTES])
    padding = len(block) - len(block.lstrip(b" \t"))
    end = block.find(b"\r\n\r\n", padding)
    if not block.startswith(b"\r\n", padding):
        raise _malformed("A boundary is not followed by a line break.")
    if end < 0:
        if len(block) == _MAX_HEADER_BYTES:
            raise MultipartError("header_too_large", "The headers of a part are too large.")
        raise _malformed("The headers of a part do not end.")
    lines = block[padding + 2 : end].split(b"\r\n")
    if len(lines) > _MAX_HEADER_LINES:
        raise MultipartError("header_too_large", "A part has too many headers.")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        match = _HEADER_LINE.fullmatch(line)
        if match is None or match[1].lower() in headers:
            raise _malformed("A part has a broken or doubled header, or none.")
        headers[match[1].lower()] = match[2].rstrip(b" \t")
    return headers, position + end + 4


def _check_transfer(headers: Mapping[bytes, bytes], size: int) -> None:
    encoding = headers.get(b"content-transfer-encoding", b"binary").lower()
    if encoding not in {b"7bit", b"8bit", b"binary"}:
        raise MultipartError("unsupported_encoding", "A part has a transfer encoding.")
    length = headers.get(b"content-length", str(size).encode())
    if length != str(size).encode():
        raise _malformed("The Content-Length of a part is not its length.")


def _disposition(header: bytes | None) -> tuple[str, bool]:
    """The field's name, and whether a file name is there."""
    value, parameters = _parameters(header or b"")
    if value != b"form-data":
        raise _malformed("A part has no Content-Disposition of form-data.")
    if b"name*" in parameters:
        raise _malformed("A part has an encoded name.")
    try:
        name = parameters.get(b"name", b"").decode("utf-8")
    except UnicodeDecodeError:
        raise MultipartError("not_utf8", "The name of a part is not UTF-8.") from None
    if not name or not name.isprintable():
        raise _malformed("A part has no name, or one with control characters.")
    return name, b"filename" in parameters or b"filename*" in parameters


def _parameters(header: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """A header's lower-case value and its parameters by lower-case name."""
    value = _VALUE.match(header)
    if value is None:
        return b"", {}
    parameters: dict[bytes, bytes] = {}
    position = value.end()
    while position < len(header):
        match = _PARAMETER.match(header, position)
        if match is None or match[1].lower() in parameters:
            raise _malformed("A header has broken or doubled parameters.")
        quoted, plain = match[2], match[3]
        text = plain.rstrip(b" \t") if quoted is None else quoted.replace(b'\\"', b'"')
        parameters[match[1].lower()] = text
        position = match.end()
    return value[1].lower(), parameters


def _malformed(sentence: str) -> MultipartError:
    return MultipartError("malformed", sentence)
