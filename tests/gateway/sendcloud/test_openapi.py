"""The dialect's description of itself says all it answers, and no more."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from gateway.sendcloud.scripted import Scripted, refused
from postroom_server.gateway.sendcloud import OPENAPI, codes
from postroom_server.gateway.sendcloud.openapi_answers import CODES

CALLS = ("list", "get", "add", "update", "delete")
SCHEMAS = OPENAPI["components"]["schemas"]


@pytest.mark.parametrize("call", CALLS)
def test_each_call_is_there_by_get_and_by_post_with_every_parameter(call: str) -> None:
    path = OPENAPI["paths"][f"/apiv2/template/{call}"]
    assert set(path) == {"get", "post"}
    in_query = [{one["name"] for one in path[method]["parameters"]} for method in ("get", "post")]
    bodies = path["post"]["requestBody"]["content"]
    in_bodies = [set(body["schema"]["properties"]) for body in bodies.values()]
    assert set(bodies) == {
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json",
    }
    assert all(names == in_query[0] for names in (*in_query, *in_bodies))


def test_together_they_take_every_parameter_and_answer_every_code() -> None:
    taken = {
        parameter["name"]
        for path in OPENAPI["paths"].values()
        for operation in path.values()
        for parameter in operation["parameters"]
    }
    assert taken == {parameter.name for parameter in codes.PARAMETERS}
    told = {code.number for listed in CODES.values() for code in listed}
    known = {value.number for value in vars(codes).values() if isinstance(value, codes.Code)}
    known |= {number for one in codes.PARAMETERS for number in (one.blank.number, one.malformed.number)}
    assert told == (known | {40219}) - {200, 404, 405, 408, 413, 415}


def test_every_schema_is_one() -> None:
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if "$ref" in value else []
            return own + [found for child in value.values() for found in references(child)]
        return [found for child in value for found in references(child)] if isinstance(value, list) else []

    for reference in references(OPENAPI["paths"]):
        _, _, section, name = reference.split("/")
        assert name in OPENAPI["components"][section]


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"gmtCreated": "2026-06-01T20:00:00"}, False),
        ({"templateType": 2}, False),
        ({"text": "t"}, False),
        ({"name": None}, False),
    ],
)
def test_the_schema_of_an_item_is_strict(change: dict[str, Any], fits: bool) -> None:
    item = {
        "name": "n",
        "invokeName": "a",
        "templateType": 1,
        "templateStat": 1,
        "gmtCreated": "2026-06-01 20:00:00",
        "gmtUpdated": "2026-06-01 20:00:00",
        **change,
    }
    info = {"dataList": [item], "total": 1, "count": 1}
    envelope = {"result": True, "statusCode": 200, "message": "请求成功", "info": info}
    validator = jsonschema.Draft202012Validator(SCHEMAS["SendCloudListAnswer"])
    assert validator.is_valid(envelope) is fits


async def test_a_get_of_what_is_gone_fits_the_schema_of_failures() -> None:
    backend = Scripted({"GetTemplate": [refused("NOT_FOUND", "TEMPLATE_NOT_FOUND")]})
    answer = json.loads((await backend.ask("get", "invokeName=a")).body)
    jsonschema.Draft202012Validator(SCHEMAS["SendCloudGetFailure"]).validate(answer)
    assert not jsonschema.Draft202012Validator(SCHEMAS["SendCloudListFailure"]).is_valid(answer)
