"""Serve a witness over HTTP, without a framework: `python -m verification.ledger.witness_server`.

How to run one is docs/how-to/run-a-witness.md. TLS is the business of a proxy before it.
"""

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from verification.ledger.errors import LedgerError, WitnessError
from verification.ledger.keys import (
    SignatureType,
    SigningKey,
    new_signing_key,
    parse_skey,
    parse_vkey,
    skey_text,
)
from verification.ledger.witness import Witness
from verification.ledger.witness_http import WitnessServer
from verification.ledger.witness_store import FileStore, create_store, sync_folder, write_private

OTHERS = 0o077


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` takes."""
    parser.add_argument("--key-file", type=Path, required=True, help="holds the secret key")
    parser.add_argument("--state", type=Path, required=True, help="the folder of its memory")
    parser.add_argument("--log", metavar="VKEY", action="append", default=[], help="repeatable")
    parser.add_argument("--host", default="127.0.0.1", help="an IPv4 address or a name")
    parser.add_argument("--port", type=int, default=8002, help="0 picks a free one")
    parser.add_argument("--new-key", metavar="NAME", help="make key file and folder, and end")


def run(given: argparse.Namespace, say: Callable[[str], object]) -> None:
    """Make a key, or serve until SIGTERM or Ctrl-C; WitnessError says what is in the way."""
    try:
        if given.new_key is not None:
            say(_make_key(given.new_key, given.key_file, given.state))
            return
        witness = open_witness(given.key_file, given.state, given.log)
        server = WitnessServer(witness, given.host, given.port, report=_report)
    except (OSError, OverflowError) as error:
        raise WitnessError(f"The witness cannot start: {error}") from None
    except LedgerError as error:
        raise WitnessError(f"The witness cannot start: {error}.") from None
    _serve(server, f"Witness {witness.key.name} at {server.base_url}/", say)


def open_witness(key_file: Path, state: Path, logs: Sequence[str]) -> Witness:
    """Return the witness of a key file and its folder, every part of whose memory is sound.

    `logs` are vkeys, at least one. LedgerError or OSError if anything is not as it must be.
    """
    key = _read_key(key_file)
    if not logs:
        raise WitnessError("name the vkey of at least one log")
    store = FileStore(state, key.verifier)
    witness = Witness(key, [parse_vkey(each) for each in logs], store, time.time)
    witness.status()
    return witness


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command; return its exit code, 1 if the witness cannot do its work."""
    parser = argparse.ArgumentParser(description="Cosign the checkpoints of logs that only grow.")
    add_arguments(parser)
    try:
        run(parser.parse_args(arguments), _say)
    except WitnessError as error:
        _report(str(error))
        return 1
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _report(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _make_key(name: str, key_file: Path, state: Path) -> str:
    """Write a new key, which replaces nothing, make its folder, and return its vkey."""
    key = new_signing_key(name, SignatureType.COSIGNATURE)
    write_private(key_file, f"{skey_text(key)}\n".encode(), os.O_EXCL)
    sync_folder(key_file.parent)
    try:
        create_store(state, key.verifier)
    except (OSError, WitnessError):
        key_file.unlink()
        raise
    return str(key.verifier)


def _read_key(path: Path) -> SigningKey:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & OTHERS:
            raise WitnessError(f"others than its owner may read {path}: run `chmod 600` on it")
        text = file.read(4096).decode("utf-8", "replace")
    return parse_skey(text.removesuffix("\n"))


def _serve(server: WitnessServer, where: str, say: Callable[[str], object]) -> None:
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    with server:
        say(where)
        ended.wait()


if __name__ == "__main__":
    sys.exit(main())
