"""A sequencer for tests of what waits for one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from verification.management.sequencer import Sequencer
from verification.services.runtime import Runtime
from verification.services.sequencing import tend_log


@contextmanager
def sequencing(runtime: Runtime) -> Iterator[None]:
    """Tend the log in a thread meanwhile, as the worker does."""
    stopping = threading.Event()
    sequencer = Sequencer(tend=lambda: tend_log(runtime=runtime), stopping=stopping)
    thread = threading.Thread(target=sequencer.run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
