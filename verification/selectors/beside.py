"""Ask the database while this thread's connection is taken."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

Answer = TypeVar("Answer")


def beside(ask: Callable[[], Answer]) -> Answer:
    """Return what `ask` does, or raise as it does; it has a connection of its own, which is then
    given back.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_and_give_back, ask).result()


def _and_give_back(ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    finally:
        connection.close()
