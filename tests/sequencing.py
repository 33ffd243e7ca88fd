"""The worker's loops for tests of what waits for them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from verification.management.duties import sequencer
from verification.management.rounds import Duty, Rounds
from verification.services.export_files import ExportFolder
from verification.services.export_work import work_on_exports
from verification.services.runtime import Runtime


@contextmanager
def sequencing(runtime: Runtime) -> Iterator[None]:
    """Tend the log in a thread meanwhile, as the worker does."""
    with _doing(sequencer(runtime)):
        yield


@contextmanager
def writing_exports(runtime: Runtime, folder: ExportFolder) -> Iterator[None]:
    """Write files in a thread meanwhile, as the worker does."""

    def tend() -> bool:
        return bool(work_on_exports(runtime=runtime, folder=folder, places={}))

    with _doing(Duty("writer of exports", "Exports", tend, 0.2)):
        yield


@contextmanager
def _doing(duty: Duty) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(target=Rounds(duty, stopping=stopping).run)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
