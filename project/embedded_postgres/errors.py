"""The one error of the launcher."""


class EmbeddedPostgresError(RuntimeError):
    """The private server cannot be started or stopped; the sentence says what to do."""
