"""Reading members out of CSV: what is broken costs its own line, and every line is accounted for."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom_server.cli import member_csv
from postroom_server.cli.member_csv import CsvFile, UnusableFileError


def read(data: bytes, header: bytes = b"user_id,address,name\n") -> list[tuple[int, Any]]:
    """By line: its cells, or its problem."""
    return [
        (one.number, one.problem or list(one.cells)) for one in CsvFile(io.BytesIO(header + data)).lines()
    ]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"1,a@x.test,Ann\n", [(2, ["1", "a@x.test", "Ann"])]),
        (b"1,a@x.test,Ann", [(2, ["1", "a@x.test", "Ann"])]),
        (b"1,a@x.test,Ann\r\n2,b,\r\n", [(2, ["1", "a@x.test", "Ann"]), (3, ["2", "b", ""])]),
        (b'1,a,"Smith, ""Ann"""\n', [(2, ["1", "a", 'Smith, "Ann"'])]),
        (b'1,a,"one\ntwo"\n2,b,c\n', [(2, ["1", "a", "one\ntwo"]), (4, ["2", "b", "c"])]),
        (b'1,a,"one\r\ntwo"\n', [(2, ["1", "a", "one\ntwo"])]),
        (b"\n  \n1,a,b\n\n", [(4, ["1", "a", "b"])]),
        ("1,a,语\n".encode(), [(2, ["1", "a", "语"])]),
        (b'1,a,5" disk\n', [(2, ["1", "a", '5" disk'])]),
        (b"", []),
    ],
)
def test_lines_are_read(data: bytes, found: list[Any]) -> None:
    assert read(data) == found


OPEN = "has a quote that is not closed"
GOES_ON = "has 2 cells; the header has 3 (it goes on until line 3: is a quote missing?)"
INNER = "has a quote within a quoted cell; write it twice"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"1,a\n2,b,c\n", [(2, "has 2 cells; the header has 3"), (3, ["2", "b", "c"])]),
        (b"1\n", [(2, "has 1 cell; the header has 3")]),
        (b"1,a,b,c\n", [(2, "has 4 cells; the header has 3")]),
        (b'1,"a,b\n2,b,c\n3,c,d\n', [(2, OPEN), (3, ["2", "b", "c"]), (4, ["3", "c", "d"])]),
        (b'1,"a,b\n2,"b",c\n', [(2, INNER), (3, ["2", "b", "c"])]),
        (b'1,"a"x,b\n2,b,c\n', [(2, INNER), (3, ["2", "b", "c"])]),
        (b'1,"a\n2,b,"\n', [(2, GOES_ON)]),
        (b"1,a,\xe9\n2,b,c\n", [(2, "is not UTF-8"), (3, ["2", "b", "c"])]),
        (b'1,a,"x\n\xff"\n2,b,c\n', [(2, "is not UTF-8"), (4, ["2", "b", "c"])]),
        (b'1,a,"' + b"x" * 140_000 + b'"\n2,b,c\n', [
            (2, "cannot be read: field larger than field limit (131072)"), (3, ["2", "b", "c"]),
        ]),
    ],
)  # fmt: skip
def test_a_broken_line_is_told_and_the_next_is_read(data: bytes, found: list[Any]) -> None:
    assert read(data) == found


def test_a_quote_that_is_never_closed_costs_one_line_of_a_long_file() -> None:
    lines = [f"{n},a{n}@x.test,n" for n in range(3000)]
    lines[1] = '1,"a1@x.test,n'
    found = read("\n".join(lines).encode())
    assert found[1] == (3, OPEN)
    assert [cells[0] for _, cells in found if isinstance(cells, list)] == ["0", *map(str, range(2, 3000))]


def test_a_cell_may_go_over_many_lines_but_not_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_csv, "MOST_LINES", 3)
    assert read(b'1,a,"1\n2\n3"\n') == [(2, ["1", "a", "1\n2\n3"])]
    assert read(b'1,a,"1\n2\n3\n4"\n')[0] == (2, OPEN)
    monkeypatch.setattr(member_csv, "MOST_BYTES", 60)
    assert read(b'1,a,"' + b"x" * 20 + b"\n" + b"y" * 20 + b'"\n')[0][1] != OPEN
    assert read(b'1,a,"' + b"x" * 30 + b"\n" + b"y" * 30 + b'"\n')[0] == (2, OPEN)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_beyond_all_bounds_is_cut_and_said_to_be(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.setattr(member_csv, "MOST_BYTES", 30)
    fits = b"1,a," + b"x" * 25
    assert read(fits + b"\n2,b,c" + end) == [(2, ["1", "a", "x" * 25]), (3, ["2", "b", "c"])]
    too_long = (2, "is longer than 30 bytes and was cut off")
    assert read(fits + b"xx\n2,b,c" + end) == [too_long, (3, ["2", "b", "c"])]
    assert read(fits + b"x" * 200 + end) == [too_long]
    assert read(b'1,a,"' + b"x" * 200 + end) == [too_long]


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        (b"user_id,address\n", ["user_id", "address"]),
        (b"\xef\xbb\xbfuser_id,address\n", ["user_id", "address"]),
        (b'\xef\xbb\xbf"user_id", address \r\n', ["user_id", "address"]),
        (b"user_id", ["user_id"]),
    ],
)
def test_the_first_line_names_the_columns(data: bytes, columns: list[str]) -> None:
    assert CsvFile(io.BytesIO(data)).columns == columns


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the first line is empty; it must name the columns"),
        (b"\nuser_id,address\n", "the first line is empty; it must name the columns"),
        (b"user_id,,address\n", "column 2 has no name in the first line"),
        (b"user_id,address,user_id\n", "the first line names user_id twice"),
        (b"user_id,addr\xe9ss\n", "the first line is not UTF-8"),
        (b'user_id,"address\n', "the first line has a quote that is not closed"),
        ("user_id,address\n".encode("utf-16"), "the file is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_without_columns_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(UnusableFileError) as caught:
        CsvFile(io.BytesIO(data))
    assert str(caught.value) == problem


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8))
def test_what_a_writer_of_csv_wrote_is_read_back(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert [cells for _, cells in read(text.getvalue().encode())] == rows


@given(st.lists(st.sampled_from(["1,a,b", '"', '1,"a', 'x"y,z,', "", ",,", '"a","b","c"', "\xff", '1,"a",'])))
def test_every_line_is_told_of_once(parts: list[str]) -> None:
    """Whatever is broken: the raw lines that are told are the lines of the file, in order."""
    source = CsvFile(io.BytesIO(b"a,b,c\n" + "\n".join(parts).encode("latin-1")))
    told = [line for one in source.lines() for line in one.raw.split("\n")]
    wanted = [part.encode("latin-1").decode("utf-8", member_csv.KEEP_BYTES) for part in parts]
    assert [line for line in told if line.strip()] == [line for line in wanted if line.strip()]
