"""Make a signing key for a log: `python -m verification.ledger.new_key NAME`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from verification.ledger.errors import NoteError
from verification.ledger.keys import SignatureType, new_signing_key, skey_text


def main(arguments: Sequence[str], out: TextIO, random: Callable[[int], bytes] = os.urandom) -> int:
    """Print the secret key and, for everyone to have, the public one; 2 if NAME cannot be."""
    parser = argparse.ArgumentParser(prog="new_key", description="Make the signing key of a log.")
    parser.add_argument("name", help="a URL without scheme: audit.example.com/verification")
    try:
        key = new_signing_key(parser.parse_args(arguments).name, SignatureType.NOTE, random)
    except NoteError as error:
        parser.error(str(error))
    out.write(f"VERIFICATION_LEDGER_KEY={skey_text(key)}\n")
    out.write(f"VERIFICATION_LEDGER_VKEYS={key.verifier}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdout))
