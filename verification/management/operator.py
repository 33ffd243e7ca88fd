"""Who runs a command, as far as the machine can tell."""

import getpass
import os


def operator() -> str:
    """Return the name of the account, or its number where it has no name."""
    try:
        return f"command:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"command:{os.getuid()}"
