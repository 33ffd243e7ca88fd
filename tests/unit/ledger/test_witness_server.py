"""The witness's server, over real HTTP: good requests, bad ones, slow ones, and death."""

import hashlib
import http.client
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.unit.ledger.branches import Branch, asking, signed
from tests.unit.ledger.samples import LOG, ORIGIN, STRANGER, WITNESS, Tree
from verification.ledger.checkpoint import open_checkpoint
from verification.ledger.keys import parse_vkey, skey_text
from verification.ledger.note import Note, parse_note
from verification.ledger.proofs import prove_consistency
from verification.ledger.witness import (
    MAX_BODY_BYTES,
    Witness,
    add_checkpoint_request,
    parse_cosignatures,
    parse_size,
)
from verification.ledger.witness_http import MAX_CONNECTIONS, WitnessServer
from verification.ledger.witness_server import main
from verification.ledger.witness_store import create_store

TREE = Tree(40)
FORK = Branch(40, shared=5)
PATH = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
SECRET = skey_text(WITNESS)
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, with the name of each header in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def _send(where: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(where, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, named, response.read())
    finally:
        connection.close()


def _post(where: str, body: bytes) -> Answer:
    return _send(where, "POST", "/add-checkpoint", body)


def _raw(where: str, *sent: bytes) -> bytes:
    """Return all that is answered to these bytes, until the server hangs up."""
    host, _, port = where.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as peer:
        for each in sent:
            peer.sendall(each)
        answer = b""
        while more := peer.recv(65536):
            answer += more
        return answer


@pytest.fixture
def reported() -> list[str]:
    return []


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    store = create_store(tmp_path / "state", WITNESS.verifier)
    return Witness(WITNESS, (LOG.verifier,), store, time.time)


@pytest.fixture
def where(witness: Witness, reported: list[str]) -> Iterator[str]:
    """Return the address of a running witness that is quick to lose patience."""
    with WitnessServer(witness, "127.0.0.1", 0, report=reported.append, request_s=1.0) as server:
        yield server.base_url.removeprefix("http://")


def test_a_log_gets_its_checkpoints_cosigned(where: str) -> None:
    first = _post(where, asking(TREE, 0, 5))
    assert first.status == 200
    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    note = parse_note(signed(TREE, 5))
    whole = Note(note.text, (*note.signatures, *parse_cosignatures(first.body))).to_bytes()
    opened = open_checkpoint(whole, log_keys=[LOG.verifier], witnesses=[WITNESS.verifier])
    assert abs(opened.cosignatures[0].time_s - time.time()) < 60
    assert _send(where, "GET", PATH).body == whole

    unsure = _post(where, asking(TREE, 0, 9))
    assert (unsure.status, unsure.headers["content-type"]) == (409, "text/x.tlog.size")
    size = parse_size(unsure.body.decode().removesuffix("\n"))
    assert _post(where, asking(TREE, size, 9)).status == 200


def test_each_refusal_has_its_status(where: str, reported: list[str]) -> None:
    _post(where, asking(TREE, 0, 9))
    unknown = asking(TREE, 9, 12).replace(ORIGIN.encode(), STRANGER.name.encode())
    proof = prove_consistency(9, 12, TREE.get)
    assert _post(where, b"garbage").status == 400
    assert _post(where, b"").status == 400
    assert _post(where, unknown).status == 404
    by_other = signed(TREE, 12, replace(LOG, seed=b"x" * 32))
    by_other_note = parse_note(by_other)
    forged = replace(by_other_note.signatures[0], key_id=LOG.verifier.key_id)
    for note in (by_other, Note(by_other_note.text, (forged,)).to_bytes()):
        assert _post(where, add_checkpoint_request(9, proof, note)).status == 403
    assert _post(where, asking(TREE, 5, 12)).status == 409
    assert _post(where, asking(TREE, 5, 5)).status == 409
    assert reported == []
    assert _post(where, asking(FORK, 9, 12)).status == 422
    assert reported == [f"422 {ORIGIN} from size 9 to 12: the proof leads to another root"]


def test_the_status_is_for_people(where: str) -> None:
    _post(where, asking(TREE, 0, 9))
    answer = _send(where, "GET", "/")
    assert (answer.status, answer.headers["server"]) == (200, "witness")
    assert re.fullmatch(
        rf"{re.escape(str(WITNESS.verifier))}\n{ORIGIN} 9 \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n",
        answer.body.decode(),
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/add-checkpoint", 404),
        ("GET", "/other", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", PATH, 404),
        ("GET", PATH + "/", 404),
        ("GET", PATH.upper(), 404),
        ("POST", "/", 404),
        ("POST", "/add-checkpoint/", 404),
        ("PUT", "/add-checkpoint", 501),
        ("DELETE", PATH, 501),
    ],
)
def test_there_is_nothing_else(where: str, method: str, path: str, status: int) -> None:
    answer = _send(where, method, path)
    assert answer.status == status
    assert b"<" not in answer.body


def test_a_connection_serves_several_requests(where: str) -> None:
    connection = http.client.HTTPConnection(where, timeout=20)
    for old_size, size in ((0, 5), (5, 9), (9, 9)):
        connection.request("POST", "/add-checkpoint", asking(TREE, old_size, size))
        response = connection.getresponse()
        assert (response.status, len(response.read()) > 0) == (200, True)
    connection.close()


# ---- peers that are not nice ----


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 65537", b"413"),
        (b"Content-Length: 999999999", b"413"),
        (b"Content-Length: 9999999999999999999999", b"411"),
        (b"Content-Length: -1", b"411"),
        (b"Content-Length: +5", b"411"),
        (b"Content-Length: 5 5", b"411"),
        (b"Content-Length:", b"411"),
        (b"Content-Length: 5\r\nContent-Length: 6", b"411"),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"411"),
        (b"transfer-encoding: chunked", b"411"),
        (b"X: y", b"411"),
    ],
)
def test_a_length_that_is_not_one_is_refused_unread(where: str, head: bytes, status: bytes) -> None:
    answer = _raw(where, b"POST /add-checkpoint HTTP/1.1\r\n" + head + b"\r\n\r\n", b"x" * 100_000)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1") == 1


def test_the_longest_body_is_read(where: str) -> None:
    assert _post(where, b"x" * MAX_BODY_BYTES).body == (
        b"a request is an old size, at most 63 hashes and a note\n"
    )


def test_the_body_of_a_get_is_not_taken_for_a_request(where: str) -> None:
    for head in (b"content-length: 18", b"Transfer-Encoding: chunked"):
        answer = _raw(where, b"GET / HTTP/1.1\r\n" + head + b"\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400")
        assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"<script> / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_answered_without_being_quoted(where: str, sent: bytes) -> None:
    answer = _raw(where, sent)
    assert b"aaaa" not in answer
    assert b"<" not in answer
    assert _send(where, "GET", "/").status == 200


@pytest.mark.parametrize(
    "sent",
    [
        [b""],
        [b"POST /add-checkpoint HTTP/1.1\r\nContent-Len"],
        [b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 50\r\n\r\nold 0"],
    ],
)
def test_who_says_nothing_more_is_hung_up_on(where: str, sent: list[bytes]) -> None:
    before = time.monotonic()
    assert _raw(where, *sent) == b""
    assert 0.5 < time.monotonic() - before < 5


@pytest.mark.parametrize(
    "head", [b"", b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 500\r\n\r\n"]
)
def test_who_drips_is_hung_up_on(where: str, head: bytes) -> None:
    host, _, port = where.partition(":")
    before = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=20) as peer:
        peer.sendall(head)
        while not select.select([peer], [], [], 0.1)[0] and time.monotonic() - before < 10:
            with suppress(OSError):  # hung up in between
                peer.sendall(b"x")
    assert 0.5 < time.monotonic() - before < 5


def test_who_leaves_in_the_middle_is_no_trouble(
    where: str, capfd: pytest.CaptureFixture[str]
) -> None:
    host, _, port = where.partition(":")
    for sent in (
        b"",
        b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 50\r\n\r\nold",
        b"POST / HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=20) as peer:
            peer.sendall(sent)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert _send(where, "GET", "/").status == 200
    assert capfd.readouterr() == ("", "")


def test_who_ends_in_the_middle_of_a_body_gets_no_answer(where: str) -> None:
    host, _, port = where.partition(":")
    whole = asking(TREE, 0, 9)
    with socket.create_connection((host, int(port)), timeout=20) as peer:
        peer.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(whole))
        peer.sendall(whole[:-1])
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b""
    assert b" 0 never" in _send(where, "GET", "/").body


def test_a_request_whose_time_is_over_is_not_read(
    witness: Witness, capfd: pytest.CaptureFixture[str]
) -> None:
    with WitnessServer(witness, "127.0.0.1", 0, report=str, request_s=0.0) as server:
        assert _raw(server.base_url.removeprefix("http://"), b"") == b""
    assert capfd.readouterr() == ("", "")


def test_places_are_bounded_and_given_back(where: str) -> None:
    host, _, port = where.partition(":")
    held = [socket.create_connection((host, int(port)), timeout=20) for _ in range(MAX_CONNECTIONS)]
    try:
        with pytest.raises((http.client.HTTPException, OSError)):
            _send(where, "GET", "/")
    finally:
        for each in held:
            each.close()
    for _ in range(50):
        try:
            assert _send(where, "GET", "/").status == 200
            break
        except (http.client.HTTPException, OSError):
            time.sleep(0.05)
    else:
        pytest.fail("no place was given back")


def test_a_witness_that_cannot_work_says_so_to_its_operator_only(
    where: str, witness: Witness, tmp_path: Path, reported: list[str]
) -> None:
    (tmp_path / "state/vkey").unlink()
    for answer in (
        _post(where, asking(TREE, 0, 5)),
        _send(where, "GET", "/"),
        _send(where, "GET", PATH),
    ):
        assert (answer.status, answer.body) == (503, b"the witness cannot answer now\n")
    (tmp_path / "state").rmdir()
    assert _post(where, asking(TREE, 0, 5)).status == 503
    assert [line[:4] for line in reported] == ["503 "] * 4
    assert str(tmp_path) in reported[0]


def test_of_forks_posted_at_once_exactly_one_is_cosigned(where: str) -> None:
    bodies = [asking(Branch(9, shared=0, label=f"branch {number}"), 0, 9) for number in range(16)]
    start = threading.Barrier(len(bodies))
    answers: list[Answer] = []

    def post(body: bytes) -> None:
        start.wait()
        answers.append(_post(where, body))

    threads = [threading.Thread(target=post, args=(body,)) for body in bodies]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.status for each in answers) == [200] + [409] * 15
    assert {each.body for each in answers if each.status == 409} == {b"9\n"}


def test_a_stop_finishes_what_has_arrived_and_does_not_wait_for_the_idle(witness: Witness) -> None:
    arrived, leave = threading.Event(), threading.Event()

    def clock() -> float:
        arrived.set()
        leave.wait(20)
        return time.time()

    slow = replace(witness, clock=clock)
    server = WitnessServer(slow, "127.0.0.1", 0, report=str)
    server.start()
    where = server.base_url.removeprefix("http://")
    host, _, port = where.partition(":")
    answers: list[Answer] = []
    asker = threading.Thread(target=lambda: answers.append(_post(where, asking(TREE, 0, 5))))
    with socket.create_connection((host, int(port)), timeout=20):
        asker.start()
        assert arrived.wait(20)
        stopper = threading.Thread(target=server.stop)
        before = time.monotonic()
        stopper.start()
        time.sleep(0.3)
        leave.set()
        stopper.join(20)
        asker.join(20)
        assert time.monotonic() - before < 5
    assert [each.status for each in answers] == [200]
    with pytest.raises(ConnectionRefusedError):
        _send(where, "GET", "/")


# ---- the program ----


@pytest.fixture
def made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the arguments that name a new witness's key and folder."""
    files = ["--key-file", str(tmp_path / "key"), "--state", str(tmp_path / "memory")]
    assert main([*files, "--new-key", "witness.example/new"]) == 0
    vkey = parse_vkey(capsys.readouterr().out.removesuffix("\n"))
    assert vkey.name == "witness.example/new"
    return files


@contextmanager
def _running(arguments: list[str], *command: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run the program, until it ends or the block does; give its address."""
    process = subprocess.Popen(
        [*(command or (sys.executable, "-m", "verification.ledger.witness_server")), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("Witness "), process.communicate(timeout=20)
        yield line.split("http://")[1].rstrip("/\n"), process
    finally:
        process.kill()
        process.communicate(timeout=20)


SERVE = ["--log", str(LOG.verifier), "--port", "0"]


def test_a_new_key_is_for_its_owner_alone_and_replaces_none(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    content = key.read_bytes()
    for name in ("witness.example/new", "witness.example/other"):
        assert main([*made, "--new-key", name]) == 1
    assert "File exists" in capsys.readouterr().err
    assert key.read_bytes() == content


def test_a_key_that_gets_no_folder_is_not_left_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/of").touch()
    key = tmp_path / "key"
    for folder, name in (("full", "a"), ("full/of", "a"), ("new", "not a name")):
        files = ["--key-file", str(key), "--state", str(tmp_path / folder)]
        assert main([*files, "--new-key", name]) == 1
    assert not key.exists()
    assert capsys.readouterr().err.count("The witness cannot start: ") == 3


def test_the_program_serves_until_it_is_told_to_stop(made: list[str]) -> None:
    for each, old_size in ((signal.SIGTERM, 0), (signal.SIGINT, 9)):
        with _running([*made, *SERVE]) as (where, process):
            assert _post(where, asking(TREE, old_size, 9)).status == 200
            assert _post(where, asking(FORK, 9, 12)).status == 422
            process.send_signal(each)
            out, err = process.communicate(timeout=20)
            assert (process.returncode, out) == (0, "")
            assert err == f"422 {ORIGIN} from size 9 to 12: the proof leads to another root\n"


def test_a_restart_forgets_nothing(made: list[str]) -> None:
    with _running([*made, *SERVE]) as (where, process):
        assert _post(where, asking(TREE, 0, 9)).status == 200
        process.kill()
    with _running([*made, *SERVE]) as (where, process):
        assert _post(where, asking(FORK, 0, 9)).status == 409
        assert _post(where, asking(FORK, 9, 9)).status == 422
        assert _post(where, asking(TREE, 9, 9)).status == 200


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ([], "name the vkey of at least one log"),
        (["--log", "nonsense"], "of a type that is not in use"),
        (["--log", str(WITNESS.verifier)], "key of type note"),
        (["--log", str(LOG.verifier), "--port", "70000"], "port"),
        (["--log", str(LOG.verifier), "--host", "192.0.2.1"], "assign"),
        (["--log", str(LOG.verifier), "--state", "/nonexistent"], "not the folder of a witness"),
        (["--log", str(LOG.verifier), "--key-file", "/nonexistent"], "No such file"),
    ],
)
def test_the_program_says_why_it_cannot_start(
    made: list[str], more: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*made, "--port", "0", *more]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert why in err


def test_a_key_file_that_is_wrong_is_refused_and_not_quoted(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    for content in ("", SECRET[:-5], SECRET + "\n\n", skey_text(LOG), "\u00e9" * 5000, SECRET):
        key.write_text(content)
        assert main([*made, *SERVE]) == 1
        err = capsys.readouterr().err
        assert err.startswith("The witness cannot start: ")
        assert "d3d3" not in err
        assert "bGxs" not in err
    key.chmod(0o640)
    assert main([*made, *SERVE]) == 1
    assert "chmod 600" in capsys.readouterr().err


def test_the_command_is_the_same_program(made: list[str]) -> None:
    manage = (sys.executable, "manage.py", "ledger_witness")
    with _running([*made, *SERVE], *manage) as (where, process):
        assert _post(where, asking(TREE, 0, 5)).status == 200
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 0
    refused = subprocess.run(
        [*manage, *made, "--new-key", "witness.example/new"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: The witness cannot start: ")


# ---- killed ----


KILLED = """
import os, signal, sys, time
from pathlib import Path
from tests.unit.ledger.samples import LOG, WITNESS
from verification.ledger.witness import Witness
from verification.ledger.witness_http import WitnessServer
from verification.ledger.witness_store import FileStore, write_private

class Deadly(FileStore):
    __slots__ = ()
    def save(self, origin, note):
        if sys.argv[2] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[2] == "half":
            write_private(self._path(origin).with_suffix(".part"), note[:50], os.O_TRUNC)
            os.kill(os.getpid(), signal.SIGKILL)
        super().save(origin, note)
        os.kill(os.getpid(), signal.SIGKILL)

store = Deadly(Path(sys.argv[1]), WITNESS.verifier)
witness = Witness(WITNESS, (LOG.verifier,), store, time.time)
server = WitnessServer(witness, "127.0.0.1", 0, report=str)
server.start()
print("Witness at", server.base_url, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("point", "size"), [("before", 5), ("half", 5), ("after", 9)])
def test_killed_between_deciding_and_answering_it_signs_no_fork(
    witness: Witness, tmp_path: Path, point: str, size: int
) -> None:
    assert witness.add_checkpoint(asking(TREE, 0, 5)).status == 200
    command = (sys.executable, "-c", KILLED, str(tmp_path / "state"), point)
    with _running([], *command) as (where, process):
        with pytest.raises((http.client.HTTPException, OSError)):
            _post(where, asking(TREE, 5, 9))
        assert process.wait(20) == -signal.SIGKILL
    with WitnessServer(witness, "127.0.0.1", 0, report=str) as server:
        where = server.base_url.removeprefix("http://")
        asked_again = _post(where, asking(TREE, 0, 12))
        assert (asked_again.status, asked_again.body) == (409, b"%d\n" % size)
        # What was saved binds, though its cosignature was never seen; nothing else does.
        forked = _post(where, asking(FORK, size, 12)).status
        assert forked == (422 if size == 9 else 200)
