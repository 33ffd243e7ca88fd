"""Functions and triggers as the migrations write them: the measure of those in the database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from django.db import connection

MIGRATIONS = (
    "0003_guards",
    "0007_review_guards",
    "0016_rights_guards",
    "0018_export_guards",
    "0022_four_eyes",
    "0024_past",
    "0026_price_guards",
    "0027_controls",
    "0029_export_job_guards",
    "0031_retention_guards",
    "0033_subject_guards",
    "0035_record_erasure_guards",
    "0037_record_run_guards",
    "0038_settled_records",
)
"""Those that make guards or watchers, in order: of two definitions the later one holds."""

FUNCTION = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION (?P<name>\w+)\(.*?AS \$body\$(?P<body>.*)\$body\$", re.DOTALL
)
TRIGGER = re.compile(
    r"CREATE (?:CONSTRAINT )?TRIGGER (?P<name>\w+) (?P<when>[A-Z ]+) ON (?P<table>\w+) .*"
    r"FOR EACH (?P<each>ROW|STATEMENT) EXECUTE FUNCTION (?P<function>\w+)\(\)"
)
BITS = {"ROW": 1, "BEFORE": 2, "INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
"""Of `pg_trigger.tgtype`: https://github.com/postgres/postgres, catalog/pg_trigger.h."""


@dataclass(frozen=True, slots=True)
class WrittenTrigger:
    """What a trigger runs, and when: `kind` is `pg_trigger.tgtype`."""

    function: str
    kind: int


@dataclass(frozen=True, slots=True)
class Written:
    """Bodies by the name of the function; triggers by table and name."""

    bodies: dict[str, str]
    triggers: dict[tuple[str, str], WrittenTrigger]


def written_guards(schema: str) -> Written:
    """Return what must stand in a schema, whose name comes quoted where it needs that."""
    written = Written({}, {})
    for statement in _statements(schema):
        if found := FUNCTION.search(statement):
            written.bodies[found["name"]] = found["body"]
        elif found := TRIGGER.match(statement):
            kind = sum(BITS.get(word, 0) for word in f"{found['when']} {found['each']}".split())
            place = found["table"], found["name"]
            written.triggers[place] = WrittenTrigger(found["function"], kind)
    return written


def _statements(schema: str) -> Iterator[str]:
    for name in MIGRATIONS:
        yield from import_module(f"verification.migrations.{name}").statements(schema, connection)
