"""The page at /docs: everything on it, nothing from elsewhere, nothing that runs."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from postroom_server.gateway.docs_page import CONTENT_SECURITY_POLICY, docs_page
from postroom_server.rest import openapi

VOID = {"meta", "br", "hr", "link", "img"}


class Elements(HTMLParser):
    """Notes every element, and that each is closed where it must be."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    elements.close()
    assert elements.open == []
    return elements


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi()


@pytest.fixture(scope="module")
def page(document: dict[str, Any]) -> str:
    return docs_page(document)


def test_every_operation_and_parameter_is_on_it(document: dict[str, Any], page: str) -> None:
    text = read(page).text
    for path, item in document["paths"].items():
        assert path in text
        for operation in item.values():
            assert operation["summary"] in text
            for parameter in operation.get("parameters", []):
                assert parameter.get("name", "") in text


def test_it_takes_nothing_from_elsewhere_and_runs_nothing(page: str) -> None:
    elements = read(page)
    assert not elements.names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "svg"}
    references = [
        value for _, name, value in elements.attributes if name in ("href", "src", "srcset", "action")
    ]
    assert references == ["openapi.json"]
    assert not [name for _, name, _ in elements.attributes if name.startswith("on") or name == "style"]
    assert "url(" not in page
    assert "@import" not in page


def test_its_policy_allows_its_own_style_and_nothing_else(page: str) -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'; ")


def test_it_fits_a_phone(page: str) -> None:
    assert ("meta", "content", "width=device-width, initial-scale=1") in read(page).attributes
    # Nothing has a width of its own, and long words break: the page never scrolls sideways.
    assert "<table" not in page
    assert "overflow-wrap: anywhere" in page


def test_what_is_described_is_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>&amp;"
    operation = {
        "tags": [evil],
        "summary": evil,
        "description": evil,
        "parameters": [{"name": evil, "in": "query", "schema": {"enum": [evil]}, "description": evil}],
        "responses": {"200": {"description": evil, "content": {"text/plain": {"example": evil}}}},
    }
    described = {
        "info": {"title": evil, "version": evil, "description": evil},
        "tags": [{"name": evil, "description": evil}],
        "paths": {f"/{evil}": {"get": operation}},
    }
    elements = read(docs_page(described))
    assert "script" not in elements.names
    assert elements.text.count(evil) == 14
