"""A new signing key, from the command line."""

import io
import subprocess
import sys

import pytest

from verification.ledger.keys import parse_skey, parse_vkey
from verification.ledger.new_key import main


def test_it_prints_the_secret_and_the_public_key() -> None:
    out = io.StringIO()
    assert main(["audit.example.com/log"], out, random=lambda size: b"s" * size) == 0
    secret, public = (line.partition("=")[2] for line in out.getvalue().splitlines())
    assert parse_skey(secret).verifier == parse_vkey(public)
    assert parse_skey(secret).seed == b"s" * 32


def test_no_two_keys_are_alike() -> None:
    command = [sys.executable, "-m", "verification.ledger.new_key", "log.example"]
    made = {subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(made) == 2


def test_a_name_that_no_signature_carries_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["with space"], io.StringIO())
    assert ended.value.code == 2
    assert "space" in capsys.readouterr().err
