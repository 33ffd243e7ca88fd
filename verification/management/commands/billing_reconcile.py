"""`billing_reconcile FILE --month 2026-11`: hold the vendor's bill against the record."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from verification.billing.bills import BillError, Layout
from verification.billing.comparing import Finding, Terms
from verification.billing.prices import CallKind, PriceError, read_currency
from verification.management.billing import month_argument
from verification.management.operator import operator
from verification.management.output_file import OutputExistsError, replaced_when_complete
from verification.services.reconciling import (
    AGREE,
    CALLS,
    LINES,
    Reconciliation,
    Write,
    reconcile_bill,
)
from verification.services.runtime import get_runtime

DIFFERENT, NOT_UNDERSTOOD = 1, 2
KINDS = {
    "verify": frozenset({CallKind.VERIFY}),
    "biz_token": frozenset({CallKind.BIZ_TOKEN}),
    "both": frozenset(CallKind),
}
TOLD = {
    LINES: "lines of theirs",
    CALLS: "calls of ours in the month",
    AGREE: "agree",
    Finding.ONLY_OURS: "only we have",
    Finding.ONLY_THEIRS: "only they have",
    Finding.TWICE: "they have more often than we",
    Finding.OTHER_MONTH: "are of another month by our clock",
    Finding.BILLED: "are billed otherwise than by the contract",
    Finding.BILLED_NOT_KNOWN: "are billed, and the contract does not say so",
    Finding.AMOUNT: "have another amount",
    Finding.CURRENCY: "have a price in another currency",
    Finding.NO_PRICE: "have no price in the list",
    Finding.CODE: "have another code",
    Finding.WITHOUT_ID: "of ours have no request id: nobody can tell (no difference)",
}


class Command(BaseCommand):
    """Changes nothing but the log, which gets an entry about the run."""

    help = "Hold the vendor's usage file of a month of UTC against the record, call by call."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the file, what its columns are called, and where to write."""
        parser.add_argument("file", type=Path, metavar="FILE", help="CSV, UTF-8, with a header")
        parser.add_argument("--month", type=month_argument, required=True, metavar="YYYY-MM")
        parser.add_argument("--request-id-column", required=True, metavar="NAME")
        parser.add_argument("--billed-column", metavar="NAME")
        parser.add_argument("--billed-yes", default="yes", metavar="TEXT")
        parser.add_argument("--billed-no", default="no", metavar="TEXT")
        parser.add_argument("--amount-column", metavar="NAME", help="needs --currency")
        parser.add_argument("--currency", metavar="CODE", help="of the amounts, as USD")
        parser.add_argument("--code-column", metavar="NAME")
        parser.add_argument(
            "--calls", choices=list(KINDS), default="verify", help="which calls the file lists"
        )
        parser.add_argument(
            "--lists",
            choices=["all", "billed"],
            default="all",
            help="billed: the file has no line for what is not billed",
        )
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="what was found, as CSV, for its owner only"
        )
        parser.add_argument("--force", action="store_true", help="replace the output if it exists")

    def handle(self, *_: Any, **options: Any) -> None:
        """Exit 0 when both agree, 1 when they differ, 2 when that cannot be told."""
        layout, terms = _layout(options), _terms(options)
        try:
            with options["file"].open("rb") as file:
                found = _compared(file, layout, terms, options)
        except BillError as error:
            raise CommandError(str(error), returncode=NOT_UNDERSTOOD) from error
        except OutputExistsError as error:
            sentence = f"{error}; --force replaces it"
            raise CommandError(sentence, returncode=NOT_UNDERSTOOD) from error
        except (DatabaseError, OSError) as error:
            sentence = f"The comparison did not complete: {type(error).__name__}"
            raise CommandError(sentence, returncode=NOT_UNDERSTOOD) from error
        for name, words in TOLD.items():
            if name in (LINES, CALLS, AGREE) or found.counts.get(name):
                self.stdout.write(f"{found.counts.get(name, 0):>12,}  {words}")
        self.stdout.write(f"SHA-256 of the file: {found.file_sha256}")
        if not found.agrees:
            raise SystemExit(DIFFERENT)


def _compared(
    file: BinaryIO, layout: Layout, terms: Terms, options: dict[str, Any]
) -> Reconciliation:
    def compared(write: Write) -> Reconciliation:
        return reconcile_bill(
            file=file,
            layout=layout,
            terms=terms,
            month=options["month"],
            kinds=KINDS[options["calls"]],
            by=operator(),
            runtime=get_runtime(),
            write=write,
        )

    if options["output"] is None:
        return compared(lambda _line: None)
    with replaced_when_complete(options["output"], force=options["force"]) as out:
        return compared(out.write)


def _layout(options: dict[str, Any]) -> Layout:
    if options["billed_yes"] == options["billed_no"]:
        raise CommandError("--billed-yes and --billed-no are the same", returncode=NOT_UNDERSTOOD)
    return Layout(
        request_id=options["request_id_column"],
        billed=options["billed_column"],
        amount=options["amount_column"],
        code=options["code_column"],
        yes=options["billed_yes"],
        no=options["billed_no"],
    )


def _terms(options: dict[str, Any]) -> Terms:
    if (options["amount_column"] is None) != (options["currency"] is None):
        raise CommandError(
            "--amount-column and --currency need each other", returncode=NOT_UNDERSTOOD
        )
    if options["lists"] == "billed" and options["billed_column"]:
        raise CommandError(
            "--lists billed has every line billed: leave --billed-column out",
            returncode=NOT_UNDERSTOOD,
        )
    try:
        currency = read_currency(options["currency"]) if options["currency"] else None
    except PriceError as error:
        raise CommandError(str(error), returncode=NOT_UNDERSTOOD) from error
    return Terms(
        has_amount=options["amount_column"] is not None,
        has_code=options["code_column"] is not None,
        currency=currency,
        lists_billed_only=options["lists"] == "billed",
    )
