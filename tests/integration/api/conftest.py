"""A live site: gunicorn as it is shipped, on the test database, with the sandbox as the vendor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from django.core.management import call_command
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from tests.integration.api.wire import free_port
from tests.sequencing import sequencing, writing_exports
from verification.conf import get_conf
from verification.models.client import Scope
from verification.sandbox.server import SandboxServer
from verification.services import clients
from verification.services.export_files import ExportFolder
from verification.services.runtime import get_runtime

FACE = b"\xff\xd8\xff\xe0 not a real face \xff\xd9"
ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class LiveSite:
    """Where the site is, and who may call it."""

    url: str
    pid: int
    bearer: str = field(repr=False)
    stranger: str = field(repr=False)
    reader: str = field(repr=False)
    key_pair: tuple[str, str] = field(repr=False)
    sandbox: SandboxServer
    log: Path

    @property
    def port(self) -> int:
        """Return the port of the web process."""
        return urlsplit(self.url).port or 0

    def call(
        self, method: str, path: str, *, key: str | None = "", **options: Any
    ) -> requests.Response:
        """Send one request; the key is the client's unless another, or None, is given."""
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key or self.bearer}"
        return requests.request(
            method, self.url + path, headers=headers, timeout=30, allow_redirects=False, **options
        )

    @contextmanager
    def reloaded(self) -> Iterator[None]:
        """Replace the worker as an operator would; on leaving, the new one serves."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        before = children.read_text()
        os.kill(self.pid, signal.SIGHUP)
        yield
        end = time.monotonic() + START_TIMEOUT_S
        while set(children.read_text().split()) & set(before.split()):
            assert time.monotonic() < end, "the old worker stays"
            time.sleep(0.05)

    def open_session(self, biz_no: str = "", **options: str) -> requests.Response:
        """Open a session; `biz_no` chooses the sandbox's scenario."""
        texts = {
            "liveness_type": "meglive",
            "comparison_type": "0",
            "uuid": "subject-1",
            "biz_no": biz_no,
            **options,
        }
        files = {"image_ref1": ("face.jpg", FACE)}
        return self.call("POST", "/api/v1/sessions/", data=texts, files=files)

    def token(self, biz_no: str = "", **options: str) -> str:
        """Return the biz_token of a new session."""
        opened = self.open_session(biz_no, **options)
        assert opened.status_code == 201, opened.text
        return str(opened.json()["biz_token"])

    def submit(
        self, token: str, packet: bytes = b"packet", *, key: str = "", **headers: str
    ) -> requests.Response:
        """Submit an attempt."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        files = {"meglive_data": ("meglive_data", packet)}
        data = {"biz_token": token}
        path = "/api/v1/attempts/"
        return self.call("POST", path, key=key, data=data, files=files, headers=named)


@pytest.fixture(scope="package")
def live(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    sandbox_server: SandboxServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LiveSite]:
    """Serve the site, and tend its log, to this package's tests. What they record stays.

    The tests are marked as using the database, so that it is made; they talk to it by HTTP alone.
    """
    log = tmp_path_factory.mktemp("live") / "web.log"
    with django_db_blocker.unblock():
        callers = _callers()
        port = free_port()
        web = start_web(port, sandbox_server.base_url, log, database_url=_database_url())
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, web, log)
            runtime, folder = get_runtime(), ExportFolder(log.parent / "exports")
            with sequencing(runtime), writing_exports(runtime, folder):
                yield LiveSite(url=url, pid=web.pid, sandbox=sandbox_server, log=log, **callers)
        finally:
            web.terminate()
            web.wait(timeout=60)
            call_command("flush", interactive=False, verbosity=0)
            connection.close()


def _callers() -> dict[str, Any]:
    now = datetime.now(UTC)

    def bearer(name: str, scopes: list[str]) -> str:
        client = clients.create_client(name=name, scopes=scopes, now=now)
        return clients.issue_bearer_key(client=client, now=now).secret

    dropin = clients.create_client(name="drop-in", scopes=Scope.values, now=now)
    pair = clients.issue_key_pair(client=dropin, keyring=get_conf().keyring, now=now)
    return {
        "bearer": bearer("onboarding-live", Scope.values),
        "stranger": bearer("stranger-live", Scope.values),
        "reader": bearer("reader-live", [Scope.ATTEMPTS_READ]),
        "key_pair": (pair.key.public_id, pair.secret),
    }


def start_web(
    port: int, sandbox_url: str, log: Path, *, database_url: str
) -> subprocess.Popen[bytes]:
    """Start the site as it is shipped; the caller stops it."""
    environ = {
        **os.environ,
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "tests.integration.api.live_settings",
        "FACEID_SANDBOX_URL": sandbox_url,
        "LIVE_EXPORT_DIR": str(log.parent / "exports"),
        "WEB_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "project/gunicorn_conf.py")]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=output)


def _database_url() -> str:
    """Return the test database as an URL, so that another process can use it."""
    given = connection.settings_dict
    user = quote(given["USER"] or "", safe="")
    password = f":{quote(given['PASSWORD'], safe='')}" if given["PASSWORD"] else ""
    host = quote(given["HOST"] or "", safe="")
    port = f":{given['PORT']}" if given["PORT"] else ""
    return f"postgres://{user}{password}@{host}{port}/{quote(given['NAME'], safe='')}"


def _wait_until_ready(url: str, web: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and web.poll() is None:
        try:
            with closing(requests.get(f"{url}/readyz", timeout=5)) as answer:
                if answer.status_code == 200:
                    return
        except (requests.ConnectionError, requests.Timeout):
            time.sleep(0.1)
    raise AssertionError(f"the web process did not get ready:\n{log.read_text()}")
