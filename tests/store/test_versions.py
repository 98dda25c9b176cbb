"""Compiled template versions: kept while there is room, and long ones never compiled where writes wait."""

from __future__ import annotations

import pytest

from fakes import NOON
from postroom_server.refusals import Reason
from postroom_server.store import versions
from postroom_server.store.models import TemplateVariable, TemplateVariant, TemplateVersion
from postroom_server.store.unit import Store
from postroom_server.store.versions import NotCompiled, Versions


def put_version(id_: int, text: str = "Hello %name%") -> int:
    TemplateVersion.create(
        id=id_, tenant_id=1, template_id=id_, number=1, name="n", kind="TRIGGER", syntax="PERCENT",
        default_language="en", author="a", create_time=NOON, review_state="APPROVED",
    )  # fmt: skip
    TemplateVariant.create(id=id_, version_id=id_, position=0, language="en", subject="Hi", text=text)
    for place, (name, type_, literal) in enumerate([("name", "STRING", 0), ("n", "", 0), ("x", "NUMBER", 1)]):
        TemplateVariable.create(
            id=10 * id_ + place, version_id=id_, position=place, name=name, type=type_, required=False,
            declared=True, literal=bool(literal), raw=False,
        )  # fmt: skip
    return id_


async def test_a_version_knows_the_types_of_its_variables(store: Store) -> None:
    id_ = await store.write(put_version, 1)
    version = await store.read(Versions().get, id_)
    types = {variable.name: str(variable.type) for variable in version.variants["en"].variables}
    assert types == {"name": "STRING", "n": "", "x": "NUMBER"}
    assert (version.length, list(version.variants)) == (len("HiHello %name%"), ["en"])


async def test_a_short_version_is_compiled_anywhere(store: Store) -> None:
    id_ = await store.write(put_version, 1)
    kept = Versions()
    version = await store.write(kept.get_if_short, id_)
    assert kept.kept(id_) is version


async def test_a_long_version_is_compiled_only_where_nobody_waits(store: Store) -> None:
    id_ = await store.write(put_version, 1, "x" * 5000)
    kept = Versions()
    with pytest.raises(NotCompiled) as caught:
        await store.write(kept.get_if_short, id_)
    assert (caught.value.version_id, caught.value.reason) == (id_, Reason.OVERLOADED)
    assert kept.kept(id_) is None
    version = await store.read(kept.get, id_)
    assert await store.write(kept.get_if_short, id_) is version


async def test_what_was_used_longest_ago_makes_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_CHARACTERS_KEPT", 300)
    kept = Versions()
    for id_ in (1, 2):
        await store.write(put_version, id_, "x" * 140)
        await store.read(kept.get, id_)
    assert kept.kept(1) is not None
    await store.write(put_version, 3, "x" * 140)
    await store.read(kept.get, 3)
    assert [kept.kept(id_) is not None for id_ in (1, 2, 3)] == [True, False, True]
    await store.write(put_version, 4, "x" * 1000)
    await store.read(kept.get, 4)
    assert [kept.kept(id_) is not None for id_ in (1, 3, 4)] == [False, False, True]
