"""The page at /docs: the OpenAPI document as plain HTML, without scripts and without anybody else's files."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.5rem; } h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .875em; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .75rem; border-radius: .375rem; white-space: pre-wrap; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary b { display: inline-block; min-width: 4.5rem; }
dl { margin: 0; } dt { border-top: 1px solid var(--line); padding-top: .25rem; }
dd { margin: 0 0 .25rem 1rem; } small { opacity: .75; overflow-wrap: anywhere; }
"""
_SHORT = 6  # words of an enumeration that are shown at once
_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)


def docs_page(document: Mapping[str, Any]) -> str:
    return "".join(_Page(document).html())


class _Page:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def html(self) -> Iterator[str]:
        info = self._document["info"]
        yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body>"
        yield f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        yield f"<p>{escape(info['description'])}</p>"
        yield '<p>For tools: <a href="openapi.json">openapi.json</a>.</p>'
        for tag in self._document["tags"]:
            yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag.get('description', ''))}</p>"
            for path, item in self._document["paths"].items():
                for method in _METHODS:
                    if tag["name"] in item.get(method, {}).get("tags", ()):
                        yield from self._operation(path, method, item)
        yield "</body></html>"

    def _operation(self, path: str, method: str, item: Mapping[str, Any]) -> Iterator[str]:
        operation = item[method]
        yield f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
        yield f"{escape(operation.get('summary', ''))}</summary>"
        if description := operation.get("description"):
            yield f"<p>{escape(description)}</p>"
        parameters = [self._found(p) for p in (*item.get("parameters", ()), *operation.get("parameters", ()))]
        if parameters:
            yield "<h3>Parameters</h3>"
            yield from _listed(
                (p["name"], p["in"], p.get("required", False), self._type(p.get("schema", {})), p)
                for p in parameters
            )
        for media_type, content in self._found(operation.get("requestBody", {})).get("content", {}).items():
            yield f"<h3>Body: <code>{escape(media_type)}</code></h3>"
            yield from self._content(content)
        yield "<h3>Answers</h3>"
        for status, response in operation.get("responses", {}).items():
            found = self._found(response)
            yield f"<p><b>{escape(str(status))}</b> {escape(found.get('description', ''))}</p>"
            for content in found.get("content", {}).values():
                yield from self._content(content)
        yield "</details>"

    def _content(self, content: Mapping[str, Any]) -> Iterator[str]:
        schema = self._found(content.get("schema", {}))
        required = schema.get("required", ())
        yield from _listed(
            (name, "", name in required, self._type(field), self._found(field))
            for name, field in schema.get("properties", {}).items()
        )
        examples = [self._found(example).get("value") for example in content.get("examples", {}).values()]
        for example in (content["example"], *examples) if "example" in content else examples:
            text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False, indent=2)
            yield f"<pre>{escape(text)}</pre>"

    def _type(self, schema: Mapping[str, Any]) -> str:
        schema = self._found(schema)
        if "enum" in schema:
            return " | ".join(str(value) for value in schema["enum"])
        if "const" in schema:
            return json.dumps(schema["const"], ensure_ascii=False)
        for choice in ("oneOf", "anyOf"):
            if choice in schema:
                return " or ".join(dict.fromkeys(self._type(option) for option in schema[choice]))
        kind = schema.get("type", "any")
        if kind == "array":
            return f"list of {self._type(schema.get('items', {}))}"
        return " or ".join(kind) if isinstance(kind, list) else str(kind)

    def _found(self, thing: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a local `$ref` points to."""
        while "$ref" in thing:
            target: Any = self._document
            for name in thing["$ref"].removeprefix("#/").split("/"):
                target = target[name.replace("~1", "/").replace("~0", "~")]
            thing = target
        return thing


def _listed(rows: Iterable[tuple[str, str, bool, str, Mapping[str, Any]]]) -> Iterator[str]:
    """Names with their place, whether they are required, their type and what they mean; narrow enough."""
    yield "<dl>"
    for name, place, required, kind, described in rows:
        facts = [fact for fact in (place, "required" if required else "") if fact]
        words = kind.split(" | ")
        if len(words) <= _SHORT:
            facts.append(kind)
        yield f"<dt><code><b>{escape(name)}</b></code> <small>{escape(', '.join(facts))}</small></dt>"
        yield f"<dd>{escape(str(described.get('description', '')))}"
        if len(words) > _SHORT:
            yield f"<details><summary>one of {len(words)}</summary>{escape(kind)}</details>"
        yield "</dd>"
    yield "</dl>"
