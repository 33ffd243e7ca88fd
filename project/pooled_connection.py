"""A database connection that is checked without asking the database.

Before it lends a connection, the pool sends an empty query to learn whether the server is still
there: a round trip for every borrowing. A server that is gone, or that ended the connection, has
closed its side of the socket, which can be seen from here: an idle connection whose socket has
something to read is not idle any more.
"""

import select
from typing import Any

import psycopg

CHECK = ""


class PooledConnection(psycopg.Connection[Any]):
    """For the `connection_class` of psycopg's pool."""

    def execute(self, query: Any, *given: Any, **named: Any) -> psycopg.Cursor[Any]:
        """Answer the pool's check from the socket; send everything else, and the check in doubt."""
        if query == CHECK and not self._has_news():
            return self.cursor()
        return super().execute(query, *given, **named)

    def _has_news(self) -> bool:
        """Return whether the socket has data, an end or an error, or is gone."""
        if self.closed:
            return True
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(0))
