"""Writing the rows of accepted mail: compiled statements with many rows beside what Peewee offers."""

from __future__ import annotations

import contextlib
import copy
import time
from collections.abc import Callable
from typing import Any

import apsw
from bench.figures import Chapter, Figure
from bench.run import Run
from bench.served import postroom

from postroom_server.store.models import Content, Delivery, Email, Event, Recipient, bound
from postroom_server.store.models.base import Row
from postroom_server.store.sqlite import sqlite_database
from postroom_server.store.statement import Insert

TITLE = "Writing the rows of a mail"
OURS, CREATE = (
    "compiled statements of many rows, as Postroom has them",
    "Model.create, a commit for each mail",
)
_MODELS: tuple[type[Row], ...] = (Email, Content, Delivery, Recipient, Event)
_IDS = {"id", "email_id", "delivery_id", "recipient_id"}
_AT_ONCE = 500
_AT_A_TIME = 50  # mails to an insert_many: SQLite has a most of parameters
_Mail = dict[type[Row], list[dict[str, Any]]]


def writing(run: Run) -> Chapter:
    """Microseconds a mail, all its rows in all their indexes, committed."""
    few = run.either(200, 50)
    with postroom("warning") as server:
        server.relay_to(9, 1)
        run.loader.ask(
            do="batches", target=server.target, token=server.token, mails=_AT_ONCE,
            first=run.numbers(_AT_ONCE), per_call=_AT_ONCE, in_flight=1, later=True,
        )  # fmt: skip
        server.end()
        database = sqlite_database(server.database)
        bound.initialize(database)
        mails = _Mails(server.database)
        contenders: dict[str, tuple[int, Callable[[list[_Mail]], None]]] = {
            OURS: (_AT_ONCE, _compiled()),
            f"insert_many, {_AT_A_TIME} mails a statement": (_AT_ONCE, _insert_many),
            f"Model.create, {few} mails a commit": (few, _create_together),
            CREATE: (few, _create_each),
        }
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        with contextlib.closing(database):
            database.connect()
            for turn in range(run.either(7, 1) + 1):
                for name, (count, write) in contenders.items():
                    fresh = mails.fresh(count)
                    began = time.perf_counter()
                    write(fresh)
                    if turn:
                        taken[name].append((time.perf_counter() - began) / count * 1e6)
    chapter = Chapter(
        TITLE,
        f"The rows that Postroom writes for a mail to one recipient ({mails.rows_a_mail:g} in "
        f"{len(_MODELS)} tables), "
        f"with their indexes, in SQLite with synchronous=FULL; {_AT_ONCE} mails a commit unless said "
        "otherwise. The ratio is how many times ours the others take.",
    )
    for name, values in taken.items():
        chapter.figures.append(Figure(name, "µs/mail", values, None if name == OURS else taken[OURS]))
    return chapter


class _Mails:
    """Mails as rows, by model; new ids each time."""

    def __init__(self, path: Any) -> None:
        self._by_email: dict[int, _Mail] = {}
        self._step = 0
        with contextlib.closing(apsw.Connection(str(path))) as connection:
            for model in _MODELS:
                key = "id" if model is Email else "email_id"
                names = [field.column_name for field in model._meta.sorted_fields]
                for values in connection.execute(f"SELECT {', '.join(names)} FROM {model._meta.table_name}"):
                    row = dict(zip(names, values, strict=True))
                    self._by_email.setdefault(row[key], {each: [] for each in _MODELS})[model].append(row)
        whole = [mail for mail in self._by_email.values() if mail[Email]]
        self._mails = whole
        self.rows_a_mail = sum(len(rows) for mail in whole for rows in mail.values()) / len(whole)

    def fresh(self, count: int) -> list[_Mail]:
        self._step += 1 << 40
        made = copy.deepcopy(self._mails[:count])
        for mail in made:
            for rows in mail.values():
                for row in rows:
                    for name in _IDS & row.keys():
                        if row[name] is not None:
                            row[name] += self._step
        return made


def _compiled() -> Callable[[list[_Mail]], None]:
    statements = {model: Insert(model, list(model._meta.sorted_fields)) for model in _MODELS}
    columns = {model: [field.column_name for field in model._meta.sorted_fields] for model in _MODELS}

    def write(mails: list[_Mail]) -> None:
        with bound.atomic():
            for model, statement in statements.items():
                names = columns[model]
                statement.many([[row[name] for name in names] for mail in mails for row in mail[model]])

    return write


def _insert_many(mails: list[_Mail]) -> None:
    with bound.atomic():
        for at in range(0, len(mails), _AT_A_TIME):
            for model in _MODELS:
                rows = [row for mail in mails[at : at + _AT_A_TIME] for row in mail[model]]
                model.insert_many(rows).execute()


def _create_together(mails: list[_Mail]) -> None:
    with bound.atomic():
        for mail in mails:
            _create(mail)


def _create_each(mails: list[_Mail]) -> None:
    for mail in mails:
        with bound.atomic():
            _create(mail)


def _create(mail: _Mail) -> None:
    for model, rows in mail.items():
        for row in rows:
            model.create(**row)
