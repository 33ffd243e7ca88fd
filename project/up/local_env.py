"""`.local/env`: the keys and settings of this checkout, generated once, readable by its owner.

One `NAME=value` per line, as `project/settings.py` reads it; the environment wins over it.
"""

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from project.up.errors import UpError
from verification.ledger.keys import SignatureType, new_signing_key, skey_text
from verification.sandbox.server import DEMO_KEY, DEMO_SECRET

KEY_BYTES = 32
HEADER = """\
# Settings of this checkout, made by script/up. The environment wins over this file.
# VERIFICATION_KEYRING opens the stored evidence: without it the evidence is lost.
# VERIFICATION_LEDGER_KEY signs the log: whoever has it can sign another one.
"""


def ensure(path: Path, *, data: Path, random: Callable[[int], bytes]) -> dict[str, str]:
    """Return the settings in `path`, after adding those that are missing; mode 0600.

    UpError if the file is gone while `data` exists: new keys could not open what is stored.
    """
    known = read(path) if path.exists() else {}
    if not known and data.exists():
        raise UpError(
            f"{path} is gone, and with it the keys that open the data in {data}. "
            f"Bring the file back, or remove {path.parent} to start with nothing."
        )
    anchors = {"VERIFICATION_LEDGER_ANCHOR_FILE": str(path.parent.resolve() / "ledger-anchors")}
    made = generate(random) | anchors
    missing = {name: value for name, value in made.items() if name not in known}
    if missing:
        _add(path, missing)
    return known | missing


def generate(random: Callable[[int], bytes]) -> dict[str, str]:
    """Return fresh keys and the settings of a development site; `random` gives n bytes."""
    return {
        "SECRET_KEY": base64.urlsafe_b64encode(random(48)).decode(),
        "VERIFICATION_KEYRING": f"local-1:{_base64(random(KEY_BYTES))}",
        "VERIFICATION_DIGEST_KEY": _base64(random(KEY_BYTES)),
        "VERIFICATION_LEDGER_KEY": _ledger_key(random),
        "DEBUG": "true",
        "FACEID_REGION": "sandbox",
        "FACEID_API_KEY": DEMO_KEY,
        "FACEID_API_SECRET": DEMO_SECRET,
    }


def read(path: Path) -> dict[str, str]:
    """Return the names and values of the file; comments and blank lines are passed over."""
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _add(path: Path, missing: Mapping[str, str]) -> None:
    """Append settings; the whole file is replaced at once, so that it is never half-written."""
    before = path.read_text("utf-8") if path.exists() else HEADER
    lines = "".join(f"{name}={value}\n" for name, value in missing.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(before + ("" if before.endswith("\n") else "\n") + lines)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def _ledger_key(random: Callable[[int], bytes]) -> str:
    """Return a key for a log of its own: no two checkouts may sign under one name."""
    name = f"local.verification/log-{random(4).hex()}"
    return skey_text(new_signing_key(name, SignatureType.NOTE, random))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
