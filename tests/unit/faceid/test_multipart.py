import contextlib
import re
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.faceid.multipart import (
    SLICE_BYTES,
    Form,
    MultipartError,
    Part,
    encode,
    fields,
    parse,
)
from verification.faceid.types import Upload

CONTENT_TYPE = "multipart/form-data; boundary=b"
NAMES = st.from_regex(re.compile(r"[0-9A-Za-z_.\-]{1,64}", re.ASCII), fullmatch=True)
TEXTS = {"biz_token", "sign"}
FILES = {"meglive_data"}


def body(*parts: bytes) -> bytes:
    """Parts, given as headers and data, between boundaries `b`."""
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


def part(headers: bytes, data: bytes = b"x") -> bytes:
    return body(headers + b"\r\n\r\n" + data)


def disposition(parameters: bytes) -> bytes:
    return part(b"Content-Disposition: form-data; " + parameters)


def refusal(raw: bytes, content_type: str = CONTENT_TYPE) -> str:
    with pytest.raises(MultipartError) as refused:
        parse(raw, content_type)
    return refused.value.code


def form(raw: bytes | bytearray) -> Form:
    return fields(parse(raw, CONTENT_TYPE), texts=TEXTS, files=FILES)


def only(parts: Iterable[Part]) -> Part:
    (single,) = parts
    return single


@given(
    texts=st.dictionaries(NAMES, st.text(st.characters(codec="utf-8", exclude_characters="\0"))),
    files=st.dictionaries(NAMES, st.binary()),
    boundary=NAMES,
)
def test_what_was_encoded_is_parsed_to_the_same(
    texts: dict[str, str], files: dict[str, bytes], boundary: str
) -> None:
    texts = {f"t{name}"[:64]: value for name, value in texts.items() if boundary not in value}
    files = {f"f{name}"[:64]: data for name, data in files.items() if boundary.encode() not in data}
    encoded = encode(texts, {name: Upload(data) for name, data in files.items()}, boundary)
    raw = b"".join(encoded)
    assert len(raw) == len(encoded)
    parts = parse(raw, encoded.content_type, max_parts=1000, max_files=1000)
    parsed = fields(parts, texts=set(texts), files=set(files))
    assert parsed.texts == texts
    assert {name: bytes(data) for name, data in parsed.files.items()} == files


@given(st.binary(), st.text(max_size=100))
def test_arbitrary_bytes_raise_nothing_but_the_one_error(raw: bytes, content_type: str) -> None:
    with pytest.raises(MultipartError):
        parse(raw, content_type)


PIECES = [
    b"--b",
    b"--",
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\0",
    b"\xff",
    b"Content-Disposition: form-data",
    b'; name="n"',
    b"; filename=",
    b'"',
    b"\\",
    b"Content-Length: 1",
    b":",
    b"x",
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join))
def test_pieces_of_a_form_in_any_order_raise_nothing_but_the_one_error(raw: bytes) -> None:
    with contextlib.suppress(MultipartError):
        parts = parse(raw, CONTENT_TYPE)
        assert sum(len(each.data) for each in parts) <= len(raw)


def test_an_upload_is_sent_and_parsed_without_a_copy() -> None:
    upload = bytearray(3 * SLICE_BYTES + 7)
    encoded = encode({"biz_token": "t"}, {"meglive_data": Upload(upload)}, "b")
    slices = [each for each in encoded if isinstance(each, memoryview)]
    assert [len(each) for each in slices] == [SLICE_BYTES] * 3 + [7]
    assert all(each.obj is upload for each in slices)
    assert b"".join(encoded) == b"".join(encoded)
    raw = bytearray(b"".join(encoded))
    parsed = form(raw).files["meglive_data"]
    assert parsed.obj is raw
    assert parsed == upload


def test_a_slice_of_a_buffer_is_parsed_too() -> None:
    raw = part(b'Content-Disposition: form-data; name="sign"', b"text")
    parsed = parse(memoryview(b"before" + raw + b"after")[6:-5], CONTENT_TYPE)
    assert bytes(only(parsed).data) == b"text"


@pytest.mark.parametrize(
    "filling", [b"\r\n-", b"\r\n--", b"\r\n--" + b"-" * 40, b"\r\n"], ids=["1", "2", "3", "4"]
)
def test_a_body_of_almost_boundaries_is_parsed_in_linear_time(filling: bytes) -> None:
    data = filling * (5 * 2**20 // len(filling))
    encoded = encode({}, {"meglive_data": Upload(data)}, "-" * 40 + "b")
    raw = b"".join(encoded)
    started = time.process_time()
    parsed = parse(raw, encoded.content_type)
    assert time.process_time() - started < 1
    assert only(parsed).data == data


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a\r\nb", "ä", "a" * 65])
def test_names_that_would_need_escaping_are_not_encoded(name: str) -> None:
    for texts, files, boundary in (
        ({name: "x"}, {}, "b"),
        ({}, {name: Upload(b"x")}, "b"),
        ({}, {}, name),
    ):
        with pytest.raises(ValueError):
            encode(texts, files, boundary)


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n" + disposition(b'name="sign"'),
        disposition(b'name="sign"')[:-2],
        disposition(b'name="sign"') + b"\r\n\r\n",
        disposition(b"name=sign"),
        disposition(b"NAME = sign ; x=y"),
        part(b'content-disposition:form-data;name="sign"'),
        part(b'Content-Disposition: Form-Data; name="sign"\r\nContent-Type: text/html'),
        part(b'Content-Disposition: form-data; name="sign"\r\nContent-Transfer-Encoding: 8bit'),
        part(b'Content-Disposition: form-data; name="sign"\r\nContent-Transfer-Encoding: Binary'),
        part(b'Content-Disposition: form-data; name="sign"\r\nContent-Length: 1'),
        b"--b \t\r\n" + disposition(b'name="sign"')[5:],
    ],
)
def test_shapes_of_text_parts_that_clients_send_are_accepted(raw: bytes) -> None:
    assert form(raw).texts == {"sign": "x"}


@pytest.mark.parametrize(
    "parameters",
    [
        b'filename="meglive_data"',
        b'filename=" "',
        b'filename=""',
        b"filename=a file.bin",
        b'filename="C:\\temp\\a.bin"',
        b'filename="a\\"b;c.bin"',
        b'filename="\xc4\xe3\xff.bin"',
        b'filename="../../etc/passwd"',
        b"filename*=UTF-8''%e2%82%ac%ff",
        b"filename*=nonsense",
        b"filename=a; filename*=UTF-8''b",
    ],
)
@pytest.mark.parametrize(
    "more",
    [b"", b"Content-Type: multipart/form-data", b"Content-Type: text/html", b"Content-Type: ;;"],
)
def test_any_file_name_and_type_make_a_file(parameters: bytes, more: bytes) -> None:
    headers = b'Content-Disposition: form-data; name="meglive_data"; ' + parameters
    raw = part(headers + (b"\r\n" + more if more else b""), b"\r\n\0\xff--b\r\n")
    assert form(raw).files == {"meglive_data": memoryview(b"\r\n\0\xff--b\r\n")}


@pytest.mark.parametrize(
    "boundary",
    ["----=_Part_0_12.34", '"----=_Part_0:12/34"', '"a b"', "-" * 70, "'()+_,-./:=?"],
)
def test_any_legal_boundary_is_accepted(boundary: str) -> None:
    bare = boundary.strip('"').encode()
    raw = disposition(b"name=sign").replace(b"--b", b"--" + bare)
    for content_type in (
        f"multipart/form-data; boundary={boundary}",
        f"Multipart/Form-Data;charset=UTF-8; BOUNDARY={boundary} ",
    ):
        assert only(parse(raw, content_type)).name == "sign"


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=" + "b" * 71,
        'multipart/form-data; boundary="b "',
        "multipart/form-data; boundary=b\0",
        "multipart/form-data; boundary=ä",
        "multipart/form-data; boundary=\udcff",
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary",
        'multipart/form-data; boundary="b',
        "multipart/form-data boundary=b",
    ],
)
def test_a_broken_boundary_parameter_is_refused(content_type: str) -> None:
    assert refusal(disposition(b"name=sign"), content_type) == "malformed"


@pytest.mark.parametrize(
    "content_type", ["", ";", "application/json", "multipart/mixed; boundary=b", "text/html;x=y"]
)
def test_another_content_type_is_refused(content_type: str) -> None:
    assert refusal(disposition(b"name=sign"), content_type) == "not_multipart"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"--",
        b"--c--\r\n",
        b"text\r\n" + disposition(b"name=sign"),
        b"\r\n" * 40 + disposition(b"name=sign"),
        b"\n" + disposition(b"name=sign"),
        disposition(b"name=sign") + b"more",
        disposition(b"name=sign") + b"\r\n" * 40,
        disposition(b"name=sign")[:-7],
        disposition(b"name=sign").replace(b"\r\n", b"\n"),
        body(b""),
        body(b"\r\nx"),
        body(b"no header end"),
        body(b"Content-Disposition: form-data; name=sign\r\n"),
        body(b"Content-Disposition: form-data; name=sign\r\n\r\nx").replace(b"--b--", b"--bb--"),
        part(b"Content-Type: text/plain"),
        part(b"Content-Disposition: attachment; name=sign"),
        part(b"Content-Disposition: form-data; name=sign\r\n folded: x"),
        part(b"Content-Disposition: form-data; name=sign\r\nnocolon"),
        part(b"Content-Disposition: form-data; name=sign\r\nbad name: x"),
        part(b"A: 1\r\nContent-Disposition: form-data; name=sign\r\na: 2"),
        part(b"Content-Disposition: form-data; name=sign\r\nA: \0"),
        part(b"Content-Disposition: form-data; name=sign\r\nA: \r"),
        part(b"Content-Disposition: form-data; name=sign\r\nContent-Length: 2"),
        disposition(b""),
        disposition(b"filename=x"),
        disposition(b'name=""'),
        disposition(b'name="\0"'),
        disposition(b'name="\x07"'),
        disposition(b"name=sign; name=sign"),
        disposition(b"name=sign; filename=a; filename=b"),
        disposition(b"name*=UTF-8''sign"),
        disposition(b"name=sign; name*=UTF-8''biz_token"),
        disposition(b'name=sign; filename="a"b"'),
        disposition(b'name=sign; filename="a'),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    assert refusal(raw) == "malformed"


def test_an_empty_form_has_no_parts() -> None:
    assert parse(b"--b--", CONTENT_TYPE) == ()


def test_headers_of_a_part_are_bounded() -> None:
    assert refusal(disposition(b'name=sign; filename="' + b"x" * 10_000 + b'"')) == (
        "header_too_large"
    )
    many = b"".join(b"\r\nX-%d: y" % number for number in range(16))
    assert refusal(part(b"Content-Disposition: form-data; name=sign" + many)) == "header_too_large"


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"gzip"])
def test_an_encoded_part_is_refused(encoding: bytes) -> None:
    headers = b"Content-Disposition: form-data; name=sign\r\nContent-Transfer-Encoding: "
    assert refusal(part(headers + encoding)) == "unsupported_encoding"


def test_a_name_that_is_not_utf8_is_refused() -> None:
    assert refusal(disposition(b'name="\xff"')) == "not_utf8"


def test_parts_and_files_are_counted() -> None:
    text = b"Content-Disposition: form-data; name=t\r\n\r\nx"
    file = b"Content-Disposition: form-data; name=f; filename=f\r\n\r\nx"
    assert len(parse(body(*[text] * 8, file, file), CONTENT_TYPE)) == 10
    assert refusal(body(*[text] * 1500)) == "too_many_parts"
    assert refusal(body(file, file, file)) == "too_many_files"


@pytest.mark.parametrize(
    ("part_of_form", "code", "field"),
    [
        (b"name=_charset_\r\n\r\nutf-8", "unknown_field", None),
        (b"name=sign\r\n\r\nx", "duplicate_field", "sign"),
        (b"name=meglive_data\r\n\r\nx", "file_expected", "meglive_data"),
        (b"name=biz_token; filename=x\r\n\r\nx", "text_expected", "biz_token"),
        (b"name=biz_token\r\n\r\n\xff", "not_utf8", "biz_token"),
        (b"name=biz_token\r\n\r\na\0b", "not_utf8", "biz_token"),
    ],
)
def test_a_field_that_is_not_as_expected_is_refused(
    part_of_form: bytes, code: str, field: str | None
) -> None:
    first = b"Content-Disposition: form-data; name=sign\r\n\r\nx"
    with pytest.raises(MultipartError) as refused:
        form(body(first, b"Content-Disposition: form-data; " + part_of_form))
    assert (refused.value.code, refused.value.field) == (code, field)


def test_no_content_is_shown() -> None:
    raw = body(
        b"Content-Disposition: form-data; name=sign\r\n\r\ncanary",
        b"Content-Disposition: form-data; name=meglive_data; filename=f\r\n\r\ncanary",
    )
    encoded = encode({"sign": "canary"}, {"meglive_data": Upload(b"canary")}, "b")
    for shown in (parse(raw, CONTENT_TYPE), form(raw), encoded, Upload(b"canary")):
        assert "canary" not in repr(shown)
