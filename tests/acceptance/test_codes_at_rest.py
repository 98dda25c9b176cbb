"""The code of a mail lies nowhere: not in a table, not in a log, not in an answer (security.md D4, E8)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import structlog.testing
from google.protobuf.json_format import MessageToDict

from code_calls import ANN, BOB, FROM, Codes, add_template, code_in, parsed, part, templated, to
from postroom.v1 import email_pb2
from postroom_server.store.models import bound
from postroom_server.store.opening import Address
from serving import ACME, serving


def forms_of(code: str) -> dict[str, bytes]:
    """A code as it might lie about: plain, encoded, or hashed so that a million tries find it."""
    plain = code.encode()
    forms = {
        "plain": plain,
        "reversed": plain[::-1],
        "full width": "".join(chr(0xFF10 + int(digit)) for digit in code).encode(),
        "utf-16": code.encode("utf-16-le"),
        "hex": plain.hex().encode(),
        "spaced": f"{code[:3]} {code[3:]}".encode(),
        "dashed": f"{code[:3]}-{code[3:]}".encode(),
        "quoted-printable": b"".join(b"=%02X" % byte for byte in plain),
    }
    for shift in range(3):
        # Base64 of whatever holds it, at each of the three ways it can be aligned.
        encoded = base64.b64encode(b"\0" * shift + plain + b"\0" * 3)
        forms[f"base64 at {shift}"] = encoded[-(-8 * shift // 6) : (8 * (shift + 6)) // 6]
    for name in ("md5", "sha1", "sha256"):
        digest = hashlib.new(name, plain)
        forms |= {name: digest.digest(), f"{name} hex": digest.hexdigest().encode()}
    return forms


def leaks(values: Iterator[tuple[str, object]], code: str) -> list[tuple[str, str]]:
    """Where a value is or holds the code. Long numbers are times and ids: those are compared whole."""
    found = []
    forms = forms_of(code)
    for place, value in values:
        if isinstance(value, int):
            if value == int(code):
                found.append((place, "number"))
            continue
        data = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        found += [(place, form) for form, wanted in forms.items() if wanted in data]
    return found


def every_value(database: str) -> Iterator[tuple[str, object]]:
    """Every value of every table, on a connection of its own."""
    path = Address(database).sqlite_path
    if path is None:
        with psycopg.connect(database) as connection:
            tables = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).fetchall()
            for (table,) in tables:
                cursor = connection.execute(f'SELECT * FROM "{table}"')
                names = [column.name for column in cursor.description or ()]
                yield from _values(table, names, cursor.fetchall())
        return
    lite = bound.connection()
    for (table,) in lite.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        names = [name for (name,) in lite.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        yield from _values(table, names, lite.execute(f'SELECT * FROM "{table}"').fetchall())


def _values(table: str, names: list[str], rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, object]]:
    for row in rows:
        for name, value in zip(names, row, strict=True):
            yield f"{table}.{name}", value


@pytest.mark.parametrize("code", ["012345", "999999", "000000"])
def test_the_search_for_leaks_finds_them(code: str) -> None:
    hidden: list[object] = [
        f"x{code}y", f"x{code}".encode(), code.encode("utf-16"),
        base64.b64encode(f"code={code};".encode()).decode(),
        base64.b64encode(f"a code={code};".encode()), hashlib.sha256(code.encode()).hexdigest(), int(code),
        base64.b64encode(f"my code={code};".encode()),
    ]  # fmt: skip
    for value in hidden:
        assert leaks(iter([("here", value)]), code), value
    assert leaks(iter([("here", "x012346"), ("there", 10**18 + int(code))]), code) == []


@pytest.mark.every_database
async def test_d4_e8_the_code_is_nowhere_at_rest_nor_in_logs_nor_in_answers(database: str) -> None:
    with structlog.testing.capture_logs() as logged:
        async with serving(database, limit_code_interval_seconds=0) as served:
            await served.add_server(ACME, from_address=FROM)
            secret = await served.token("application")
            codes = Codes(served, secret, secret)
            await add_template(served, secret)
            sent = [
                (await codes.send(ANN, cc=["cc@x.test"], labels={"a": "b"}, request_id="r")).message,
                (await codes.send(BOB, template=templated({"name": "Bob"}))).message,
            ]
            mails = await served.until_caught(3)
            answers: list[Any] = [await codes.settled(each.id) for each in sent]
            ann = code_in(to(mails, ANN))
            bob = re.findall(r"Bob: ([0-9]{6})", part(parsed(to(mails, BOB)), "html"))[0]
            # Once right, and once more; once wrong, and then locked with the right one in hand.
            assert [await codes.check(ann), await codes.check(ann)] == ["VALID", "EXPIRED"]
            for n in range(1, 6):
                await codes.check(f"{(int(bob) + 7 * n) % 10**6:06d}", BOB)
            assert await codes.check(bob, BOB) == "LOCKED"
            for method, fields in (
                ("GetEmail", {"id": sent[0].id}),
                ("ListEmails", {"view": email_pb2.EMAIL_VIEW_DETAIL}),
                ("ListRecipients", {"email_id": sent[0].id}),
                ("ListEvents", {}),
            ):
                answers.append((await served.call(f"EmailService.{method}", secret, **fields)).message)
            stored = await served.store.read(lambda: list(every_value(database)))
    assert len({place.split(".")[0] for place, _ in stored}) > 15
    for code in (ann, bob):
        assert leaks(iter(stored), code) == []
        assert leaks((("log", str(entry)) for entry in logged), code) == []
        for answer in answers:
            # Ids and times are numbers of many digits in text too; what is written there is not.
            text = re.sub(r'"[0-9]{13,19}"|[0-9T:.-]{10,}Z|"cursor": "[^"]*"', "", str(MessageToDict(answer)))
            assert code not in re.sub(r"'[0-9]{13,19}'|'cursor': '[^']*'|'nextCursor': '[^']*'", "", text)
