"""`python -m bench [NAME...]` prints ratios against targets; see docs/reference/benchmarks.md."""

import argparse
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from bench.bundle import bundle
from bench.costs import costs
from bench.csv_export import csv_export
from bench.dashboard import dashboard
from bench.exports import exports
from bench.latency import submit_latency
from bench.ledger import judged_submit, ledger_lag, ledger_proof, ledger_submit, ledger_verify
from bench.lists import lists
from bench.memory import submit_memory
from bench.policy import policy_replay
from bench.report import Finding, load_line, machine_line
from bench.site import BenchError, Site, describe_database, new_site
from bench.throughput import submit_throughput

Benchmark = Callable[..., list[Finding]]

BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        "latency": submit_latency,
        "throughput": submit_throughput,
        "memory": submit_memory,
        "csv": csv_export,
        "exports": exports,
        "bundle": bundle,
        "lists": lists,
        "judged-submit": judged_submit,
        "ledger-submit": ledger_submit,
        "ledger-lag": ledger_lag,
        "ledger-verify": ledger_verify,
        "ledger-proof": ledger_proof,
        "policy-replay": policy_replay,
        "dashboard": dashboard,
        "costs": costs,
    }
)


def main(arguments: list[str]) -> int:
    """Run what was asked for, each on a fresh database; 1 if --strict and a target was missed."""
    options = _parser().parse_args(arguments)
    missed = 0
    for number, name in enumerate(options.names or BENCHMARKS):
        with new_site() as site:
            if number == 0:
                print(machine_line(describe_database(site)), flush=True)
            missed += _print_findings(BENCHMARKS[name], site, quick=options.quick)
    if missed:
        print(f"**** {missed} target(s) missed ****", flush=True)
    return 1 if missed and options.strict else 0


def _print_findings(benchmark: Benchmark, site: Site, *, quick: bool) -> int:
    """Run one benchmark; return how many targets it missed."""
    findings = benchmark(site, quick=quick)
    for finding in findings:
        print(finding.line(), flush=True)
    print(load_line(), flush=True)
    return sum(not finding.is_met for finding in findings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    # Not `choices`: it refuses an empty list, which means all of them.
    parser.add_argument("names", nargs="*", type=_name, help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, fewer rows")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a target is missed")
    return parser


def _name(text: str) -> str:
    if text not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(BENCHMARKS)}")
    return text


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchError as error:
        sys.exit(f"bench: {error}")
