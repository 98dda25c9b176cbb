"""Updates that meet each other, and what they leave."""

from __future__ import annotations

import asyncio

from gateway.sendcloud.face import ADDED, Face, code_of, info_of


async def test_updates_of_different_fields_at_once_all_stay(face: Face) -> None:
    await face.add()
    changes = [{"name": "N"}, {"subject": "S"}, {"html": "H"}, {"templateType": "0"}]
    answers = await asyncio.gather(
        *(face.call("update", invokeName="testtemplate", **change) for change in changes)
    )
    assert [info_of(answer) for answer in answers] == [{"count": 1}] * 4
    data = await face.data()
    assert (data["name"], data["subject"], data["html"], data["templateType"]) == ("N", "S", "H", 0)


async def test_of_adds_at_once_one_is_made(face: Face) -> None:
    answers = await asyncio.gather(*(face.call("add", **{**ADDED, "name": str(n)}) for n in range(6)))
    assert sorted(code_of(answer) for answer in answers) == [200, 40220, 40220, 40220, 40220, 40220]


async def test_of_deletes_at_once_one_deletes(face: Face) -> None:
    await face.add()
    answers = await asyncio.gather(*(face.call("delete", invokeName="testtemplate") for _ in range(4)))
    assert sorted(code_of(answer) for answer in answers) == [200, 40216, 40216, 40216]


async def test_the_time_of_the_last_update_is_that_of_the_creation_until_there_is_one(face: Face) -> None:
    added = info_of(await face.call("add", **ADDED))["data"]
    assert added["gmtUpdated"] == ""
    data = await face.data()
    assert data["gmtCreated"] == data["gmtUpdated"] == added["gmtCreated"]
    # Reviews, and updates that change nothing, are none.
    info_of(await face.call("update", invokeName="testtemplate", isSubmitAudit="1"))
    assert (await face.data())["gmtUpdated"] == data["gmtCreated"]
