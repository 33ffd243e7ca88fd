"""Nothing that staff read in the admin stands unwrapped in a module or a template."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.base import Lexer, Token, TokenType

from project import messages
from verification.services import errors

ADMIN = messages.ROOT / "verification" / "admin"
TEMPLATES = (messages.ROOT / "templates", messages.ROOT / "verification" / "templates")

WRAPPERS = {name.split(".")[-1] for name in messages.KEYWORDS}
SILENT = {"Http404", "ParamSpec", "TypeVar", "cast", "get"}
"""Calls whose strings nobody reads on a page."""
LOGGING = {"info", "warning", "error", "exception", "debug"}
ENGLISH = re.compile(r"[A-Za-z]{2,},? [a-z]{2,}\b(?!-)|^[A-Z][a-z]{2,}(?![A-Za-z]*-[A-Z])")
WORD = re.compile(r"[^\W\d_]{2,}")
MARKUP = re.compile(r"<[^>]*>|\{[^}]*\}|&\w+;")
SAID_BY = ("aria-label", "alt", "title", "placeholder", "data-label")

NAMES = {"SHA-256", "UTC"}
"""Proper names, which stay as they are in every language."""


class _Strings(ast.NodeVisitor):
    """Collects the strings of a module that could be read and are not given to a wrapper."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for each in node.values:
            self.visit(each)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        """Annotations are types."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """For programmers."""

    def visit_Call(self, node: ast.Call) -> None:
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in WRAPPERS | SILENT | LOGGING:
            return
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            shown = MARKUP.sub(" ", node.value).strip()
            if ENGLISH.search(shown) and shown not in NAMES:
                self.found.append((node.lineno, shown))


class _Texts(HTMLParser):
    """Collects the words between tags, and in the attributes that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.is_silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_silent = tag in {"script", "style", "code", "kbd"}
        self.found += [value for name, value in attrs if name in SAID_BY and value]

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self.is_silent = False

    def handle_data(self, data: str) -> None:
        if not self.is_silent:
            self.found.append(data)


def _strings(source: str) -> list[tuple[int, str]]:
    visitor = _Strings()
    visitor.visit(ast.parse(source))
    return visitor.found


def _texts(source: str) -> list[str]:
    parser = _Texts()
    parser.feed("".join(_bare(Lexer(source).tokenize())))
    words = (" ".join(each.split()) for each in parser.found)
    return [each for each in words if WORD.search(each) and each not in NAMES]


def _bare(tokens: list[Token]) -> Iterator[str]:
    """Yield the markup of a template without what it computes, translates, or names for styles."""
    closing = ""
    for token in tokens:
        words = token.contents.split() if token.token_type == TokenType.BLOCK else []
        if closing:
            closing = "" if words and words[0] == closing else closing
        elif words:
            closing = _closing(words)
            yield from _given(words, token.contents)
        elif token.token_type == TokenType.VAR and "pluralize" in token.contents:
            yield "<p>pluralize</p>"
        elif token.token_type == TokenType.TEXT:
            yield token.contents


def _closing(words: list[str]) -> str:
    """Return the tag that ends a stretch which is not looked at; empty if none begins."""
    if words[0].startswith("blocktrans"):
        return f"end{words[0]}"
    return "endblock" if words[:2] == ["block", "bodyclass"] else ""


def _given(words: list[str], tag: str) -> Iterator[str]:
    """Yield the texts that a tag hands to an included template."""
    _name, _with, given = tag.partition(" with ")
    if words[0] == "include":
        texts = (each for each in re.findall(r'="([^"]*)"', given) if each != each.lower())
        yield from (f"<p>{each}</p>" for each in texts)


SERVICES = sorted((messages.ROOT / "verification" / "services").glob("*.py"))
NOT_ON_PAGES = {
    "AttemptInFlightError",
    "AttemptNotSentError",
    "ForeignTokenError",
    "IdempotencyKeyReusedError",
    "InvalidKeyError",
    "LedgerRefusalError",
    "NotInDoubtError",
    "PacketMismatchError",
    "RoleRefusedError",
}
"""What only callers of the API and operators get to read."""
ON_PAGES = {
    name
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, errors.ServiceError)
} - NOT_ON_PAGES


def _refusals(source: str) -> list[tuple[int, str]]:
    """Return the sentences of refusals that are not given to a wrapper."""
    calls = (each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.Call))
    return [
        (call.lineno, ast.unparse(call.args[0]))
        for call in calls
        if getattr(call.func, "id", "") in ON_PAGES
        and call.args
        and isinstance(call.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)
    ]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_wraps_why_it_refuses(path: Path) -> None:
    assert _refusals(path.read_text()) == []


@pytest.mark.parametrize("path", sorted(ADMIN.glob("*.py")), ids=lambda path: path.name)
def test_a_module_of_the_admin_wraps_what_it_says(path: Path) -> None:
    assert _strings(path.read_text()) == []


@pytest.mark.parametrize(
    "path",
    sorted(each for root in TEMPLATES for each in root.rglob("*.html")),
    ids=lambda path: path.name,
)
def test_a_template_wraps_what_it_says(path: Path) -> None:
    assert _texts(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('title = "Check of a record"', ["Check of a record"]),
        ('title = _("Check of a record")', []),
        ('"""Docstrings are for programmers."""\nlogger.error("it broke here")', []),
        ('f"{n} entries of it"', ["entries of it"]),
        ('format_html("<b>{}</b> and more", n)', ["and more"]),
        ('LABELS = {"Some key": "revealed"}', []),
    ],
)
def test_the_search_finds_what_is_unwrapped_in_a_module(source: str, found: list[str]) -> None:
    assert [text for _line, text in _strings(source)] == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Two words</p>", ["Two words"]),
        ('<p title="Seen by {{ who }}">1</p>', ["Seen by"]),
        ('{% translate "Two words" %} <code>ledger_verify</code> ·', []),
        ("{% blocktranslate %}by {{ who }}{% endblocktranslate %} &middot;", []),
        ('{% include "a.html" with label="Attempts" %}', ["Attempts"]),
        ("{{ n }}{{ n|pluralize }}", ["pluralize"]),
        ("{% block bodyclass %}records{% endblock %}", []),
    ],
)
def test_the_search_finds_what_is_unwrapped_in_a_template(source: str, found: list[str]) -> None:
    assert _texts(source) == found


def test_the_search_finds_a_refusal_that_is_put_together() -> None:
    assert _refusals('raise BadReasonError(f"At most {MOST}.")') != []
    assert _refusals('raise BadReasonError(_("At most %(most)s."), {"most": MOST})') == []
