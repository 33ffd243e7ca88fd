"""What the worker does beside its jobs, each in a loop of its own."""

import threading
import time
from collections.abc import Callable, Sequence

from verification.management.rounds import Duty
from verification.services.delivery import places_of
from verification.services.export_files import ExportFolder
from verification.services.export_schedules import start_due_exports
from verification.services.export_work import expire_exports, work_on_exports
from verification.services.runtime import Runtime
from verification.services.sequencing import BATCH, tend_log

SEQUENCER_PAUSE_S = 0.1
EXPORTS_PAUSE_S = 1.0
TIDY_EVERY_S = 30.0


def duties(stopping: threading.Event, *, runtime: Runtime) -> Sequence[Duty]:
    """Return the sequencer and, where there is a folder for them, the writer of exports."""
    found = [sequencer(runtime)]
    if runtime.conf.export_dir is not None:
        writer = Exports(runtime, ExportFolder(runtime.conf.export_dir), stopping.is_set)
        found.append(Duty("writer of exports", "Exports", writer, EXPORTS_PAUSE_S))
    return found


def sequencer(runtime: Runtime) -> Duty:
    """Return the duty that keeps the log going."""
    return Duty(
        "sequencer",
        "Entries of the log",
        lambda: tend_log(runtime=runtime) >= BATCH,
        SEQUENCER_PAUSE_S,
    )


class Exports:
    """Writes one file after the other; now and then begins scheduled ones and removes old ones."""

    def __init__(
        self,
        runtime: Runtime,
        folder: ExportFolder,
        is_stopping: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._folder = folder
        self._is_stopping = is_stopping
        self._clock = clock
        self._tidied_at = float("-inf")

    def __call__(self) -> bool:
        """Return whether there may be more to write."""
        if self._clock() - self._tidied_at >= TIDY_EVERY_S:
            start_due_exports(runtime=self._runtime)
            expire_exports(runtime=self._runtime, folder=self._folder)
            self._tidied_at = self._clock()
        places = places_of(self._runtime.conf.export_places)
        return bool(
            work_on_exports(
                runtime=self._runtime,
                folder=self._folder,
                places=places,
                is_stopping=self._is_stopping,
            )
        )
