"""Compare a policy that is kept in a repository with the one that is in force."""

from pathlib import Path

from verification.policy.document import PolicyError, read_policy
from verification.selectors.policies import policy_in_force


def compare_policy_file(path: Path | None) -> str | None:
    """Return what is wrong with the file, as a sentence; None if it says what is in force.

    None as well without a path. A line break at the end of the file is no part of the document.
    """
    if path is None:
        return None
    try:
        wanted = read_policy(read_policy_file(path))
    except OSError as error:
        return f"POLICY_FILE cannot be read: {error.strerror}."
    except PolicyError as error:
        return f"POLICY_FILE is not a policy: {error}."
    found = policy_in_force()
    if found is None:
        return "POLICY_FILE names a policy, but none is in force."
    if found.policy != wanted:
        return f"POLICY_FILE says something else than version {found.version}, which is in force."
    return None


def read_policy_file(path: Path) -> bytes:
    """Return the document in a file, without the line break that editors put at its end."""
    return path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
