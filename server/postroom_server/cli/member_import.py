"""`postroom member import`: a CSV file, in batches, with a report of what was refused."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click
import grpc

from postroom.v1 import directory_service_pb2, directory_service_pb2_grpc, member_pb2, refusal_pb2
from postroom_server.cli.connection import Connection, connected
from postroom_server.cli.display import one_line
from postroom_server.cli.failure import CommandFailedError
from postroom_server.cli.import_screen import ImportScreen
from postroom_server.cli.member_csv import CsvFile, Line, UnusableFileError
from postroom_server.cli.member_line import REQUIRED, Problem, column_of, member_of
from postroom_server.cli.refused_lines import RefusedFile

_MOST_MEMBERS = 1000
_MOST_BYTES = 4 << 20  # of a batch: a server takes 26 MiB in all
_MOST_TOLD = 20  # refused lines, where a file has them all


@dataclasses.dataclass(slots=True)
class _Batch:
    lines: list[Line] = dataclasses.field(default_factory=list)
    members: list[member_pb2.Member] = dataclasses.field(default_factory=list)
    refused: list[tuple[Line, list[Problem]]] = dataclasses.field(default_factory=list)
    size: int = 0

    def add(self, line: Line, member: member_pb2.Member) -> None:
        self.lines.append(line)
        self.members.append(member)
        self.size += member.ByteSize()

    def refuse(self, line: Line, problems: list[Problem]) -> None:
        self.refused.append((line, problems))
        self.size += len(line.raw)

    @property
    def count(self) -> int:
        return len(self.members) + len(self.refused)

    @property
    def is_full(self) -> bool:
        return self.count >= _MOST_MEMBERS or self.size >= _MOST_BYTES


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--refused",
    "refused_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Writes the refused lines to this file, each with its reason: mend it and import it.",
)
@connected
def import_(connection: Connection, *, file: BinaryIO, refused_file: Path | None) -> None:
    """Stores the members of a CSV file; a known user id is replaced whole.

    The first line names the columns: user_id and address, and if wanted language, enabled, dept_ids,
    group_ids, policy_codes, to_policy_codes (several in a cell with ; or | between them) and attributes (a
    JSON object). Every other column is an attribute of its name. UTF-8. FILE may be - for standard input.

    What is refused is told with its line and column, and the rest is stored; the command then ends with 1.
    Importing a file again does no harm.
    """
    if refused_file is not None and _is_same(file, refused_file):
        raise click.UsageError("--refused names the file that is imported: choose another")
    try:
        source = CsvFile(file)
        _check_columns(source.columns)
    except UnusableFileError as error:
        raise CommandFailedError(f"{one_line(file.name)}: {one_line(str(error))}") from None
    try:
        with ImportScreen(_size(file)) as screen, RefusedFile(refused_file, source.columns) as refused:
            run = _Import(connection, source, screen, refused)
            run.all()
    except OSError as error:
        raise CommandFailedError(f"the import has stopped: {error}; import the file again") from None
    click.echo(f"{run.created + run.updated} stored: {run.created} new, {run.updated} known before")
    if run.refused:
        where = f"; {refused_file} has them" if refused_file is not None else ""
        lines = "1 line is" if run.refused == 1 else f"{run.refused} lines are"
        raise CommandFailedError(f"{lines} refused{where}")


class _Import:
    """Sends batches one by one, each while the next is read. In order: of equal user ids the last stays."""

    def __init__(
        self, connection: Connection, source: CsvFile, screen: ImportScreen, refused_file: RefusedFile
    ) -> None:
        self._stub = connection.stub(directory_service_pb2_grpc.DirectoryServiceStub)
        self._source = source
        self._screen = screen
        self._refused_file = refused_file
        self._lines = self.refused = self.created = self.updated = 0

    def all(self) -> None:
        under_way: tuple[_Batch, Any] | None = None
        for batch in self._batches():
            if under_way is not None:
                self._settle(*under_way)
            under_way = batch, self._send(batch)
        if under_way is not None:
            self._settle(*under_way)

    def _batches(self) -> Iterator[_Batch]:
        batch = _Batch()
        for line in self._source.lines():
            if line.problem:
                batch.refuse(line, [("", line.problem)])
            else:
                member, problems = member_of(self._source.columns, line.cells)
                if problems:
                    batch.refuse(line, problems)
                else:
                    batch.add(line, member)
            if batch.is_full:
                yield batch
                batch = _Batch()
        if batch.count:
            yield batch

    def _send(self, batch: _Batch) -> Any:
        if not batch.members:
            return None
        request = directory_service_pb2.BatchUpsertMembersRequest(members=batch.members)
        return self._stub.BatchUpsertMembers.future(request)

    def _settle(self, batch: _Batch, call: Any) -> None:
        refused = batch.refused
        if call is not None:
            answer = self._answer(call)
            self.created += answer.created_count
            self.updated += answer.updated_count
            refused = refused + [
                (batch.lines[one.index], _problems(one.refusal, self._source.columns))
                for one in answer.refused
            ]
        for line, problems in sorted(refused, key=lambda one: one[0].number):
            self._refuse(line, problems)
        self._lines += batch.count
        self._screen.advance(self._source.bytes_read, self._lines, self.refused)

    def _answer(self, call: Any) -> directory_service_pb2.BatchUpsertMembersResponse:
        try:
            return call.result()  # type: ignore[no-any-return]
        except grpc.RpcError:
            if stored := self.created + self.updated:
                self._screen.say(f"{stored} were stored before; import the file again")
            raise

    def _refuse(self, line: Line, problems: Sequence[Problem]) -> None:
        self.refused += 1
        told = [one_line(": ".join(filter(None, problem))) for problem in problems]
        self._refused_file.write(line, "; ".join(told))
        if self.refused <= _MOST_TOLD or not self._refused_file.is_kept:
            for text in told:
                self._screen.say(f"line {line.number}: {text}")
        elif self.refused == _MOST_TOLD + 1:
            self._screen.say("the other refused lines are told in the file only")


def _problems(refusal: refusal_pb2.Refusal, columns: Sequence[str]) -> list[Problem]:
    found = [(column_of(one.field, columns), one.description) for one in refusal.violations]
    return found or [("", refusal.message)]


def _check_columns(columns: Sequence[str]) -> None:
    for column in REQUIRED:
        if column not in columns:
            raise UnusableFileError(
                f"the first line names no column {column}, but {', '.join(columns)}; "
                "commas are between the cells"
            )


def _is_same(file: BinaryIO, path: Path) -> bool:
    return path.exists() and Path(file.name).exists() and path.samefile(file.name)


def _size(file: BinaryIO) -> int | None:
    """The size of a regular file; None for a pipe, whose end nobody knows."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
