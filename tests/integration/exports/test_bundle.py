"""A bundle shows that nothing was altered, added, dropped or moved, to somebody without us."""

import csv
import hashlib
import io
import json
import random
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.conftest import OpenToken
from tests.integration.exports.test_as_of import House, newest
from tests.integration.ledger.lives import LIVES, Lives, ahead, drain, seal
from verification.conf import get_conf
from verification.identifiers import uuid7
from verification.ledger import verify_export, verify_rows
from verification.ledger.canonical import parse
from verification.lifecycle import State
from verification.models import ApiClient, LedgerCheckpoint, LedgerEntry
from verification.selectors.attempts import AttemptQuery
from verification.selectors.export_columns import COLUMNS
from verification.selectors.export_form import FileForm, Layout, choose_columns
from verification.services.bundling import write_bundle
from verification.services.errors import UnprovableExportError
from verification.services.runtime import Runtime
from verification.services.sequencing import tend_log

pytestmark = pytest.mark.django_db(transaction=True)

Members = dict[str, bytes]


WHOLE: Members = {}


@pytest.fixture
def lives(client_app: ApiClient, runtime: Runtime, open_token: OpenToken) -> Lives:
    """Return what leads attempts through their lives."""
    return Lives(client_app, runtime, open_token)


@pytest.fixture
def every_life(lives: Lives) -> Lives:
    """Lead an attempt through each life, and seal the log."""
    for live in LIVES.values():
        live(lives)
    seal(lives.runtime)
    return lives


def made(lives: Lives, query: AttemptQuery | None = None, form: FileForm | None = None) -> Members:
    """Return the members of a bundle as of the newest checkpoint."""
    target = io.BytesIO()
    write_bundle(
        target,
        export=uuid7(lives.runtime.now()),
        query=query or AttemptQuery(),
        form=form or FileForm(),
        as_of=LedgerCheckpoint.objects.get(pk=newest()),
    )
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def checked(members: Members, path: Path, *more: str) -> tuple[int, str]:
    """Return exit code and report of the offline check."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    out = io.StringIO()
    vkey = str(get_conf().ledger_vkeys[0])
    arguments = [str(path), "--key", vkey, "--processes", "1", *more]
    return verify_export.main(arguments, out), out.getvalue()


def signed_off(members: Members) -> Members:
    """Return the members with a manifest that names them: an operator who lies does that, too."""
    manifest = json.loads(members["manifest.json"])
    manifest["files"] = {
        name: hashlib.sha256(members[name]).hexdigest() for name in manifest["files"]
    }
    manifest["rows"] = members["openings.txt"].count(b"\n")
    return {**members, "manifest.json": json.dumps(manifest).encode()}


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> Members:
    """Return the members of the bundle of every life: made once, for nothing here changes it."""
    if not WHOLE:
        WHOLE.update(made(request.getfixturevalue("every_life")))
    return dict(WHOLE)


def test_every_life_holds(every_life: Lives, tmp_path: Path) -> None:
    members = made(every_life)
    code, report = checked(members, tmp_path / "bundle.zip")
    assert code == 0, report
    assert f"{len(LIVES)} rows" in report
    assert "no row was altered, added, dropped or moved" in report
    assert "client, review_due_at" in report


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_holds(seed: int, lives: Lives, tmp_path: Path) -> None:
    house = House(lives, random.Random(seed))
    for minute in range(1, 5):
        for _ in range(house.chance.randrange(5, 15)):
            house.act()
        drain(lives.runtime)
        tend_log(runtime=ahead(lives.runtime, minute * 90))
        house.act()
        for state in (None, State.ANSWERED, State.ACCEPTED, State.IN_DOUBT, State.NOT_SENT):
            code, report = checked(made(lives, AttemptQuery(state=state)), tmp_path / "bundle.zip")
            assert code == 0, (minute, state, report)


def test_it_is_checked_without_us_by_three_files(every_life: Lives, tmp_path: Path) -> None:
    members = made(every_life)
    assert checked(members, tmp_path / "bundle.zip")[0] == 0
    source = Path(verify_export.__file__).parent
    for name in ("verify_export.py", "verify_proof.py", "verify_rows.py"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    vkey = str(every_life.runtime.conf.ledger_vkeys[0])
    command = [sys.executable, "verify_export.py", "bundle.zip", "--key", vkey, "--processes", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"The export holds" in done.stdout


@pytest.mark.parametrize(
    "names",
    [
        ["id"],
        ["id", "decision"],
        ["id", "evidence", "state"],
        ["id", "ref1_confidence", "reasons"],
        ["id", "client", "review_due_at", "created_at"],
    ],
)
def test_chosen_columns_open_no_more_than_they_need(
    names: list[str], every_life: Lives, tmp_path: Path
) -> None:
    members = made(every_life, form=FileForm(choose_columns(names)))
    assert checked(members, tmp_path / "bundle.zip")[0] == 0
    assert b"ONB" not in members["attempts.csv"] + members["openings.txt"]


def test_the_layout_for_excel_holds(every_life: Lives, tmp_path: Path) -> None:
    members = made(every_life, form=FileForm(layout=Layout.EXCEL))
    assert members["attempts.csv"].startswith(b"\xef\xbb\xbf")
    assert checked(members, tmp_path / "bundle.zip")[0] == 0


# What an operator would do who wants another file to hold, and names it in the manifest.


def _rows(members: Members) -> list[list[str]]:
    return list(csv.reader(io.StringIO(members["attempts.csv"].decode(), newline="")))


def _with_rows(members: Members, rows: list[list[str]]) -> Members:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    return {**members, "attempts.csv": out.getvalue().encode()}


def _lines(members: Members, name: str) -> list[bytes]:
    return members[name].splitlines(keepends=True)


def _without_row(members: Members, *, entries: str = "keep") -> Members:
    rows, openings = _rows(members), _lines(members, "openings.txt")
    gone = rows[3][0].encode()
    changed = _with_rows(members, rows[:3] + rows[4:])
    changed["openings.txt"] = b"".join(openings[:2] + openings[3:])
    kept = _lines(members, "entries.txt")
    if entries == "drop":
        kept = [line for line in kept if gone not in line]
    elif entries == "apart":
        index = b" " + gone + b" "
        others = [line.replace(index, b" - ", 1) for line in kept if index in line]
        kept = [line for line in kept if index not in line] + others
    changed["entries.txt"] = b"".join(kept)
    return changed


def _row_added(members: Members) -> Members:
    rows, openings = _rows(members), _lines(members, "openings.txt")
    invented = ["019c1374-5f9b-7c3a-9d3e-2f1a5b6c7d8e", *rows[3][1:]]
    changed = _with_rows(members, [*rows[:4], invented, *rows[4:]])
    changed["openings.txt"] = b"".join([*openings[:3], openings[2], *openings[3:]])
    return changed


def _row_doubled(members: Members) -> Members:
    rows, openings = _rows(members), _lines(members, "openings.txt")
    changed = _with_rows(members, [*rows, rows[-1]])
    changed["openings.txt"] = b"".join([*openings, openings[-1]])
    return changed


def _rows_swapped(members: Members) -> Members:
    rows, openings = _rows(members), _lines(members, "openings.txt")
    rows[2], rows[3] = rows[3], rows[2]
    openings[1], openings[2] = openings[2], openings[1]
    return {**_with_rows(members, rows), "openings.txt": b"".join(openings)}


def _cells_swapped(members: Members) -> Members:
    """Two attempts change their results, whole groups at a time, with what opens them."""
    rows, openings = _rows(members), [json.loads(each) for each in _lines(members, "openings.txt")]
    full = [at for at, each in enumerate(openings) if "result" in each["values"]]
    one = full[0]
    other = next(
        at for at in full if openings[at]["values"]["result"] != openings[one]["values"]["result"]
    )
    first, last = rows[0].index("result_code"), rows[0].index("result_message") + 1
    for each in (rows[0].index("outcome"), *range(first, last)):
        rows[one + 1][each], rows[other + 1][each] = rows[other + 1][each], rows[one + 1][each]
    values, others = openings[one]["values"], openings[other]["values"]
    values["result"], others["result"] = others["result"], values["result"]
    lines = "".join(json.dumps(each) + "\n" for each in openings)
    return {**_with_rows(members, rows), "openings.txt": lines.encode()}


def _filter_narrowed(members: Members) -> Members:
    """Say that less was asked for: what is there should then not be there."""
    manifest = json.loads(members["manifest.json"])
    manifest["query"]["state"] = "answered"
    return {**members, "manifest.json": json.dumps(manifest).encode()}


def _columns_renamed(members: Members) -> Members:
    manifest = json.loads(members["manifest.json"])
    at = manifest["columns"].index("created_at")
    manifest["columns"][at], manifest["columns"][at + 1] = (
        manifest["columns"][at + 1],
        manifest["columns"][at],
    )
    rows = _rows(members)
    rows[0][at], rows[0][at + 1] = rows[0][at + 1], rows[0][at]
    changed = _with_rows(members, rows)
    return {**changed, "manifest.json": json.dumps(manifest).encode()}


def _entry_doubled(members: Members) -> Members:
    lines = _lines(members, "entries.txt")
    return {**members, "entries.txt": b"".join([*lines, lines[-1]])}


def _entry_rewritten(members: Members) -> Members:
    changed = members["entries.txt"].replace(b'"state":"answered"', b'"state":"rejected"', 1)
    return {**members, "entries.txt": changed}


def _log_shortened(members: Members) -> Members:
    """Leave out the newest entries, as if the log had ended before."""
    lines = _lines(members, "entries.txt")
    return {**members, "entries.txt": b"".join(lines[:-1])}


def _reveal_put_apart(members: Members) -> Members:
    """Say of a reveal, which is in no cell, that it is about no attempt of the period."""
    lines = _lines(members, "entries.txt")
    at = next(at for at, line in enumerate(lines) if b'"kind":"evidence.revealed"' in line)
    apart = lines.pop(at)
    index, _, raw = apart.split(b" ", 2)
    return {**members, "entries.txt": b"".join([*lines, b" ".join((index, b"-", raw))])}


def _result_put_elsewhere(members: Members) -> Members:
    """Tell what settled an attempt behind the entries of others."""
    lines = _lines(members, "entries.txt")
    at = next(at for at, line in enumerate(lines) if b'"kind":"attempt.settled"' in line)
    apart = lines.pop(at)
    end = next(at for at, line in enumerate(lines) if line.split(b" ")[1] == b"-")
    return {**members, "entries.txt": b"".join([*lines[:end], apart, *lines[end:]])}


def _cell_with_a_line_break(members: Members) -> Members:
    rows = _rows(members)
    rows[2][rows[0].index("biz_no")] += "\n"
    return _with_rows(members, rows)


def _row_behind_a_carriage_return(members: Members) -> Members:
    """Hide a second row in the line of a first one, where some readers end a row."""
    *rows, last = _lines(members, "attempts.csv")
    hidden = last[:-1] + b"\r" + last
    return {**members, "attempts.csv": b"".join([*rows, hidden])}


def _value_not_told(members: Members) -> Members:
    openings = [json.loads(each) for each in _lines(members, "openings.txt")]
    del openings[1]["values"]["biz_no"]
    lines = "".join(json.dumps(each) + "\n" for each in openings)
    return {**members, "openings.txt": lines.encode()}


def _digest_shortened(members: Members) -> Members:
    rows = _rows(members)
    at = rows[0].index("evidence")
    row = next(row for row in rows[1:] if row[at])
    items = json.loads(row[at])
    items[0]["sha256"] = items[0]["sha256"][:-2]
    row[at] = json.dumps(items)
    return _with_rows(members, rows)


ATTACKS: dict[str, tuple[Callable[[Members], Members], str]] = {
    "a row dropped": (_without_row, "the file lacks it"),
    "a row and its entries dropped": (
        lambda members: _without_row(members, entries="drop"), "is missing",
    ),
    "a row dropped, its entries put apart": (
        lambda members: _without_row(members, entries="apart"), "is not accounted for",
    ),
    "a row added": (_row_added, "in no place that the log gives it"),
    "a row doubled": (_row_doubled, "in no place that the log gives it"),
    "two rows swapped": (_rows_swapped, "in no place that the log gives it"),
    "results swapped with their openings": (_cells_swapped, "not what was committed to"),
    "a narrower filter named": (_filter_narrowed, "the file holds it, and should not"),
    "two columns renamed": (_columns_renamed, "but the log says"),
    "a reveal put apart": (_reveal_put_apart, "entries apart"),
    "a result put elsewhere": (_result_put_elsewhere, "entries apart"),
    "a line break in a cell": (_cell_with_a_line_break, "biz_no is"),
    "a row behind a carriage return": (_row_behind_a_carriage_return, "more than one row"),
    "a value not told": (_value_not_told, "biz_no is told wrongly"),
    "a digest shortened": (_digest_shortened, "a digest is missing, or is none"),
    "an entry doubled": (_entry_doubled, "twice"),
    "an entry rewritten": (_entry_rewritten, ""),
    "the log shortened": (_log_shortened, "is missing"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_named(attack: str, whole: Members, tmp_path: Path) -> None:
    change, sentence = ATTACKS[attack]
    code, report = checked(signed_off(change(whole)), tmp_path / "bundle.zip")
    assert code == 1, report
    assert "does NOT hold" in report
    assert sentence in report


def test_every_cell_is_held_against_the_log(whole: Members, tmp_path: Path) -> None:
    """Change each cell of each row in turn; only what is named as unproven may pass."""
    members = whole
    rows = _rows(members)
    passed: set[str] = set()
    for at, name in enumerate(rows[0]):
        for line in range(1, len(rows)):
            changed = [list(each) for each in rows]
            changed[line][at] = "0" if changed[line][at] != "0" else "1"
            attacked = signed_off(_with_rows(members, changed))
            if checked(attacked, tmp_path / "bundle.zip")[0] == 0:
                passed.add(name)
    assert passed == {"review_due_at"}


def test_another_log_and_another_checkpoint_are_refused(every_life: Lives, tmp_path: Path) -> None:
    members = made(every_life)
    older = bytes(LedgerCheckpoint.objects.earliest("size").note)
    every_life.settled()
    drain(every_life.runtime)
    tend_log(runtime=ahead(every_life.runtime, 200))
    newer = bytes(LedgerCheckpoint.objects.latest("size").note)
    path = tmp_path / "bundle.zip"
    assert checked({**members, "checkpoint.txt": newer}, path)[0] == 1
    if older != members["checkpoint.txt"]:
        assert checked({**members, "checkpoint.txt": older}, path)[0] == 1
    forged = members["checkpoint.txt"].replace(b"\xe2\x80\x94 ", b"\xe2\x80\x94 x", 1)
    assert checked({**members, "checkpoint.txt": forged}, path)[0] == 1


def test_a_file_that_is_not_the_one_of_the_manifest_is_refused(
    whole: Members, tmp_path: Path
) -> None:
    members = whole
    members["attempts.csv"] += b"\n"
    code, report = checked(members, tmp_path / "bundle.zip")
    assert (code, "attempts.csv" in report) == (1, True)


def test_a_line_without_an_end_cannot_be_read(whole: Members, tmp_path: Path) -> None:
    members = whole
    long = {**members, "entries.txt": members["entries.txt"] + b"x" * 2**21 + b"\n"}
    code, report = checked(long, tmp_path / "bundle.zip")
    assert (code, "entries.txt: a line is too long" in report) == (2, True)


@pytest.mark.parametrize("name", ["manifest.json", "checkpoint.txt", "entries.txt", "README.txt"])
def test_a_bundle_that_lacks_a_member_cannot_be_read(
    name: str, whole: Members, tmp_path: Path
) -> None:
    members = whole
    del members[name]
    assert checked(members, tmp_path / "bundle.zip")[0] == 2


def test_a_period_begins_behind_a_heartbeat_that_shows_it(lives: Lives, tmp_path: Path) -> None:
    for days in (-9, -8):
        lives_then = Lives(lives.client, ahead(lives.runtime, days * 86_400), lives.open_token)
        lives_then.settled()
        drain(lives_then.runtime)
        tend_log(runtime=lives_then.runtime)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE django_migrations SET applied = applied - interval '30 days'"
            " WHERE name = '0024_past'"
        )
    lives.settled()
    seal(lives.runtime)
    since = datetime.now(UTC) - timedelta(days=2)
    members = made(lives, AttemptQuery(created_from=since))
    manifest = json.loads(members["manifest.json"])
    assert manifest["first"] > 0
    assert len(manifest["frontier"]) == manifest["first"].bit_count()
    code, report = checked(members, tmp_path / "bundle.zip")
    assert (code, "1 rows" in report) == (0, True), report
    # An earlier beginning than the heartbeat shows is refused, and so is none.
    for since_then in ("2020-01-01T00:00:00.000000Z", None):
        manifest["query"]["since"] = since_then
        attacked = {**members, "manifest.json": json.dumps(manifest).encode()}
        code, report = checked(attacked, tmp_path / "bundle.zip")
        assert (code, "begin too late" in report) == (1, True), report
    for columns in (["id", {}], ["state", "id"], {"id": "x"}):
        attacked = {
            **members,
            "manifest.json": json.dumps({**manifest, "columns": columns}).encode(),
        }
        code, report = checked(attacked, tmp_path / "bundle.zip")
        assert (code, "the manifest is not" in report) == (2, True), report


@pytest.mark.parametrize(
    ("query", "form"),
    [
        (AttemptQuery(biz_no="ONB-1"), FileForm()),
        (AttemptQuery(result_code=1000), FileForm()),
        (AttemptQuery(), FileForm(layout=Layout.JSONL)),
        (AttemptQuery(), FileForm(is_gzipped=True)),
        (AttemptQuery(), FileForm(COLUMNS[1:])),
    ],
)
def test_what_cannot_be_shown_is_not_promised(
    query: AttemptQuery, form: FileForm, every_life: Lives
) -> None:
    with pytest.raises(UnprovableExportError):
        made(every_life, query, form)


def test_the_command_writes_a_bundle_and_what_checks_it(every_life: Lives, tmp_path: Path) -> None:
    bundle, verifier = tmp_path / "bundle.zip", tmp_path / "verifier"
    reported = io.StringIO()
    call_command(
        "attempts_bundle", f"--output={bundle}", f"--verifier={verifier}", "--by=anna", "--excel",
        stderr=reported,
    )  # fmt: skip
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    size, vkey = newest(), str(every_life.runtime.conf.ledger_vkeys[0])
    command = [sys.executable, "verify_export.py", str(bundle), "--key", vkey]
    done = subprocess.run(command, cwd=verifier, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    drain(every_life.runtime)
    created, completed = (
        parse(bytes(LedgerEntry.objects.filter(kind=kind).latest("index").raw))
        for kind in ("export.created", "export.completed")
    )
    assert created["export"] == completed["export"]
    assert (created["by"], created["layout"], created["as_of"]) == ("anna", "excel", size)
    with zipfile.ZipFile(bundle) as archive:
        content = archive.read("attempts.csv")
    assert completed["sha256"] == hashlib.sha256(content).hexdigest()
    assert (completed["rows"], completed["size_bytes"]) == (len(LIVES), len(content))
    assert f"{len(LIVES)} rows, SHA-256 {completed['sha256']}" in reported.getvalue()
    with pytest.raises(CommandError, match="--force"):
        call_command("attempts_bundle", f"--output={bundle}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--columns", "state"], "need their id"),
        (["--as-of", "4711"], "no checkpoint of that size"),
        (["--client", "nobody"], "no API client"),
    ],
)
def test_a_bundle_that_cannot_be_made_says_why_and_is_not_recorded(
    arguments: list[str], sentence: str, every_life: Lives, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("attempts_bundle", f"--output={tmp_path / 'a.zip'}", *arguments)
    assert list(tmp_path.iterdir()) == []
    drain(every_life.runtime)
    assert not LedgerEntry.objects.filter(kind="export.created").exists()


def _with_manifest(members: Members, **changes: object) -> Members:
    manifest = {**json.loads(members["manifest.json"]), **changes}
    return {**members, "manifest.json": json.dumps(manifest).encode()}


UNREADABLE: dict[str, Callable[[Members], Members]] = {
    "a line cut off": lambda each: {**each, "entries.txt": each["entries.txt"][:-1]},
    "a column named otherwise": lambda each: {
        **each, "attempts.csv": each["attempts.csv"].replace(b"outcome", b"result", 1),
    },
    "a long manifest": lambda each: {**each, "manifest.json": b" " * (2**24 + 1)},
    "an unknown member": lambda each: _with_manifest(each, more=1),
    "an empty log": lambda each: _with_manifest(each, size=0),
    "a frontier too many": lambda each: _with_manifest(
        each, frontier=["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_not_of_its_form_cannot_be_read(
    name: str, every_life: Lives, tmp_path: Path
) -> None:
    members = signed_off(made(every_life))
    changed = UNREADABLE[name](members)
    if name in {"a line cut off", "a column named otherwise"}:
        changed = signed_off(changed)
    code, report = checked(changed, tmp_path / "bundle.zip")
    assert (code, "Cannot be read" in report) == (2, True), report


@pytest.mark.parametrize("line", [b'{"kind": "heartbeat"}', b'{"at":1.5,"kind":"heartbeat"}'])
def test_an_entry_that_is_not_canonical_is_named(
    line: bytes, every_life: Lives, tmp_path: Path
) -> None:
    members = made(every_life)
    lines = _lines(members, "entries.txt")
    lines[-1] = lines[-1].split(b" - ")[0] + b" - " + line + b"\n"
    attacked = signed_off({**members, "entries.txt": b"".join(lines)})
    code, report = checked(attacked, tmp_path / "bundle.zip")
    assert (code, "not of its form" in report) == (1, True), report


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_large_bundle_is_checked_in_pieces(
    processes: str, every_life: Lives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_export, "CHUNK", 2)
    members = made(every_life)
    code, report = checked(members, tmp_path / "bundle.zip", "--processes", processes)
    assert (code, f"{len(LIVES)} rows" in report) == (0, True), report


def test_members_of_groups_are_read_as_they_stand() -> None:
    assert verify_rows.members_of('[1.50, {"a": 1.0}, null]', "xyz") == ["1.50", '{"a": 1.0}', None]
    with pytest.raises(ValueError, match="not the list"):
        verify_rows.members_of("[1]", "xy")
    with pytest.raises(ValueError, match="opening"):
        verify_rows.Opening(b'{"id": "x", "values": {}}')
