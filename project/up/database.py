"""The embedded PostgreSQL of a run: stopped at the end by the run that started it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from project import embedded_postgres


@contextmanager
def running_database(home: Path, note: Path) -> Iterator[embedded_postgres.Server]:
    """Start the server of `home` unless it runs, and stop it at the end if we started it.

    `note` remembers the process id over a kill of this program, so that the next run knows a
    server left behind from one that somebody else started and wants to keep.
    """
    found = embedded_postgres.status(home)
    ours = found is None or _noted(note) == found.pid
    try:
        server = embedded_postgres.start(home)
        if ours:
            note.write_text(f"{server.pid}\n", "ascii")
        yield server
    finally:
        if ours:
            embedded_postgres.stop(home)
            note.unlink(missing_ok=True)


def _noted(note: Path) -> int | None:
    text = note.read_text("ascii").strip() if note.is_file() else ""
    return int(text) if text.isdecimal() else None
