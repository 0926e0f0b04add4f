"""The history's file: one SQLite database, to which each check adds one run and from which nothing is removed.

Its tables are for everybody's queries: run, variant, runtime and output, with the columns of `pycheck.types.history`
and the keys of the tables above them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import InputError, UsageError
from ..types import PastOutput, PastRun, PastRuntime, PastVariant

VERSION = 1
#: SQLite's mark of the application that a file belongs to: "pych".
_APPLICATION = 0x70796368
#: The most seconds to wait for another check that writes.
_TIMEOUT_S = 30.0

_SCHEMA = """
CREATE TABLE run (id TEXT PRIMARY KEY, at TEXT NOT NULL, label TEXT NOT NULL, pycheck_version TEXT NOT NULL,
    verdict TEXT NOT NULL, config TEXT NOT NULL);
CREATE TABLE variant (run TEXT NOT NULL REFERENCES run, name TEXT NOT NULL, verdict TEXT NOT NULL, model_sha256 TEXT,
    inputs_sha256 TEXT, artifact TEXT, artifact_bytes INTEGER, weights_sha256 TEXT, tflite_bytes INTEGER,
    tflite_sha256 TEXT, PRIMARY KEY (run, name));
CREATE TABLE runtime (run TEXT NOT NULL, variant TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, library TEXT,
    platform TEXT, renderer TEXT, flags TEXT, per_sample_s REAL, PRIMARY KEY (run, variant, id),
    FOREIGN KEY (run, variant) REFERENCES variant);
CREATE TABLE output (run TEXT NOT NULL, variant TEXT NOT NULL, runtime TEXT NOT NULL, name TEXT NOT NULL,
    max_abs_error REAL, share REAL, nonfinite INTEGER NOT NULL, top1_flips INTEGER, failed INTEGER NOT NULL,
    PRIMARY KEY (run, variant, runtime, name), FOREIGN KEY (run, variant, runtime) REFERENCES runtime);
"""
#: For each table: its type, the keys of the tables above it, and the field of its type that has the table below it.
_TABLES: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "run": (PastRun, (), "variants"),
    "variant": (PastVariant, ("run",), "runtimes"),
    "runtime": (PastRuntime, ("run", "variant"), "outputs"),
    "output": (PastOutput, ("run", "variant", "runtime"), ""),
}


def append(path: Path, run: PastRun) -> None:
    """Add a run, completely or not at all; the file is made if it does not exist.

    InputError if the file is not a history. UsageError if it cannot be written.
    """
    with _opened(path, writes=True) as database:
        _insert(database, "run", (), [run])


def check_writable(path: Path) -> None:
    """Raise what `append` would raise, before the work is done."""
    existed = path.exists()
    with _opened(path, writes=True):
        pass
    if not existed:
        path.unlink(missing_ok=True)


def read(path: Path) -> tuple[PastRun, ...]:
    """Read all runs, the earliest first. InputError if the file is not a history, or does not exist."""
    if not path.exists():
        raise InputError(f"There is no history at {path}.", f"To make one, run: pycheck check --history {path}")
    with _opened(path) as database:
        return tuple(sorted(_select(database, "run", {}), key=lambda run: (run.at, run.id)))


def merge(path: Path, others: Sequence[Path]) -> int:
    """Add the runs of other histories that this one does not have; return how many these are.

    InputError if one of the files is not a history; then nothing is added. UsageError if the file cannot be written.
    """
    found = {run.id: run for other in others for run in read(other)}
    with _opened(path, writes=True) as database:
        known = {id for (id,) in database.execute("SELECT id FROM run")}
        new = [run for id, run in found.items() if id not in known]
        _insert(database, "run", (), new)
    return len(new)


@contextmanager
def _opened(path: Path, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a history within one transaction; its errors become ours."""
    try:
        mode = "rwc" if writes else "ro"
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_TIMEOUT_S)
        with closing(connection) as database:
            database.isolation_level = None  # transactions begin and end here
            database.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            try:
                _check(database, path, writes=writes)
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise UsageError(
            f"Cannot {'write' if writes else 'read'} the history {path}: {error}.",
            "Name a file in an existing folder that you can write to, on a disk with enough space.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path} is not a history of pycheck: {error}.", "Name the file of --history.") from error


def _check(database: sqlite3.Connection, path: Path, *, writes: bool) -> None:
    """Make the tables of a new file; InputError for a file that is something else."""
    ((application,),) = database.execute("PRAGMA application_id")
    ((version,),) = database.execute("PRAGMA user_version")
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if writes and not tables and not application:
        for statement in _SCHEMA.split(";\n"):
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {_APPLICATION}")
        database.execute(f"PRAGMA user_version = {VERSION}")
    elif application != _APPLICATION:
        what = f"an SQLite file with the tables {', '.join(sorted(tables)[:3])}" if tables else "an empty SQLite file"
        raise InputError(f"{path} is not a history of pycheck: it is {what}.", "Name the file of --history.")
    elif version != VERSION:
        raise InputError(
            f"The history {path} has version {version}, but this pycheck reads {VERSION}.",
            "Use the pycheck version that wrote it, or start a new file.",
        )


def _columns(table: str) -> list[str]:
    kind, _, below = _TABLES[table]
    return [field.name for field in fields(kind) if field.name != below]


def _insert(database: sqlite3.Connection, table: str, above: tuple[str, ...], rows: Iterable[Any]) -> None:
    _, keys, below = _TABLES[table]
    columns = _columns(table)
    statement = f"INSERT INTO {table} VALUES ({', '.join('?' * (len(keys) + len(columns)))})"
    for row in rows:
        database.execute(statement, (*above, *(getattr(row, column) for column in columns)))
        if below:
            own = row.name if table == "variant" else row.id
            _insert(database, below.removesuffix("s"), (*above, own), getattr(row, below))


def _select(database: sqlite3.Connection, table: str, above: dict[str, str]) -> Iterator[Any]:
    kind, _, below = _TABLES[table]
    columns = _columns(table)
    where = " AND ".join(f"{key} = ?" for key in above) or "TRUE"
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE {where} ORDER BY rowid"
    for values in database.execute(query, tuple(above.values())).fetchall():
        row = dict(zip(columns, values, strict=True))
        if "failed" in row:
            row["failed"] = bool(row["failed"])  # SQLite has no booleans
        if below:
            own = row["name"] if table == "variant" else row["id"]
            row[below] = tuple(_select(database, below.removesuffix("s"), {**above, table: own}))
        yield kind(**row)
