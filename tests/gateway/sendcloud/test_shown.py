"""Templates as the document shows them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.sendcloud.scripted import Scripted
from postroom.v1 import template_pb2
from postroom.v1 import template_service_pb2 as api
from postroom_server.gateway.sendcloud import shown


@pytest.mark.parametrize(
    ("state", "stat"), [("NOT_SUBMITTED", -2), ("REJECTED", -1), ("PENDING", 0), ("APPROVED", 1)]
)
@pytest.mark.parametrize(("kind", "type_"), [("TRIGGER", 0), ("BATCH", 1)])
def test_states_and_kinds_have_their_numbers(state: str, stat: int, kind: str, type_: int) -> None:
    template = template_pb2.Template(
        review_state=template_pb2.ReviewState.Value(f"REVIEW_STATE_{state}"),
        kind=template_pb2.TemplateKind.Value(f"TEMPLATE_KIND_{kind}"),
    )
    item = shown.item(template, ZoneInfo("UTC"))
    assert (item["templateStat"], item["templateType"]) == (stat, type_)


@pytest.mark.parametrize(
    ("zone", "time"),
    [
        ("Asia/Shanghai", "2015-06-12 19:44:07"),
        ("UTC", "2015-06-12 11:44:07"),
        ("America/New_York", "2015-06-12 07:44:07"),
    ],
)
async def test_the_zone_of_times_is_a_setting(zone: str, time: str) -> None:
    stamp = Timestamp()
    stamp.FromJsonString("2015-06-12T11:44:07.999Z")
    template = template_pb2.Template(
        kind=template_pb2.TEMPLATE_KIND_BATCH,
        review_state=template_pb2.REVIEW_STATE_APPROVED,
        create_time=stamp,
        update_time=stamp,
    )
    backend = Scripted({"ListTemplates": [api.ListTemplatesResponse(templates=[template], total_size=1)]})
    answer = await backend.ask("list", "", time_zone=ZoneInfo(zone))
    assert f'"gmtCreated":"{time}","gmtUpdated":"{time}"'.encode() in answer.body


async def test_answers_are_raw_utf_8() -> None:
    template = template_pb2.Template(
        name="模版 \u2028\U0001f389",
        kind=template_pb2.TEMPLATE_KIND_BATCH,
        review_state=template_pb2.REVIEW_STATE_APPROVED,
    )
    backend = Scripted({"ListTemplates": [api.ListTemplatesResponse(templates=[template])]})
    assert "模版 \u2028\U0001f389".encode() in (await backend.ask("list", "")).body
