"""Starting and stopping, its pages, and the command in a process of its own."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from html import escape
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from tests.integration.sandbox.speaking import Speaker
from verification.faceid.transport import Transport
from verification.sandbox.scenarios import SCENARIOS
from verification.sandbox.server import SandboxServer

ROOT = Path(__file__).resolve().parents[3]
MANAGE = [sys.executable, "manage.py", "faceid_sandbox"]


def test_nothing_is_left_after_stop_whatever_the_connections_were_doing() -> None:
    before = set(threading.enumerate())
    with SandboxServer() as server, closing(Transport()) as transport:
        speaker = Speaker(server, transport)
        socks = [speaker.connect() for _ in range(6)]
        scenarios = ["timeout-after", "slow:60", "drip-body:60", "drip-headers:60"]
        for sock, name in zip(socks, scenarios, strict=False):
            sock.sendall(speaker.whole(speaker.token(f"sandbox:{name}")))
        socks[4].sendall(speaker.whole(speaker.token(), bytes(100_000))[:50_000])
        assert server.requests.wait_for(lambda entries: len(entries) == 9, 5)
        port = server.port
    for sock in socks:
        sock.close()
    assert set(threading.enumerate()) - before == set()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    server = SandboxServer()
    server.stop()
    server.stop()
    with SandboxServer() as started:
        started.stop()


def test_a_port_that_was_left_is_free_at_once() -> None:
    with SandboxServer() as first, closing(Transport()) as transport:
        port = first.port
        assert Speaker(first, transport).get("/healthz").status == 200
    with SandboxServer(port=port, host="localhost") as second:
        assert second.base_url == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1", "example.com", "127.0.0.1.x"])
def test_another_host_than_a_loopback_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="loopback addresses only"):
        SandboxServer(host=host)


def test_many_connections_are_served_at_once(speaker: Speaker) -> None:
    socks = [speaker.connect() for _ in range(100)]
    try:
        for sock in socks:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: sandbox\r\n\r\n")
        assert all(sock.recv(4096).endswith(b"ok") for sock in socks)
    finally:
        for sock in socks:
            sock.close()


def test_the_index_page_lists_every_scenario_and_needs_no_script(speaker: Speaker) -> None:
    said = speaker.get("/")
    page = said.body.decode()
    assert said.headers["Content-Type"] == "text/html; charset=utf-8"
    listed = re.findall(r"<td><code>sandbox:([^<]+)</code></td><td>([^<]+)</td>", page)
    assert [name for name, _ in listed] == [
        each.name
        for endpoint in ("verify", "get_biz_token")
        for each in SCENARIOS.values()
        if each.endpoint == endpoint
    ]
    for name, told in listed:
        assert told.startswith(escape(SCENARIOS[name].does))
    assert "<script" not in page
    assert "Content-Type" in speaker.get("/style.css").headers


def test_the_pages_of_the_sandbox_can_only_be_read(speaker: Speaker) -> None:
    assert speaker.send("/", "", b"", "DELETE").status == 404
    assert speaker.get("/_sandbox/other").status == 404
    assert speaker.get("/").headers["Connection"] == "keep-alive"


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_its_texts_have_contrast_in_light_and_in_dark(speaker: Speaker) -> None:
    style = speaker.get("/style.css").body.decode()
    found = re.findall(r"--(ink|quiet|ground|code|accent): (#[0-9a-f]{6})", style)
    assert len(found) == 10
    for colours in (dict(found[:5]), dict(found[5:])):
        for text in ("ink", "quiet", "accent"):
            assert _contrast(colours[text], colours["ground"]) >= 4.5
        assert _contrast(colours["ink"], colours["code"]) >= 4.5


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """A developer's environment; the database is named and never reached."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
        "DEBUG": "true",
        "FACEID_REGION": "sandbox",
    }


@pytest.fixture
def process(environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The command, serving on a free port."""
    command = [*MANAGE, "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal_and_ends_cleanly(
    number: signal.Signals, process: subprocess.Popen[str]
) -> None:
    assert process.stdout is not None
    said = re.fullmatch(
        r"FaceID sandbox at (http://127\.0\.0\.1:\d+)/\n", process.stdout.readline()
    )
    assert said is not None
    with urllib.request.urlopen(f"{said[1]}/healthz", timeout=5) as answer:
        assert answer.read() == b"ok"
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_the_command_ends_with_a_sentence_and_1_where_it_cannot_serve(
    environ: Mapping[str, str], speaker: Speaker
) -> None:
    command = [*MANAGE, "--port", str(speaker.server.port)]
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"CommandError: The sandbox cannot serve at 127.0.0.1:{speaker.server.port}:"
        " Address already in use. Choose another --port, or 0 for a free one.\n"
    )


@pytest.fixture
def development(settings: Settings) -> Settings:
    """A developer's settings, in this process."""
    settings.DEBUG = True
    settings.VERIFICATION = {**settings.VERIFICATION, "FACEID_REGION": "sandbox"}
    return settings


def test_the_command_refuses_a_host_that_others_can_reach(development: Settings) -> None:
    with pytest.raises(CommandError, match="loopback addresses only"):
        call_command("faceid_sandbox", host="0.0.0.0", port=0)


@pytest.mark.parametrize("port", [65536, -1])
def test_the_command_refuses_a_port_that_is_none(port: int, development: Settings) -> None:
    with pytest.raises(CommandError, match="from 0 to 65535"):
        call_command("faceid_sandbox", port=port)


@pytest.mark.parametrize(
    ("debug", "region"), [(False, "sandbox"), (True, "sgp"), (True, "idn"), (False, "sgp")]
)
def test_the_command_refuses_production_settings(
    debug: bool, region: str, development: Settings
) -> None:
    development.DEBUG = debug
    development.VERIFICATION["FACEID_REGION"] = region
    with pytest.raises(CommandError, match="refuses to start with production settings") as raised:
        call_command("faceid_sandbox", port=0)
    assert development.VERIFICATION["FACEID_API_SECRET"] not in str(raised.value)
