"""Places: folders, and buckets behind a real HTTP server that does what S3 documents of PutObject.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

import base64
import hashlib
import io
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from verification.checks import check_exports
from verification.conf import BucketConf, FolderConf, build_conf
from verification.services.delivery import Bucket, Folder, places_of
from verification.services.errors import DeliveryError, DeliveryRefusedError

CONTENT = b"id,state\n" * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
SECRET = "a secret that no log may hold"


class Storage(ThreadingHTTPServer):
    """Objects by their paths; `answers` are given first, or None to cut the connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: dict[str, tuple[bytes, str]] = {}
        self.answers: list[int | None] = []

    @property
    def url(self) -> str:
        """Return where it is reached."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Storage
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        """Keep an object, if its name is free and its digest right."""
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        content = self._body()
        if self.server.answers:
            self._refuse(self.server.answers.pop(0))
            return
        said = self.headers["x-amz-checksum-sha256"]
        if not self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/"):
            self._refuse(403)
        elif base64.b64encode(hashlib.sha256(content).digest()).decode() != said:
            self._refuse(400)
        elif self.headers["If-None-Match"] == "*" and self.path in self.server.kept:
            self._refuse(412)
        else:
            self.server.kept[self.path] = (content, self.headers["x-amz-meta-sha256"])
            self._answer(200)

    def do_HEAD(self) -> None:
        """Tell an object's metadata."""
        self._answer(200, {"x-amz-meta-sha256": self.server.kept[self.path][1]})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _refuse(self, status: int | None) -> None:
        if status is None:
            self.close_connection = True
            return
        codes = {412: "PreconditionFailed", 403: "AccessDenied", 400: "BadDigest"}
        body = f"<Error><Code>{codes.get(status, 'SlowDown')}</Code></Error>".encode()
        self._answer(status, body=body)

    def _answer(
        self, status: int, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def storage() -> Iterator[Storage]:
    with Storage() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def bucket(storage: Storage) -> Bucket:
    return Bucket(BucketConf("b", storage.url, "sgp", "key", SECRET, prefix="x/"))


def give(place: Folder | Bucket, content: bytes = CONTENT) -> str:
    return place.deliver("a.csv", io.BytesIO(content), hashlib.sha256(content).hexdigest())


def test_a_folder_keeps_a_whole_private_file_once(tmp_path: Path) -> None:
    place = Folder(tmp_path)
    assert give(place) == give(place) == str(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == CONTENT
    assert stat.S_IMODE((tmp_path / "a.csv").stat().st_mode) == 0o600
    with pytest.raises(DeliveryRefusedError):
        give(place, b"another")
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_a_folder_that_is_away_may_come_back(tmp_path: Path) -> None:
    place = Folder(tmp_path / "mounted")
    with pytest.raises(DeliveryError):
        give(place)
    (tmp_path / "mounted").mkdir()
    give(place)


def test_a_bucket_keeps_an_object_once(bucket: Bucket, storage: Storage) -> None:
    assert give(bucket) == give(bucket) == "b/x/a.csv"
    assert storage.kept == {"/b/x/a.csv": (CONTENT, SHA256)}
    with pytest.raises(DeliveryRefusedError):
        give(bucket, b"another")
    assert storage.kept["/b/x/a.csv"][0] == CONTENT


@pytest.mark.parametrize("answers", [[503, 503], [None, None], [429, 429]])
def test_what_is_busy_or_cut_may_be_tried_again(
    answers: list[int | None], bucket: Bucket, storage: Storage
) -> None:
    storage.answers = [*answers]
    with pytest.raises(DeliveryError):
        give(bucket)
    give(bucket)
    assert len(storage.kept) == 1


def test_one_hiccup_is_not_even_seen(bucket: Bucket, storage: Storage) -> None:
    storage.answers = [503]
    assert give(bucket) == "b/x/a.csv"


def test_what_a_storage_refuses_a_person_must_look_at(
    bucket: Bucket, storage: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    storage.answers = [403]
    with pytest.raises(DeliveryRefusedError) as refused:
        give(bucket)
    assert SECRET not in f"{refused.value!r} {caplog.text} {bucket!r}"
    with pytest.raises(DeliveryRefusedError):
        bucket.deliver("b.csv", io.BytesIO(b"damaged on the way"), SHA256)
    assert storage.kept == {}


def test_nobody_there_may_come_back(storage: Storage) -> None:
    with Storage() as other:
        url = other.url
    with pytest.raises(DeliveryError):
        give(Bucket(BucketConf("b", url, "sgp", "key", SECRET)))


WHOLE = {
    "bucket": "b", "endpoint": "https://s3.example", "region": "r", "key_id": "k", "secret": SECRET,
}  # fmt: skip


def test_the_settings_name_places(settings_of: Any, tmp_path: Path) -> None:
    conf = settings_of({"audit": {"folder": str(tmp_path)}, "vault": WHOLE})
    assert conf.export_places["audit"] == FolderConf(tmp_path)
    assert SECRET not in repr(conf)
    assert set(places_of(conf.export_places)) == {"audit", "vault"}


@pytest.mark.parametrize(
    "places",
    [
        [], {"A": {"folder": "/x"}}, {"a": "/x"}, {"a": {"folder": "x"}}, {"a": {}},
        {"a": {**WHOLE, "endpoint": "http://s3.example"}}, {"a": {**WHOLE, "folder": "/x"}},
        {"a": {**WHOLE, "acl": "public"}}, {"a": {**WHOLE, "endpoint": "file:///x"}},
    ],
)  # fmt: skip
def test_a_wrong_place_is_refused_without_its_secret(settings_of: Any, places: Any) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of(places)
    assert SECRET not in str(refused.value)


@pytest.fixture
def settings_of(settings: Any) -> Any:
    """Return a function that reads places."""
    given = settings.VERIFICATION
    return lambda places: build_conf({**given, "EXPORT_PLACES": places})


def test_a_check_names_a_folder_that_others_can_read(settings: Any, tmp_path: Path) -> None:
    settings.VERIFICATION = {**settings.VERIFICATION, "EXPORT_DIR": str(tmp_path)}
    tmp_path.chmod(0o755)
    assert [each.id for each in check_exports()] == ["verification.W018"]
    tmp_path.chmod(0o750)
    assert check_exports() == []
