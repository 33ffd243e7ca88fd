"""What can keep the site from coming up."""


class UpError(RuntimeError):
    """The sentence says what is wrong and what to do; nothing more is known to the program."""


class StopRequested(BaseException):
    """A signal asked the command to end; no error, like KeyboardInterrupt. Main thread only."""
