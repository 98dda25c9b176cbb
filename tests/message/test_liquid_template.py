"""LIQUID templates: what they say, and what they have no words for (security.md B1)."""

from __future__ import annotations

import concurrent.futures
import os
import subprocess
import sys
from typing import Any

import pytest

from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.message.template import (
    BadTemplate,
    Content,
    InvalidValue,
    MissingVariables,
    Rendered,
    TakesLong,
    Variable,
)

LINK = {"user_defined_unsubscribe_link": "https://u.example/x"}
ORDER = Content(
    "Order {{ order.id }}",
    "<ul>{% for item in order.items %}<li>{{ item.title }}: {{ item.price }}</li>{% endfor %}</ul>",
    "{% for item in order.items %}{{ forloop.index }}. {{ item.title }}\n{% endfor %}",
)


def page(source: str, *declared: Variable) -> LiquidTemplate:
    return LiquidTemplate(Content("s", source), declared)


def text(source: str, params: dict[str, Any] | None = None, *declared: Variable) -> str:
    return LiquidTemplate(Content("s", None, source), declared).render(params or {}).text


def test_loops_and_fields_are_rendered_escaped_in_html_and_plain_elsewhere() -> None:
    items = [{"title": '<b> & "it\'s"', "price": 2.0}, {"title": "Tea", "price": 1.5}]

    rendered = LiquidTemplate(ORDER).render({"order": {"id": 17.0, "items": items}})

    assert rendered == Rendered(
        "Order 17",
        "<ul><li>&lt;b&gt; &amp; &quot;it&#x27;s&quot;: 2</li><li>Tea: 1.5</li></ul>",
        '1. <b> & "it\'s"\n2. Tea\n',
    )


def test_without_a_text_part_it_is_derived_from_the_page() -> None:
    assert page("<p>Hi {{ name }}</p><p>Bye</p>").render({"name": "<Li>"}).text == "Hi <Li>\n\nBye"


@pytest.mark.parametrize(
    "path",
    ["x.__class__", "x.upper", "x.__len__", "items.append", "order.keys", "order.items.__init__", "n.real"],
)
def test_b1_there_is_nothing_behind_data_but_data(path: str) -> None:
    template = LiquidTemplate(
        Content("s", None, f"{{{{ {path} }}}}"), [Variable("order"), Variable("x"), Variable("n")]
    )
    params = {"x": "text", "items": [1.0], "order": {"items": [1.0]}, "n": 1.0}
    with pytest.raises((MissingVariables, InvalidValue)):
        template.render(params)


@pytest.mark.parametrize("name", ["now", "today", "forloop", "template", "self"])
def test_there_is_no_clock_and_nothing_else_that_nobody_gave(name: str) -> None:
    with pytest.raises(MissingVariables) as caught:
        text(f"{{{{ {name} }}}}")
    assert caught.value.names == (name,)


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("{% include 'x' %}", "unexpected tag 'include'"),
        ("{% render 'x' %}", "unexpected tag 'render'"),
        ("{% tablerow x in y %}{% endtablerow %}", "unexpected tag 'tablerow'"),
        ("{% liquid\necho x %}", "unexpected tag 'liquid'"),
        ("{% increment x %}", "unexpected tag 'increment'"),
        ("{% doc %}{% enddoc %}", "there is no tag doc"),
        ("{{ x | safe }}", "there is no filter safe"),
        ("{{ x | escape }}", "there is no filter escape"),
        ("{{ x | json }}", "there is no filter json"),
        ("{{ x | append }}", "the filter append takes 1 arguments"),
        ("{{ x | default: 1, nice: 2 }}", "the filter default takes no nice"),
        ("{% for x in y %}", "expected tag"),
        ("{% break %}", "{% break %} stands outside of a loop"),
        ("{% if x %}{% else", "a tag is not closed within 1000 characters"),
        ("{{ }}", "a tag is empty"),
        ("{{ имя }}", "имя is not a name that a variable can have"),
        ("{{ system.clock }}", "system.clock is no value of the system's"),
        ("{% assign system = 1 %}", "system is the system's name"),
    ],
)
def test_what_is_no_liquid_here_is_refused_with_its_line(tag: str, problem: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        LiquidTemplate(Content("s", None, f"one\n{tag}"))
    assert caught.value.field == "text"
    assert problem in caught.value.problem
    assert "in line " in caught.value.problem


def test_the_systems_values_are_there_and_an_empty_one_is_nothing() -> None:
    source = "{% if system.unsubscribe_link %}<a href='{{ system.unsubscribe_link }}'>stop</a>{% endif %}|"
    assert page(source).render({}, LINK).html == "<a href='https://u.example/x'>stop</a>|"
    assert page(source).render({}, {"user_defined_unsubscribe_link": ""}).html == "|"
    assert page("[{{ system.unsubscribe_link }}]").render({}).html == "[]"
    assert page(source).unused({"system": {}}) == ["system"]


def test_a_verification_code_is_an_ordinary_variable_and_known_to_be_shown() -> None:
    shown = LiquidTemplate(Content("Hi", "<p>{{ verificationCode }}</p>", "{{ verificationCode }}"))
    assert shown.shows("verificationCode")
    assert LiquidTemplate(Content("{{ verificationCode }}", "<p>x</p>")).shows("verificationCode")
    assert not LiquidTemplate(Content("{{ verificationCode }}", "<p>x</p>")).shows(
        "verificationCode", own_subject=False
    )
    assert not LiquidTemplate(Content("Hi", "<p>{{ verificationCode }}</p>", "x")).shows("verificationCode")


def test_a_sketch_shows_what_can_be_shown() -> None:
    sketch = LiquidTemplate(ORDER).sketch(
        {"order": {"items": [{"title": "a"}, {"title": ["b"], "price": 1.0}]}}
    )
    assert (sketch.subject, sketch.html) == ("Order ", "<ul><li>a: </li><li>: 1</li></ul>")


def test_few_steps_are_told_from_all_that_there_are() -> None:
    template = LiquidTemplate(Content("s", None, "{% for i in (1..200) %}{{ i }}{% endfor %}"))
    used = template.check({})
    assert template.check({}, steps=used) == used
    with pytest.raises(TakesLong):
        template.check({}, steps=used - 1)


def test_what_took_long_is_rendered_beside_the_loop() -> None:
    template = LiquidTemplate(Content("s", None, "{% for i in items %}{{ i }}{% endfor %}"))
    template.check({"items": ["a"]})
    assert not template.is_slow
    template.check({"items": ["a"] * 1000})
    assert template.is_slow


def test_threads_share_a_template() -> None:
    template = LiquidTemplate(ORDER)

    def render(number: int) -> str:
        items = [{"title": f"{number}-{i}", "price": float(i)} for i in range(20)]
        return template.render({"order": {"id": float(number), "items": items}}).text

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(render, range(64)))
    assert said == ["".join(f"{i + 1}. {n}-{i}\n" for i in range(20)) for n in range(64)]


_PROGRAM = """
import hashlib
from postroom_server.message.content import Content
from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.message.template import Variable
from postroom_server.message.variable_types import VariableType
template = LiquidTemplate(Content(
    "{{ a.b | default: 'x' }}",
    "{% for p in o %}{{ p[0] }}{{ p[1] }}{% endfor %}{{ l | uniq | sort | join }}{% cycle 'a', 'b' %}"
    "{{ d | date: '%A %-d %B %Y %I %p %z' }}{{ 1 | divided_by: 3.0 }}{{ l | map: 'z' | compact | size }}"),
    [Variable("o", type=VariableType.OBJECT, declared=True)])
pairs = {"k%d" % i: float(i) for i in range(50)}
said = template.render({"a": {}, "o": pairs, "l": [], "d": "2024-05-01T09:30:00Z"})
print([variable.name for variable in template.variables], hashlib.sha256(repr(said).encode()).hexdigest())
"""


def test_two_processes_write_the_same_bytes() -> None:
    def run(seed: str, zone: str) -> bytes:
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "TZ": zone,
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        return subprocess.run(
            [sys.executable, "-c", _PROGRAM], env=environment, check=True, capture_output=True
        ).stdout

    assert run("1", "UTC") == run("2", "Asia/Shanghai")
