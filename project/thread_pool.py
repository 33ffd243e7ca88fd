"""A pool of threads that prefers the one that was busy last, and lets the others go.

Compared with the standard library's, whose idle threads take turns: a quiet server runs on a few
warm threads however many it may have, and a flood leaves none behind.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any


@dataclass(frozen=True, slots=True)
class _Task:
    """A call, and where its result goes."""

    job: Callable[..., Any]
    given: tuple[Any, ...]
    future: Future[Any] = field(default_factory=Future)

    def perform(self) -> None:
        """Call, and keep what comes of it."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.job(*self.given)
        except BaseException as error:  # noqa: BLE001 - it belongs to who waits for the future
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class ThreadPool:
    """Up to `max_threads` daemon threads; one that is idle for `idle_s` seconds ends."""

    def __init__(self, *, max_threads: int, idle_s: float) -> None:
        self._max_threads = max_threads
        self._idle_s = idle_s
        self._lock = Lock()
        self._idle: list[SimpleQueue[_Task]] = []
        self._waiting: deque[_Task] = deque()
        self._count = 0
        self._is_open = True

    @property
    def count(self) -> int:
        """Return how many threads there are."""
        return self._count

    def submit(self, job: Callable[..., Any], *given: Any) -> Future[Any]:
        """Run `job(*given)` in a thread, at once or as soon as one is free."""
        task = _Task(job, given)
        with self._lock:
            if not self._is_open:
                raise RuntimeError("The pool is shut down.")
            if self._idle:
                self._idle.pop().put(task)
            elif self._count < self._max_threads:
                self._count += 1
                Thread(target=self._work, args=(task,), daemon=True).start()
            else:
                self._waiting.append(task)
        return task.future

    def shutdown(self, *, wait: bool) -> None:  # noqa: ARG002 - the standard library's interface
        """Take no more jobs; running ones go on, and nobody is waited for."""
        with self._lock:
            self._is_open = False

    def _work(self, first: _Task) -> None:
        inbox: SimpleQueue[_Task] = SimpleQueue()
        task: _Task | None = first
        while task is not None:
            task.perform()
            task = None
            task = self._next(inbox)

    def _next(self, inbox: SimpleQueue[_Task]) -> _Task | None:
        """Return this thread's next task, or None if it should end."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(inbox)
        try:
            return inbox.get(timeout=self._idle_s)
        except Empty:
            pass
        with self._lock:
            if inbox in self._idle:
                self._idle.remove(inbox)
                self._count -= 1
                return None
        return inbox.get()
