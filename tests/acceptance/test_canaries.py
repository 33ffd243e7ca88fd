"""No plaintext of a person, no key and no token is on any disk, after a crash and after a stop.

The whole service runs, with a database of its own; then every file that it left is searched.
"""

import hashlib
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import psycopg
import pytest
import requests
from psycopg import sql

from project.embedded_postgres import start, stop
from tests.acceptance.canaries import search, shapes
from tests.acceptance.running import ROOT, free_ports
from verification.faceid.signing import sign
from verification.faceid.types import Credentials
from verification.ledger.keys import SignatureType, new_signing_key, skey_text
from verification.sandbox.answers import FACE
from verification.sandbox.server import SandboxServer

BIZ_NO = "ONB-allowed-in-clear-4711"
SCENARIOS = ("success", "unknown-fields", "invalid-json", "truncated", "reset-after", "bad-packet")
PATIENCE_S = 60.0
REVEAL = """
import hashlib, sys, django
django.setup()
from django.contrib.auth.models import User
from verification.models import Evidence, EvidenceKey
from verification.models.reveal import Purpose
from verification.services.reveals import reveal
from verification.services.runtime import get_runtime
from verification.services.sealing import key_place
from verification.vault.envelope import WrappedKey, unwrap
runtime = get_runtime()
officer = User.objects.create_superuser("officer", password=sys.stdin.read())
for each in Evidence.objects.order_by("id"):
    shown = reveal(evidence_id=each.pk, officer=officer, purpose=Purpose.AUDIT,
                   reason="a look for the audit", runtime=runtime)
    print("shown", each.kind, hashlib.sha256(shown.content).hexdigest())
for row in EvidenceKey.objects.all():
    wrapped = WrappedKey(row.kek_id, bytes(row.sealed))
    print("key", unwrap(runtime.conf.keyring, wrapped, key_place(row.attempt_id)).hex())
"""


@dataclass(slots=True)
class Service:
    """The processes of the service, everything they may write to, and what must not be in it."""

    ground: Path
    sandbox: SandboxServer
    database_url: str
    web_port: int
    canaries: dict[str, bytes]
    keks: Mapping[str, bytes]
    settings: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environ(self) -> dict[str, str]:
        """Return the environment of every process: all that is written goes to the ground."""
        return os.environ | self.settings | {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": self.database_url,
            "LOCAL_DIR": str(self.ground / "local"),
            "TMPDIR": str(self.ground / "tmp"),
            "WEB_PORT": str(self.web_port),
            "WEB_ACCESS_LOG": "-",
            "WEB_LOG_LEVEL": "debug",
            "LOG_LEVEL": "DEBUG",
            "FACEID_SANDBOX_URL": self.sandbox.base_url,
            "FACEID_TIMEOUT_S": "5",
            "VERIFICATION_LEDGER_ANCHOR_FILE": str(self.ground / "local" / "anchors"),
            "VERIFICATION_LEDGER_CHECKPOINT_S": "1",
            "VERIFICATION_REVEALS_PER_HOUR": "1000",
        }  # fmt: skip

    def run(self, *command: str, given: str = "") -> str:
        """Run a program of Python to its end and return what it prints."""
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environ(),
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        with (self.ground / "logs" / "commands.log").open("a") as log:
            log.write(ended.stderr)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def manage(self, *command: str) -> str:
        """Run a management command."""
        return self.run("manage.py", *command)

    def start(self) -> None:
        """Start web and worker, and return when both work."""
        web = ("-m", "gunicorn", "project.wsgi", "-c", "project/gunicorn_conf.py")
        for name, command in (("web", web), ("worker", ("manage.py", "worker_run"))):
            with (self.ground / "logs" / f"{name}.log").open("ab") as log:
                self.running.append(
                    subprocess.Popen(
                        [sys.executable, *command],
                        cwd=ROOT,
                        env=self.environ(),
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert time.monotonic() < deadline, (self.ground / "logs" / "web.log").read_text()
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            return self.call("GET", "/readyz").status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def end(self, number: signal.Signals) -> None:
        """End web and worker; a killed master's children find out by themselves."""
        for each in self.running:
            each.send_signal(number)
        for each in self.running:
            each.wait(60)
        self.running.clear()

    def call(self, method: str, path: str, **given: object) -> requests.Response:
        """Send a request to the web process."""
        url = f"http://127.0.0.1:{self.web_port}{path}"
        return requests.request(method, url, timeout=30, **given)  # type: ignore[arg-type]  # passed on

    def folders(self) -> tuple[Path, Path]:
        """Return where everything is: the ground, and the database's files should they be apart."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        return self.ground, Path(row[0])


@contextmanager
def serving() -> Iterator[Service]:
    """Prepare a service in a folder that the database's account can enter."""
    ground = Path(mkdtemp(prefix="canary-", dir="/tmp"))
    ground.chmod(0o755)
    for name in ("local", "tmp", "logs"):
        (ground / name).mkdir()
    keks = {name: secrets.token_bytes(32) for name in ("first", "second")}
    digest_key, ledger_key = (
        secrets.token_bytes(32),
        new_signing_key("canary.example/log", SignatureType.NOTE),
    )
    faceid = Credentials("canary_key_" + secrets.token_hex(8), secrets.token_urlsafe(32))
    try:
        url = start(ground / "home").url()
        with SandboxServer(credentials={faceid.api_key: faceid.api_secret}) as sandbox:
            service = Service(ground, sandbox, url, free_ports()[0], {}, keks)
            service.settings = {
                "VERIFICATION_DIGEST_KEY": b64encode(digest_key).decode(),
                "VERIFICATION_LEDGER_KEY": skey_text(ledger_key),
                "VERIFICATION_KEYRING": keyring(keks, "first"),
                "FACEID_API_KEY": faceid.api_key,
                "FACEID_API_SECRET": faceid.api_secret,
            }
            service.canaries |= {f"kek {name}": key for name, key in keks.items()}
            service.canaries |= {
                "digest key": digest_key,
                "ledger key": ledger_key.seed,
                "vendor's secret": faceid.api_secret.encode(),
            }
            try:
                yield service
            finally:
                service.end(signal.SIGKILL)
    finally:
        stop(ground / "home")
        rmtree(ground)


def keyring(keks: Mapping[str, bytes], *names: str) -> str:
    """Return the setting, primary first."""
    return ",".join(f"{name}:{b64encode(keks[name]).decode()}" for name in names)


def furnish(service: Service) -> tuple[str, Credentials]:
    """Make schema, client and keys; nothing is stored compressed, so that the search sees it."""
    service.manage("migrate", "--verbosity", "0")
    with psycopg.connect(service.database_url) as connection:
        columns = connection.execute(
            "SELECT c.relname::text, a.attname::text FROM pg_attribute AS a"
            " JOIN pg_class AS c ON c.oid = a.attrelid WHERE c.relkind = 'r' AND a.attnum > 0"
            " AND NOT a.attisdropped"
            " AND c.relnamespace = 'public'::regnamespace AND a.attstorage = 'x'"
        ).fetchall()
        for names in columns:
            alter = sql.SQL("ALTER TABLE {} ALTER {} SET STORAGE EXTERNAL")
            connection.execute(alter.format(*map(sql.Identifier, names)))
    made = service.manage("client_create", "canary")
    bearer = _printed(made, "key")
    pair = service.manage("client_issue_key", "canary", "--key-pair")
    credentials = Credentials(_printed(pair, "api_key"), _printed(pair, "api_secret"))
    service.canaries |= {
        "bearer key": bearer.split("_", 2)[2].encode(),
        "api secret": credentials.api_secret.encode(),
    }
    return bearer, credentials


def _printed(lines: str, name: str) -> str:
    found = re.search(rf"^{name} +(\S+)$", lines, re.MULTILINE)
    assert found, lines
    return found[1]


def submit(service: Service, bearer: str, scenario: str) -> tuple[str, bytes]:
    """Open a session and submit; return what a repetition needs."""
    headers = {"Authorization": f"Bearer {bearer}"}
    session = service.call(
        "POST",
        "/api/v1/sessions/",
        headers=headers,
        data=texts(scenario),
        files={"image_ref1": ("face.jpg", note_image(service, scenario))},
    )
    assert session.status_code == 201, session.text
    token, packet = session.json()["biz_token"], note_token(service, session.json()["biz_token"])
    assert post(service, bearer, token, packet).status_code in {201, 202}
    return token, packet


def texts(scenario: str) -> dict[str, str]:
    """Return the parameters of a session."""
    return {
        "liveness_type": "meglive",
        "comparison_type": "0",
        "uuid": "subject-allowed-in-clear",
        "biz_no": f"{BIZ_NO} sandbox:{scenario}",
        "verbose": "1",
    }


def note_image(service: Service, scenario: str) -> bytes:
    """Make a reference image that is known."""
    image = b"\xff\xd8\xff\xe0" + secrets.token_bytes(60_000) + b"\xff\xd9"
    service.canaries[f"reference image {scenario}"] = image
    return image


def note_token(service: Service, token: str) -> bytes:
    """Note a token, the video key that the sandbox derives from it, and a packet for it."""
    packet = secrets.token_bytes(150_000)
    video_key = hashlib.sha256(token.encode()).hexdigest()[:32].encode()
    service.canaries |= {
        f"token {token}": token.encode(),
        f"video key {token}": video_key,
        f"packet {token}": packet,
    }
    return packet


def post(service: Service, bearer: str, token: str, packet: bytes) -> requests.Response:
    """Submit a token."""
    return service.call(
        "POST",
        "/api/v1/attempts/",
        headers={"Authorization": f"Bearer {bearer}"},
        data={"biz_token": token},
        files={"meglive_data": ("meglive_data", packet)},
    )


def drop_in(service: Service, credentials: Credentials) -> None:
    """Do the same as a client that was written for the vendor, and once with a bad sign."""
    now = int(time.time())
    made = sign(credentials, current_time=now, expire_time=now + 60, random=5)
    signed = {"sign": made, "sign_version": "hmac_sha1"}
    service.canaries["sign"] = made.encode()
    answer = service.call(
        "POST",
        "/faceid/v3/sdk/get_biz_token",
        data={**texts("success"), **signed},
        files={"image_ref1": ("face.jpg", note_image(service, "drop-in"))},
    )
    token = answer.json()["biz_token"]
    files = {"meglive_data": ("meglive_data", note_token(service, token))}
    for proof, status in ((made[::-1], 403), (made, 200)):
        answer = service.call(
            "POST",
            "/faceid/v3/sdk/verify",
            data={"biz_token": token, **signed, "sign": proof},
            files=files,
        )
        assert answer.status_code == status, answer.text


def look_and_export(service: Service, bearer: str) -> None:
    """Reveal all evidence, read and export everything, and change the keyring's key."""
    password = secrets.token_urlsafe(20)
    shown = service.run("-c", REVEAL, given=password).split("\n")
    assert f"shown image_best {hashlib.sha256(FACE).hexdigest()}" in shown
    data_keys = [line.partition(" ")[2] for line in shown if line.startswith("key ")]
    assert len(data_keys) >= 4
    service.canaries |= {f"data key {key}": bytes.fromhex(key) for key in data_keys}
    service.canaries["password"] = password.encode()
    headers = {"Authorization": f"Bearer {bearer}"}
    exported = service.call("GET", "/api/v1/attempts/export.csv", headers=headers)
    assert BIZ_NO in exported.text
    service.manage("attempts_export", "--output", str(service.ground / "local" / "all.csv"))
    service.settings["VERIFICATION_KEYRING"] = keyring(service.keks, "second", "first")
    assert "evidence keys wrapped anew" in service.manage("keys_rotate")
    assert service.call("GET", "/api/v1/attempts/", headers=headers).status_code == 200


def plant(service: Service) -> dict[str, bytes]:
    """Store a known value in clear in every shape, as a fault of ours would."""
    control = {"control": secrets.token_bytes(100_000), "short": secrets.token_urlsafe(24).encode()}
    with psycopg.connect(service.database_url) as connection:
        connection.execute("CREATE TABLE planted (value bytea)")
        connection.execute("ALTER TABLE planted ALTER value SET STORAGE EXTERNAL")
        for value in control.values():
            for shaped in shapes(value).values():
                connection.execute("INSERT INTO planted VALUES (%b)", [shaped])
    return control


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Return a service that has worked for a while, as it was when everything was killed."""
    with serving() as made:
        yield made


def test_nothing_is_on_the_disk_after_a_crash_nor_after_a_stop(service: Service) -> None:
    bearer, credentials = furnish(service)
    service.start()
    folders = service.folders()
    submitted = [submit(service, bearer, scenario) for scenario in SCENARIOS]
    drop_in(service, credentials)
    assert post(service, bearer, *submitted[0]).status_code == 200
    control = plant(service)

    os.kill(start(service.ground / "home").pid, signal.SIGKILL)
    service.end(signal.SIGKILL)
    assert len(service.canaries) > 25
    assert search(service.canaries, *folders) == set()
    hold_the_search_to_account(control, "pg_wal", *folders)

    start(service.ground / "home")
    service.start()
    look_and_export(service, bearer)
    submit(service, bearer, "success")
    time.sleep(2)
    service.end(signal.SIGTERM)
    stop(service.ground / "home")
    assert search(service.canaries, *folders) == set()
    hold_the_search_to_account(control, "base", *folders)


def hold_the_search_to_account(control: Mapping[str, bytes], place: str, *folders: Path) -> None:
    """Show that it finds what is there: each shape, in a place, and what may stand in clear."""
    hits = search(control, *folders)
    planted = {(name, shape) for name, value in control.items() for shape in shapes(value)}
    assert planted - {(hit.name, hit.shape) for hit in hits} == set()
    assert place in {part for hit in hits for part in hit.path.parts}
    allowed = search({"biz_no": BIZ_NO.encode()}, *folders)
    assert place in {part for hit in allowed for part in hit.path.parts}
    logs = search({"log": b"Ready: jobs and the sequencer run"}, *folders)
    assert "worker.log" in {hit.path.name for hit in logs}
