"""Names at the end, loudly, every test that did not run; with CI=true they fail the run.

Only tests that need the other kind of user may be skipped then: continuous integration runs
the suite as both.
"""

import os
from collections.abc import Mapping

import pytest

FAILED = pytest.ExitCode.TESTS_FAILED


class SkipReport:
    """Collects the tests that were skipped, from this process and from xdist's workers."""

    def __init__(self, environ: Mapping[str, str], *, is_root: bool) -> None:
        self.is_strict = environ.get("CI", "").lower() == "true"
        self._excuse = "needs an ordinary user" if is_root else "needs root"
        self.skipped: list[tuple[str, str]] = []

    def forbidden(self) -> list[str]:
        """Return the tests whose absence fails a strict run."""
        return [test for test, reason in self.skipped if not reason.startswith(self._excuse)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skipped test; expected failures are another matter."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append((report.nodeid, _reason(report.longrepr)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that was skipped as a whole."""
        if report.skipped:
            self.skipped.append((report.nodeid, _reason(report.longrepr)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a green run red if a test is missing that must not be."""
        if self.is_strict and self.forbidden() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what did not run, and why."""
        if not self.skipped:
            return
        terminalreporter.section("NOT RUN HERE", sep="!", red=True, bold=True)
        for test, reason in sorted(set(self.skipped)):
            terminalreporter.line(f"{test}: {reason}")
        if self.is_strict and self.forbidden():
            terminalreporter.line("CI=true: these must run.", red=True)


def _reason(longrepr: object) -> str:
    text = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    """Watch in the process that reports, not in xdist's workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(SkipReport(os.environ, is_root=os.geteuid() == 0))
