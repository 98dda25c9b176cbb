"""The description: that it is one, that tools can read it, and that its parts cannot disagree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from postroom_server.gateway.openapi import merged
from postroom_server.rest import openapi

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
# Of OpenAPI 3.1, as far as this document goes; a key that is none of these is most often misspelt.
OPERATION = {
    "tags", "summary", "description", "operationId", "parameters", "requestBody", "responses", "security",
    "deprecated",
}  # fmt: skip
PARAMETER = {
    "name", "in", "description", "required", "deprecated", "style", "explode", "allowReserved", "schema",
    "example", "examples", "content",
}  # fmt: skip
RESPONSE = {"description", "headers", "content", "links"}
MEDIA_TYPE = {"schema", "example", "examples", "encoding"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def everywhere(thing: Any) -> Iterator[dict[str, Any]]:
    if isinstance(thing, dict):
        yield thing
        for value in thing.values():
            yield from everywhere(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from everywhere(value)


def followed(document: dict[str, Any], thing: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in thing:
        target: Any = document
        for name in thing["$ref"].removeprefix("#/").split("/"):
            target = target[name.replace("~1", "/").replace("~0", "~")]
        thing = target
    return thing


def schemas(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for found in everywhere({"paths": document["paths"], "components": document["components"]}):
        if isinstance(found.get("schema"), dict):
            yield found["schema"]
    yield from document["components"].get("schemas", {}).values()


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = [found for found in everywhere(document) if isinstance(found.get("$ref"), str)]
    assert references
    for reference in references:
        assert reference["$ref"].startswith("#/")
        followed(document, reference)


def test_every_schema_is_one(document: dict[str, Any]) -> None:
    found = list(schemas(document))
    assert len(found) > 30
    for schema in found:
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_operation_is_complete(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, method, operation in operations(document):
        assert method in METHODS
        assert operation.keys() <= OPERATION, (path, method)
        assert operation["tags"]
        assert set(operation["tags"]) <= tags
        assert operation["summary"]
        assert operation["responses"]
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5](?:\d\d|XX)|default", status)
            found = followed(document, response)
            assert found.keys() <= RESPONSE
            assert found["description"]
            for content in found.get("content", {}).values():
                assert content.keys() <= MEDIA_TYPE


def test_every_parameter_is_declared_once_and_every_placeholder_is(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        listed = [*document["paths"][path].get("parameters", []), *operation.get("parameters", [])]
        parameters = [followed(document, parameter) for parameter in listed]
        named = [(parameter["in"], parameter["name"]) for parameter in parameters]
        assert len(named) == len(set(named)), (path, method)
        assert {name for place, name in named if place == "path"} == set(re.findall(r"\{([^}]+)\}", path))
        for parameter in parameters:
            assert parameter.keys() <= PARAMETER
            assert parameter["in"] in ("query", "header", "path", "cookie")
            assert parameter["in"] != "path" or parameter["required"]
            assert "schema" in parameter or "content" in parameter


def test_security_names_schemes_that_there_are(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    for path, _, operation in operations(document):
        for required in operation.get("security", []):
            assert set(required) <= set(schemes), path


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    count = 0
    for content in everywhere(document["paths"]):
        schema = content.get("schema")
        if not isinstance(schema, dict):
            continue
        examples = [
            followed(document, example).get("value") for example in content.get("examples", {}).values()
        ]
        if "example" in content:
            examples.append(content["example"])
        for example in examples:
            jsonschema.Draft202012Validator({**document, **schema}).validate(example)
            count += 1
    assert count


def test_parts_that_contradict_each_other_are_refused() -> None:
    one = {"paths": {"/a": {"get": {}}}, "components": {"schemas": {"S": {"type": "string"}}}}
    assert merged((one, one), "1")["paths"]["/a"] == {"get": {}}
    for other in (
        {"paths": {"/a": {"post": {}}}},
        {"components": {"schemas": {"S": {"type": "number"}}}},
        {"components": {"schemes": {}}},
    ):
        with pytest.raises(ValueError, match=r"two dialects|is not known here"):
            merged((one, other), "1")
