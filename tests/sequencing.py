"""A sequencer for tests of what waits for one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from verification.management.duties import sequencer
from verification.management.rounds import Rounds
from verification.services.runtime import Runtime


@contextmanager
def sequencing(runtime: Runtime) -> Iterator[None]:
    """Tend the log in a thread meanwhile, as the worker does."""
    stopping = threading.Event()
    thread = threading.Thread(target=Rounds(sequencer(runtime), stopping=stopping).run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
