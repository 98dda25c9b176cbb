"""LIQUID: values that are not there, that nobody knows, or of another type (security.md B5)."""

from __future__ import annotations

from typing import Any

import pytest

from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.message.template import (
    BadTemplate,
    Content,
    FailedRendering,
    InvalidValue,
    MissingVariables,
    Variable,
)
from postroom_server.message.variable_types import VariableType

ORDER = Content(
    "Order {{ order.id }}",
    "<ul>{% for item in order.items %}<li>{{ item.title }}: {{ item.price }}</li>{% endfor %}</ul>",
    "{% for item in order.items %}{{ forloop.index }}. {{ item.title }}\n{% endfor %}",
)


def text(source: str, params: dict[str, Any] | None = None, *declared: Variable) -> str:
    return LiquidTemplate(Content("s", None, source), declared).render(params or {}).text


def declared(name: str, type_: VariableType = VariableType.ANY, **more: Any) -> Variable:
    return Variable(name, type=type_, declared=True, **{"required": more.get("default") is None, **more})


def test_b5_a_value_that_is_not_there_is_never_a_hole() -> None:
    template = LiquidTemplate(ORDER)
    assert template.missing({}) == ["order"]
    params = {"order": {"id": None, "items": [{"title": "a", "price": 1.0}, {"price": None}]}}
    assert template.missing(params) == ["order.id", "order.items[1].price", "order.items[1].title"]
    with pytest.raises(MissingVariables) as caught:
        template.render(params)
    assert caught.value.names == ("order.id", "order.items[1].price", "order.items[1].title")


@pytest.mark.parametrize(
    ("source", "params", "said"),
    [
        ("{% if x %}{{ x }}{% else %}none{% endif %}", {}, "none"),
        ("{% unless x %}none{% endunless %}", {}, "none"),
        ("{{ x | default: 'you' }}", {}, "you"),
        ("{{ x | default: 'you' }}", {"x": None}, "you"),
        ("{{ x.y | default: 'you' }}", {"x": {}}, "you"),
        ("{% if x == nil %}none{% endif %}", {}, "none"),
        ("{% if x == blank %}none{% endif %}", {}, "none"),
        ("{% if x == empty %}none{% endif %}", {}, "none"),
        ("{% if x != blank %}{{ x }}{% else %}none{% endif %}", {}, "none"),
        ("{% if x != blank %}{{ x }}{% else %}none{% endif %}", {"x": ""}, "none"),
        ("{% if a and x %}{{ x }}{% else %}none{% endif %}", {"a": True}, "none"),
        ("{% if o.x %}{{ o.x }}{% else %}none{% endif %}", {"o": {}}, "none"),
        ("{% if o.x %}{{ o.x }}{% else %}none{% endif %}", {}, "none"),
    ],
)
def test_a_template_may_ask_whether_a_value_is_there(source: str, params: dict[str, Any], said: str) -> None:
    assert text(source, params) == said


@pytest.mark.parametrize(
    ("source", "params", "name"),
    [
        ("{% if x %}yes{% endif %}{{ x }}", {}, "x"),
        ("{{ items[3] }}", {"items": ["a"]}, "items[3]"),
        ("{{ o[k] }}", {"o": {"a": "b"}, "k": "c"}, "o.c"),
        ("{% assign y = o[k] %}{{ y | upcase }}", {"o": {"a": "b"}, "k": "c"}, "o.c"),
        ("{% assign l = o[k] %}{% for x in l %}{% endfor %}", {"o": {"a": "b"}, "k": "c"}, "o.c"),
        ("{{ 'a' | append: o[k] }}", {"o": {"a": "b"}, "k": "c"}, "o.c"),
        ("{% assign y = o[k] %}{{ y.size }}", {"o": {"a": "b"}, "k": "c"}, "o.c"),
    ],
)
def test_b5_what_shows_only_when_rendered_is_refused_then(
    source: str, params: dict[str, Any], name: str
) -> None:
    template = LiquidTemplate(Content("s", None, source))
    assert template.missing(params) == []
    with pytest.raises(MissingVariables) as caught:
        template.check(params)
    assert caught.value.names == (name,)


@pytest.mark.parametrize("source", ["{{ items | first }}", "{{ nil }}", "{{ items | join: nil }}"])
def test_nothing_is_shown_for_nil(source: str) -> None:
    with pytest.raises(FailedRendering):
        text(source, {"items": []})


def test_a_variable_that_its_author_made_optional_is_an_empty_text() -> None:
    optional = declared("nick", required=False)
    assert text("[{{ nick }}]{% if nick %}x{% endif %}{{ nick | upcase }}", {}, optional) == "[]"
    assert text("{% for x in nick %}x{% else %}none{% endfor %}", {}, optional) == "none"
    said = text(
        "[{{ nick | plus: 1 }}{{ nick | date: '%Y' }}{{ nick | join }}{{ nick | size }}]", {}, optional
    )
    assert said == "[10]"
    assert text("[{{ o.nick }}]", {"o": {}}, declared("o.nick", required=False)) == "[]"


def test_defaults_stand_in_for_absent_values_wherever_they_are() -> None:
    variables = (
        declared("items[].count", VariableType.INTEGER, default=1.0),
        declared("o", default={"a": "A"}),
    )
    said = text(
        "{{ o.a }}{% for i in items %}{{ i.count | plus: 1 }}{% endfor %}",
        {"items": [{}, {"count": "4"}]},
        *variables,
    )
    assert said == "A25"


def test_the_last_item_is_told_from_a_field_by_what_is_declared() -> None:
    source = "{{ items.last.price }}"
    assert text(source, {"items": {"last": {"price": 2.0}}}) == "2"
    items = {"items": [{"price": 1.0}, {"price": 2.0}]}
    assert text(source, items, declared("items", VariableType.LIST)) == "2"
    assert text(source, items, declared("items[].price", VariableType.NUMBER)) == "2"


def test_unknown_parameters_are_told_by_their_places() -> None:
    template = LiquidTemplate(ORDER)
    item = {"title": "a", "price": 1.0, "titel": "b"}
    params = {"order": {"id": "1", "items": [item], "total": 1.0}, "other": {"deep": 1.0}, "a b": "c"}
    assert template.unused(params) == ["order.items[0].titel", "order.total", "other", "['a b']"]


@pytest.mark.parametrize(
    ("source", "params"),
    [
        ("{{ o[k] }}", {"o": {"a": 1.0, "b": 2.0}, "k": "a"}),
        ("{% for pair in o %}{{ pair[0] }}={{ pair[1] }}{% endfor %}", {"o": {"a": 1.0}}),
        ("{% if o %}yes{% endif %}", {"o": {"a": 1.0}}),
    ],
)
def test_an_object_whose_fields_nobody_named_may_have_any(source: str, params: dict[str, Any]) -> None:
    template = LiquidTemplate(Content("s", None, source), [declared("o", VariableType.OBJECT)])
    assert template.faults(params) == ([], [], {})
    template.check(params)


TYPED = (
    declared("order.items[].price", VariableType.NUMBER),
    declared("order.items[].count", VariableType.INTEGER),
    declared("order.day", VariableType.TIMESTAMP),
    declared("order.paid", VariableType.BOOLEAN),
    declared("order.note", VariableType.STRING),
)
TYPED_TEXT = (
    "{{ order.day | date: '%F' }} {{ order.note }}{% if order.paid %} paid{% endif %}"
    "{% for i in order.items %} {{ i.count }}x{{ i.price }}={{ i.price | times: i.count }}{% endfor %}"
)


def test_strings_that_parse_are_of_their_types_and_print_as_they_were_written() -> None:
    order = {
        "items": [
            {"price": "19.90", "count": "2"},
            {"price": 3.0, "count": 1.0},
            {"price": "007", "count": "+1"},
        ],
        "day": "2024-05-01T23:30:00+02:00",
        "paid": "false",
        "note": 5.0,
    }
    assert text(TYPED_TEXT, {"order": order}, *TYPED) == "2024-05-01 5 2x19.90=39.8 1x3=3 +1x007=7"


def test_values_of_the_wrong_type_are_told_by_their_places() -> None:
    order = {
        "items": [{"price": "dear", "count": 1.5}, "item", {"price": 1.0, "count": 2.0**60}],
        "day": "tomorrow",
        "paid": "no",
        "note": ["a"],
    }
    assert LiquidTemplate(Content("s", None, TYPED_TEXT), TYPED).invalid({"order": order}) == {
        "order.items[0].price": "is not of type NUMBER",
        "order.items[0].count": "is not of type INTEGER",
        "order.items[1]": "is not of type OBJECT",
        "order.items[2].count": "is an integer beyond 2^53, which must be passed as a string",
        "order.day": "is not of type TIMESTAMP",
        "order.paid": "is not of type BOOLEAN",
        "order.note": "is not of type STRING",
    }


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ x }}", ["a"]),
        ("{{ x }}", {"a": "b"}),
        ("{% for y in x %}{% endfor %}", "text"),
        ("{% for y in x %}{% endfor %}", {"a": "b"}),
        ("{{ x.y }}", "text"),
        ("{{ x.y }}", [1.0]),
        ("{{ x | times: 2 }}", "two"),
        ("{{ x | join }}", "text"),
        ("{% if x > 3 %}{% endif %}", "four"),
        ("{{ x | date: '%Y' }}", "May"),
        ("{% for i in (1..x) %}{% endfor %}", 1.5),
        ("{{ x }}", float("inf")),
        ("{% if x == 1 %}{% endif %}", float("nan")),
    ],
)
def test_values_that_the_template_cannot_use_are_invalid_before_it_is_rendered(
    source: str, value: Any
) -> None:
    template = LiquidTemplate(Content("s", None, source))
    assert list(template.invalid({"x": value})) == ["x"]
    with pytest.raises(InvalidValue):
        template.render({"x": value})


def test_values_nested_too_deeply_are_invalid() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    template = LiquidTemplate(Content("s", None, "{% if x %}{% endif %}"))
    (problem,) = template.invalid({"x": deep}).values()
    assert problem == "is nested too deeply"


@pytest.mark.parametrize("type_", [VariableType.STRING, VariableType.NUMBER, VariableType.LIST])
def test_a_declaration_that_the_content_does_not_hold_to_is_refused(type_: VariableType) -> None:
    with pytest.raises(BadTemplate) as caught:
        LiquidTemplate(Content("s", None, "{{ order.id }}"), [declared("order", type_)])
    assert (caught.value.field, caught.value.problem) == (
        "variables",
        f"order is used as OBJECT, not as {type_}",
    )
