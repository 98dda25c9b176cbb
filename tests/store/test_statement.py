"""Statements that are compiled once, on both databases, against what Peewee itself would have done."""

from __future__ import annotations

import peewee
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from postroom_server.store.models import Event, Fact, MemberCopy, Suppression, Token
from postroom_server.store.statement import Insert, Statement, as_list, bind, insert, one_of
from postroom_server.store.unit import Store

pytestmark = pytest.mark.every_database

BY_NAME = Statement(lambda: Fact.select(Fact.name, Fact.value).where(Fact.name == bind("name")))
BY_NAMES = Statement(
    lambda: Fact.select(Fact.name).where(one_of(Fact.name, "names"), Fact.value == "x").order_by(Fact.name)
)
BY_IDS = Statement(
    lambda: (
        Suppression.select(Suppression.id)
        .where(Suppression.tenant_id == bind("tenant_id"), one_of(Suppression.id, "ids"))
        .order_by(Suppression.id)
    )
)
CHANGE = Statement(
    lambda: Fact.update(value=bind("value")).where(Fact.name == bind("name"), Fact.value == "old")
)
SETTLE_NAMED = Statement(lambda: Fact.update(value=bind("name")).where(Fact.name == bind("name")))
SUPPRESS = insert(Suppression)
REMEMBER = insert(Fact, suffix="ON CONFLICT DO NOTHING")


def suppression(row_id: int, tenant_id: int = 1) -> tuple[object, ...]:
    address = f"{row_id}@example.com"
    return row_id, tenant_id, address, address, "MANUAL", None, None, 1000 + row_id


def facts() -> list[tuple[str, str]]:
    found = Fact.select().where(Fact.name.startswith("t.")).order_by(Fact.name)
    return [(fact.name, fact.value) for fact in found]


async def test_a_value_is_bound_at_each_execution(store: Store) -> None:
    await store.write(REMEMBER.many, [("t.a", "1"), ("t.b", "2")])
    assert await store.read(BY_NAME.rows, name="t.a") == [("t.a", "1")]
    assert await store.read(BY_NAME.rows, name="t.b") == [("t.b", "2")]
    assert await store.read(BY_NAME.rows, name="t.c") == []


async def test_a_value_is_a_value_and_never_sql(store: Store) -> None:
    nasty = "t.'; DROP TABLE fact; -- %s ? \" \\"
    await store.write(REMEMBER.many, [(nasty, nasty)])
    assert await store.read(BY_NAME.rows, name=nasty) == [(nasty, nasty)]


async def test_a_query_is_built_once(store: Store) -> None:
    built: list[int] = []

    def build() -> object:
        built.append(1)
        return Fact.select(Fact.value).where(Fact.name == bind("name"))

    statement = Statement(build)
    for _ in range(3):
        await store.read(statement.rows, name="stream_epoch")
    assert built == [1]


async def test_a_missing_value_is_a_mistake_that_shows(store: Store) -> None:
    with pytest.raises(KeyError):
        await store.read(BY_NAME.rows, nome="t.a")


async def test_fixed_values_and_bound_ones_keep_their_places(store: Store) -> None:
    await store.write(REMEMBER.many, [("t.a", "old"), ("t.b", "new")])
    await store.write(CHANGE.execute, name="t.a", value="changed")
    await store.write(CHANGE.execute, name="t.b", value="changed")
    assert await store.read(facts) == [("t.a", "changed"), ("t.b", "new")]


async def test_many_rows_run_one_statement(store: Store) -> None:
    await store.write(REMEMBER.many, [(f"t.{n}", "old") for n in range(4)])
    await store.write(CHANGE.execute_many, [{"name": f"t.{n}", "value": str(n)} for n in range(3)])
    assert await store.read(facts) == [("t.0", "0"), ("t.1", "1"), ("t.2", "2"), ("t.3", "old")]


async def test_one_name_may_stand_in_several_places(store: Store) -> None:
    await store.write(REMEMBER.many, [("t.a", ""), ("t.b", "")])
    await store.write(SETTLE_NAMED.execute_many, [{"name": "t.a"}, {"name": "t.b"}])
    assert await store.read(facts) == [("t.a", "t.a"), ("t.b", "t.b")]


async def test_no_rows_are_no_statement(store: Store) -> None:
    await store.write(CHANGE.execute_many, [])
    await store.write(REMEMBER.many, [])
    assert await store.read(facts) == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ([], []),
        ([3], [3]),
        ([2**62, 1], [1, 2**62]),
        ([1, 1, 2, 99], [1, 2]),
        (range(1, 3000), [1, 2, 3]),
    ],
)
async def test_one_of_takes_a_list_of_numbers_of_any_length(
    store: Store, asked: list[int], found: list[int]
) -> None:
    await store.write(
        SUPPRESS.many, [suppression(n) for n in (1, 2, 3, 2**62)] + [suppression(4, tenant_id=2)]
    )

    def unit() -> list[int]:
        return [row_id for (row_id,) in BY_IDS.rows(tenant_id=1, ids=as_list([*asked, 4]))]

    assert await store.read(unit) == found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
        max_size=5,
        unique=True,
    )
)
@example(['"', "\\", "a\nb", "密", "%s", "NULL", "{}", "a,b"])
async def test_one_of_takes_any_names(store: Store, listed: list[str]) -> None:
    def unit() -> list[str]:
        Fact.delete().execute()
        REMEMBER.many([(name, "x") for name in listed] + [("other", "x")])
        return [name for (name,) in BY_NAMES.rows(names=as_list(listed))]

    assert sorted(await store.write(unit)) == sorted(listed)


async def test_an_insert_writes_every_column_in_the_order_of_the_model(store: Store) -> None:
    kinds = {peewee.TextField: "Größe 密", peewee.BlobField: b"\x00\xff", peewee.BooleanField: True}
    row = tuple(
        next((value for kind, value in kinds.items() if isinstance(field, kind)), 1000 + position)
        for position, field in enumerate(Token._meta.sorted_fields)
    )
    await store.write(insert(Token).many, [row])

    def found() -> tuple[object, ...]:
        token = Token.get()
        return tuple(getattr(token, field.name) for field in Token._meta.sorted_fields)

    assert await store.read(found) == row


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 127, 300])
async def test_an_insert_takes_any_number_of_rows(store: Store, count: int) -> None:
    await store.write(SUPPRESS.many, [suppression(row_id) for row_id in range(1, count + 1)])
    stored = await store.read(lambda: [row.id for row in Suppression.select().order_by(Suppression.id)])
    assert stored == list(range(1, count + 1))


async def test_an_insert_may_leave_columns_to_the_database(store: Store) -> None:
    without_id = insert(Event, without=[Event.id])
    given = {"tenant_id": 1, "kind": "EMAIL_ACCEPTED", "ambiguous": False, "time": 1000}
    assert {field.name for field in Event._meta.sorted_fields} - {f.name for f in without_id.fields} == {"id"}
    await store.write(without_id.many, [[given.get(field.name) for field in without_id.fields]] * 2)
    first, second = await store.read(lambda: [event.id for event in Event.select().order_by(Event.id)])
    assert 0 < first < second


async def test_an_insert_of_chosen_fields_ends_with_its_suffix(store: Store) -> None:
    remember = Insert(
        Fact, [Fact.value, Fact.name], suffix="ON CONFLICT (name) DO UPDATE SET value = 'again'"
    )
    await store.write(remember.many, [("1", "t.a")])
    await store.write(remember.many, [("2", "t.a"), ("2", "t.b")])
    assert await store.read(facts) == [("t.a", "again"), ("t.b", "2")]


@pytest.mark.every_database
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 99, 100, 101, 250])
async def test_hundreds_of_rows_may_be_written_together(store: Store, count: int) -> None:
    rows = [suppression(row_id) for row_id in range(1, count + 1)]
    await store.write(SUPPRESS.together, rows)
    together = await store.read(lambda: list(Suppression.select().order_by(Suppression.id).tuples()))
    assert [row[0] for row in together] == list(range(1, count + 1))
    await store.write(lambda: Suppression.delete().execute())
    await store.write(SUPPRESS.many, rows)
    assert await store.read(lambda: list(Suppression.select().order_by(Suppression.id).tuples())) == together


@pytest.mark.every_database
async def test_rows_that_are_written_together_keep_nothing_and_every_type(store: Store) -> None:
    copy = insert(MemberCopy)
    rows = [(1, 2, 3, 4, None, None, None), (5, 6, 7, 1 << 62, "zh-CN", '{"a":"密"}', 'a "b" {c}, NULL')]
    await store.write(copy.together, rows)
    assert (
        await store.read(lambda: list(MemberCopy.select().order_by(MemberCopy.delivery_id).tuples())) == rows
    )


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 72, 73, 200])
async def test_however_many_rows_are_inserted_each_is_there_once(store: Store, count: int) -> None:
    rows = [(f"t.{number:03}", str(number)) for number in range(count)]
    await store.write(REMEMBER.many, rows)
    await store.write(REMEMBER.many, rows)
    assert await store.read(facts) == rows
