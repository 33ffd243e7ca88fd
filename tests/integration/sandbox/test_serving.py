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


def _refusal(environ: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*MANAGE, *arguments],
        check=False,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_command_names_a_port_that_is_taken(
    environ: Mapping[str, str], speaker: Speaker
) -> None:
    port = speaker.server.port
    assert (
        f"cannot serve at 127.0.0.1:{port}: Address already in use. Choose another --port"
        in _refusal(environ, "--port", str(port))
    )


def test_the_command_refuses_a_host_that_others_can_reach(environ: Mapping[str, str]) -> None:
    assert "loopback addresses only" in _refusal(environ, "--host", "0.0.0.0", "--port", "0")


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_the_command_refuses_a_port_that_is_none(port: str, environ: Mapping[str, str]) -> None:
    assert "0 to 65535" in _refusal(environ, f"--port={port}")


@pytest.mark.parametrize(
    "production", [{"DEBUG": "false"}, {"FACEID_REGION": "sgp"}, {"FACEID_REGION": "idn"}]
)
def test_the_command_refuses_production_settings(
    production: Mapping[str, str], environ: Mapping[str, str]
) -> None:
    keys = {
        "SECRET_KEY": "x" * 60,
        "FACEID_API_KEY": "real",
        "FACEID_API_SECRET": "canary",
        "VERIFICATION_KEYRING": "k:" + "A" * 43 + "=",
        "VERIFICATION_DIGEST_KEY": "B" * 43 + "=",
    }
    said = _refusal({**environ, **keys, **production}, "--port", "0")
    assert "refuses to start with production settings" in said
    assert "canary" not in said
