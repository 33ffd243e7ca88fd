"""Bad inputs, each a clean JSON 4xx: queries, headers, JSON bodies and forms."""

import base64
from collections.abc import Iterable
from uuid import UUID

import pytest

from tests.integration.api.conftest import LiveSite
from tests.integration.api.wire import BOUNDARY, Heard, content_type, form, head, part, talk

pytestmark = pytest.mark.django_db

LIST = "/api/v1/attempts/"
EXPORT = "/api/v1/attempts/export.csv"
SESSIONS = "/api/v1/sessions/"
TOKEN = part("biz_token", b"1,token")
PACKET = part("meglive_data", b"packet", file="m")


def assert_problem(heard: Heard, *codes: str) -> None:
    """Hold an answer against RFC 9457 and the expected codes."""
    assert 400 <= heard.status < 500, heard
    assert heard.headers["content-type"] == "application/problem+json"
    document = heard.problem
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(document)
    assert document["status"] == heard.status
    assert document["type"].endswith(document["code"])
    assert str(UUID(document["request_id"])) == document["request_id"]
    assert heard.headers["x-request-id"] == document["request_id"]
    assert document["code"] in codes, document


def get(live: LiveSite, path: str, *lines: str) -> Heard:
    """Get a path as it stands, with the client's key."""
    return talk(live.port, head("GET", path, f"Authorization: Bearer {live.bearer}", *lines))


def post(live: LiveSite, path: str, body: bytes, *lines: str, kind: str | None = None) -> Heard:
    """Post a body as it stands, with the client's key."""
    kind = content_type() if kind is None else kind
    more = [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    top = head("POST", path, f"Authorization: Bearer {live.bearer}", *more, *lines)
    return talk(live.port, top, body)


def numbered(texts: Iterable[str]) -> list[str]:
    """Return short names for tests of long texts."""
    return [f"{number}-{text[:40]}" for number, text in enumerate(texts)]


def cursor(text: str | bytes) -> str:
    """Return a forged cursor."""
    raw = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


UNKNOWN = "unknown_parameter"
INVALID = "invalid_parameter"
CURSOR = "invalid_cursor"
QUERIES = {
    "search=%00": UNKNOWN,
    "biz_no=%00": INVALID,
    "biz_no=a%0Ab": INVALID,
    "biz_no=": INVALID,
    "biz_no=%FF": INVALID,
    "biz_no=%ED%A0%80": INVALID,
    "biz_no=" + "x" * 513: INVALID,
    "biz_no=a&biz_no=b": INVALID,
    "subject=" + "x" * 129: INVALID,
    "request_id=" + "x" * 201: INVALID,
    "biz_no": INVALID,
    "&&": INVALID,
    "result_code=2147483648": INVALID,
    "result_code=9223372036854775808": INVALID,
    "result_code=1" + "0" * 400: INVALID,
    "result_code=1e400": INVALID,
    "result_code=NaN": INVALID,
    "result_code=Infinity": INVALID,
    "result_code=%D9%A1%D9%A2": INVALID,
    "result_code=1_000": INVALID,
    "result_code=+1000": INVALID,
    "result_code=1000.0": INVALID,
    "result_code=0x10": INVALID,
    "result_code=": INVALID,
    "state=nosuch": INVALID,
    "state=ANSWERED": INVALID,
    "outcome=verified%00": INVALID,
    "created_from=2024-13-45": INVALID,
    "created_from=0000-01-01": INVALID,
    "created_from=10000-01-01": INVALID,
    "created_from=9999-12-31T23:59:59-23:59": INVALID,
    "created_from=0001-01-01T00:00:00%2B23:59": INVALID,
    "created_from=2024-01-01T24:00:00Z": INVALID,
    "created_from=2024-01-01T00:00:60Z": INVALID,
    "created_from=2024-01-01T00:00:00": INVALID,
    "created_from=2024-01-01T00:00:00+00:00": INVALID,
    "created_from=yesterday": INVALID,
    "created_from=%D9%A2024-01-01": INVALID,
    "page_size=0": INVALID,
    "page_size=-1": INVALID,
    "page_size=201": INVALID,
    "page_size=1" + "0" * 30: INVALID,
    "page_size=ten": INVALID,
    "cursor=": CURSOR,
    "cursor=!!!": CURSOR,
    f"cursor={cursor(bytes(4))}": CURSOR,
    f"cursor={cursor('p=notadate')}": CURSOR,
    f"cursor={cursor('o=' + '9' * 40)}": CURSOR,
    f"cursor={cursor('2024-01-01T00:00:00+00:00|nobody')}": CURSOR,
    f"cursor={cursor('2024-01-01T00:00:00|' + '0' * 32)}": CURSOR,
    f"cursor={cursor('2024-01-01T00:00:00+00:00|' + '0' * 32)}": CURSOR,
    f"cursor={cursor('9999-12-31T23:59:59-23:59|00000000-0000-0000-0000-000000000000')}": CURSOR,
    f"cursor={cursor('2024-01-01T00:00:00+00:00|00000000-0000-0000-0000-000000000000')}=": CURSOR,
    "cursor=" + "A" * 5000: CURSOR,
    "ordering=nosuch": UNKNOWN,
    "ordering=secret__x": UNKNOWN,
    "client__keys__startswith=vk": UNKNOWN,
    "%FF=1": INVALID,
    "&".join(f"x{i}=1" for i in range(1200)): "uri_too_long",
    "&".join(["state=answered"] * 300): INVALID,
}


@pytest.mark.parametrize(("query", "code"), QUERIES.items(), ids=numbered(QUERIES))
def test_a_bad_query_is_refused(live: LiveSite, query: str, code: str) -> None:
    assert_problem(get(live, f"{LIST}?{query}"), code)


def test_raw_bytes_in_a_query_are_refused(live: LiveSite) -> None:
    line = f"GET {LIST}?biz_no=".encode() + b"\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    key = f"Authorization: Bearer {live.bearer}\r\n\r\n".encode()
    assert_problem(talk(live.port, line + key), INVALID, "malformed_request")


@pytest.mark.parametrize(
    "path", [f"{EXPORT}?page_size=1", f"{EXPORT}?cursor=x", f"{EXPORT}?x=1", f"{EXPORT}?state=no"]
)
def test_the_export_takes_its_filters_alone(live: LiveSite, path: str) -> None:
    assert_problem(get(live, path), UNKNOWN, INVALID)


@pytest.mark.parametrize(
    "identity",
    ["-1", str(2**70), "not-a-uuid", "%00", "%FF", "00000000-0000-0000-0000-000000000000", ".."],
)
def test_an_id_of_nothing_is_404(live: LiveSite, identity: str) -> None:
    assert_problem(get(live, f"{LIST}{identity}/"), "not_found")


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1/", "/api/v2/attempts/", "/api/v1/attempts", "/api/%ED%A0%80"]
)
def test_an_unknown_path_is_404(live: LiveSite, path: str) -> None:
    assert_problem(get(live, path), "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", [LIST, SESSIONS, EXPORT, "/healthz", "/readyz"])
def test_another_method_is_405_and_names_the_right_ones(
    live: LiveSite, method: str, path: str
) -> None:
    heard = talk(live.port, head(method, path, f"Authorization: Bearer {live.bearer}"))
    assert_problem(heard, "method_not_allowed")
    assert "OPTIONS" not in heard.headers["allow"]


CREDENTIALS = [
    "",
    "Bearer",
    "Bearer ",
    "Basic !!!",
    "Basic YTpi",
    "Bearer a b",
    "Bearer \xff\xfe",
    "Bearer " + "x" * 4000,
]


@pytest.mark.parametrize("value", CREDENTIALS, ids=numbered(CREDENTIALS))
def test_a_bad_authorization_is_401(live: LiveSite, value: str) -> None:
    heard = talk(live.port, head("GET", LIST, f"Authorization: {value}"))
    assert_problem(heard, "unauthenticated", "invalid_key")
    assert heard.status == 401
    assert heard.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("accept", ["", "junk", "text/html", "application/xml;q=2", "*/*;q=NaN"])
def test_any_accept_header_gets_json(live: LiveSite, accept: str) -> None:
    heard = get(live, LIST, f"Accept: {accept}")
    assert heard.status == 200
    assert heard.headers["content-type"] == "application/json"


@pytest.mark.parametrize("host", ["evil.example", "ev il", "a@b", "[::1"])
def test_a_host_that_is_not_ours_is_refused_and_not_logged(live: LiveSite, host: str) -> None:
    assert_problem(talk(live.port, head("GET", LIST, host=host)), "malformed_request")
    assert host not in live.log.read_text(errors="replace")


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "two words", "a\tb"])
def test_a_bad_idempotency_key_is_refused(live: LiveSite, key: str) -> None:
    heard = post(live, LIST, form(TOKEN, PACKET), f"Idempotency-Key: {key}")
    assert_problem(heard, "invalid_idempotency_key", "malformed_request")


JSON_BODIES = {
    "empty": b"",
    "array": b"[]",
    "null": b"null",
    "bom": b"\xef\xbb\xbf{}",
    "utf-16": "{}".encode("utf-16"),
    "duplicate keys": b'{"a": 1, "a": 2}',
    "nul": b'{"a\\u0000": "\\u0000"}',
    "lone surrogate": b'{"a": "\\ud800"}',
    "deep": b"[" * 100_000,
    "long integer": b"9" * 5000,
    "3 MB": b'"' + b"x" * 3_000_000 + b'"',
}


@pytest.mark.parametrize("body", JSON_BODIES.values(), ids=JSON_BODIES)
@pytest.mark.parametrize("path", [LIST, SESSIONS])
def test_json_is_not_what_the_api_takes(live: LiveSite, path: str, body: bytes) -> None:
    heard = post(live, path, body, kind="application/json")
    assert_problem(heard, "unsupported_media_type")
    assert heard.status == 415


KINDS = {
    "": "unsupported_media_type",
    "application/x-www-form-urlencoded": "unsupported_media_type",
    "multipart/mixed; boundary=x": "unsupported_media_type",
    "multipart/form-data": "malformed_body",
    "multipart/form-data; boundary=": "malformed_body",
    'multipart/form-data; boundary=""': "malformed_body",
    "multipart/form-data; boundary=" + "x" * 300: "malformed_body",
    "multipart/form-data; boundary=other": "malformed_body",
    f"multipart/form-data; boundary={BOUNDARY}; boundary=x": "malformed_body",
    "multipart/form-data; boundary=\xff": "malformed_body",
}


@pytest.mark.parametrize(("kind", "code"), KINDS.items(), ids=numbered(KINDS))
def test_a_bad_content_type_is_refused(live: LiveSite, kind: str, code: str) -> None:
    assert_problem(post(live, LIST, form(TOKEN, PACKET), kind=kind), code)


RAW = f"--{BOUNDARY}\r\n".encode()
DISPOSITION = b"Content-Disposition: form-data; "
ENCODED = "Content-Transfer-Encoding: {}\r\n"
NESTED = "Content-Type: multipart/mixed; boundary=y\r\n"
FORMS = {
    "empty body": (b"", "malformed_body"),
    "no parts": (form(), "missing_field"),
    "no terminator": (TOKEN + PACKET, "malformed_body"),
    "cut in a part": (form(TOKEN, PACKET)[:-60], "malformed_body"),
    "something after the end": (form(TOKEN, PACKET) + b"more", "malformed_body"),
    "something before the start": (b"preamble\r\n" + form(TOKEN, PACKET), "malformed_body"),
    "no disposition": (RAW + b"Content-Type: a/b\r\n\r\nx\r\n" + form(TOKEN), "malformed_body"),
    "no name": (RAW + DISPOSITION + b"\r\n\r\nx\r\n" + form(TOKEN), "malformed_body"),
    "empty name": (form(part("", b"x"), TOKEN, PACKET), "malformed_body"),
    "NUL in a name": (form(part("biz\0token", b"x"), PACKET), "malformed_body"),
    "invalid UTF-8 in a name": (
        RAW + DISPOSITION + b'name="\xff"\r\n\r\nx\r\n' + form(TOKEN),
        "not_utf8",
    ),
    "encoded name": (
        RAW + DISPOSITION + b"name*=UTF-8''biz_token\r\n\r\nx\r\n" + form(PACKET),
        "malformed_body",
    ),
    "invalid UTF-8 in the token": (form(part("biz_token", b"\xff"), PACKET), "not_utf8"),
    "NUL in the token": (form(part("biz_token", b"a\0b"), PACKET), "not_utf8"),
    "line break in the token": (form(part("biz_token", b"a\nb"), PACKET), "invalid_field"),
    "empty token": (form(part("biz_token", b""), PACKET), "invalid_field"),
    "long token": (form(part("biz_token", b"x" * 513), PACKET), "invalid_field"),
    "token of 3 MB": (form(part("biz_token", b"x" * 3_000_000), PACKET), "invalid_field"),
    "no token": (form(PACKET), "missing_field"),
    "two tokens": (form(TOKEN, TOKEN, PACKET), "duplicate_field"),
    "token as a file": (form(part("biz_token", b"x", file="t"), PACKET), "text_expected"),
    "no packet": (form(TOKEN), "missing_field"),
    "two packets": (form(TOKEN, PACKET, PACKET), "duplicate_field"),
    "three packets": (form(TOKEN, PACKET, PACKET, PACKET), "too_many_files"),
    "packet as text": (form(TOKEN, part("meglive_data", b"x")), "file_expected"),
    "empty packet": (form(TOKEN, part("meglive_data", b"", file="m")), "invalid_field"),
    "unknown field": (form(TOKEN, PACKET, part("extra", b"1")), "unknown_field"),
    "_charset_": (form(part("_charset_", b"utf-7"), TOKEN, PACKET), "unknown_field"),
    "1500 fields": (form(*[part(f"f{i}", b"1") for i in range(1500)]), "too_many_parts"),
    "150 files": (form(*[part(f"f{i}", b"1", file="f") for i in range(150)]), "too_many_files"),
    "large part header": (
        form(part("biz_token", b"x", headers="X-A: " + "b" * 100_000 + "\r\n"), PACKET),
        "header_too_large",
    ),
    "many part headers": (
        form(part("biz_token", b"x", headers="".join(f"X-{i}: b\r\n" for i in range(40)))),
        "header_too_large",
    ),
    "long file name": (
        form(TOKEN, part("meglive_data", b"x", file="n" * 10_000)),
        "header_too_large",
    ),
    "NUL in a file name": (form(TOKEN, part("meglive_data", b"x", file="a\0b")), "malformed_body"),
    "base64": (
        form(TOKEN, part("meglive_data", b"x", file="m", headers=ENCODED.format("base64"))),
        "unsupported_encoding",
    ),
    "unknown transfer encoding": (
        form(TOKEN, part("meglive_data", b"x", file="m", headers=ENCODED.format("rot13"))),
        "unsupported_encoding",
    ),
    "wrong part length": (
        form(TOKEN, part("meglive_data", b"x", file="m", headers="Content-Length: 7\r\n")),
        "malformed_body",
    ),
    "nested multipart": (
        form(TOKEN, part("more", form(PACKET), headers=NESTED)),
        "malformed_body",
    ),
}


@pytest.mark.parametrize(("body", "code"), FORMS.values(), ids=FORMS)
def test_a_bad_form_is_refused(live: LiveSite, body: bytes, code: str) -> None:
    assert_problem(post(live, LIST, body), code)


@pytest.mark.parametrize("name", ["../../etc/passwd", " ", "", "x" * 500, "<script>", "naïve.bin"])
def test_a_file_name_is_dropped_whatever_it_says(live: LiveSite, name: str) -> None:
    token = live.token("NAMED").encode()
    packet = part("meglive_data", b"packet", file=name)
    heard = post(live, LIST, form(part("biz_token", token), packet))
    assert heard.status == 201


def test_a_bad_extended_file_name_is_dropped_too(live: LiveSite) -> None:
    token = part("biz_token", live.token("NAMED").encode())
    line = b"name=\"meglive_data\"; filename*=nonsense''%ff%fe\r\n\r\npacket\r\n"
    assert post(live, LIST, token + RAW + DISPOSITION + line + form()).status == 201


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "junk"])
def test_an_encoded_body_is_415(live: LiveSite, encoding: str) -> None:
    heard = post(live, LIST, form(TOKEN, PACKET), f"Content-Encoding: {encoding}")
    assert_problem(heard, "unsupported_content_encoding")


@pytest.mark.parametrize("path", [LIST, SESSIONS])
def test_a_query_on_a_submission_is_refused(live: LiveSite, path: str) -> None:
    assert_problem(post(live, f"{path}?dry_run=1", form(TOKEN, PACKET)), UNKNOWN)


def test_a_session_takes_all_its_parameters_and_no_more_parts(live: LiveSite) -> None:
    many = form(*[part(f"f{i}", b"1") for i in range(40)])
    assert_problem(post(live, SESSIONS, many), "too_many_parts")
