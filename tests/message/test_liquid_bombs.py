"""Templates that would never end, or fill the memory: each is refused within its limits (security.md B2)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from postroom_server.message import links
from postroom_server.message.content import MAX_PART_OCTETS, Content
from postroom_server.message.liquid import limits
from postroom_server.message.liquid.template import LiquidTemplate
from postroom_server.message.template import BadTemplate, FailedRendering, Variable
from postroom_server.message.variable_types import VariableType

LISTS = [{"a": list(range(300)), "t": "x" * 50} for _ in range(30)]
LONG, NEARLY = "x" * 60_000, "x" * 59_999 + "y"
# Few items, with much inside: some 40 KB as JSON.
DEEP: list[Any] = [{f"k{n}": [n, {"a": 1}] for n in range(1500)}]
SAME: list[Any] = copy.deepcopy(DEEP)
GROWING = "{% assign s = 'xxxxxxxx' %}{% for i in (1..60) %}{% assign s = s | STEP %}{% endfor %}{{ s }}"
LISTING = (
    "{% assign s = 'a,b,c,d' | split: ',' %}{% for i in (1..11) %}{% assign s = s | concat: s %}{% endfor %}"
)
OFTEN = "{% for i in (1..9900) %}STEP{% endfor %}"


@pytest.mark.parametrize(
    ("source", "params", "problem"),
    [
        (
            "{% for a in (1..1000) %}{% for b in (1..1000) %}x{% endfor %}{% endfor %}",
            {},
            "loops more than 10000",
        ),
        ("{% for a in (1..9000) %}x{% endfor %}" * 2, {}, "loops more than 10000"),
        ("{% for a in (1..1000000000) %}x{% endfor %}", {}, "range of more than"),
        ("{% for a in (1..1000000000) reversed %}x{% endfor %}", {}, "range of more than"),
        ("{% for a in (1..9999999999) offset: 9999999990 %}x{% endfor %}", {}, "range of more than"),
        ("{{ (1..100000000) | join: ',' }}", {}, "range of more than"),
        ("{% if (1..100000000) contains 'x' %}{% endif %}", {}, "range of more than"),
        ("{{ (1..100000000000000000000000000) | size }}", {}, "range of more than"),
        (GROWING.replace("STEP", "append: s"), {}, "text of more than"),
        (GROWING.replace("STEP", "prepend: s"), {}, "text of more than"),
        (GROWING.replace("STEP", "replace: 'x', s"), {}, "text of more than"),
        (GROWING.replace("STEP", "replace: '', s"), {}, "text of more than"),
        (GROWING.replace("STEP", "split: '' | join: s"), {}, "text of more than"),
        (
            "{% for i in (1..9) %}{{ x | newline_to_br }}{% endfor %}",
            {"x": "\n" * 60_000},
            "text of more than",
        ),
        (
            "{% capture s %}xxxxxxxx{% endcapture %}{% for i in (1..60) %}"
            "{% capture s %}{{ s }}{{ s }}{% endcapture %}"
            "{% endfor %}",
            {},
            "is longer than 262144 octets",
        ),
        (LISTING.replace("11", "60"), {}, "list of more than"),
        (
            GROWING.replace("60", "14").replace("STEP", "append: s") + "{{ s | split: '' | size }}",
            {},
            "list of more than",
        ),
        (
            "{% assign s = l %}{% for i in (1..8) %}{% assign s = s | concat: s %}{% endfor %}"
            "{{ s | map: 'a' | join }}",
            {"l": LISTS},
            "list of more than",
        ),
        (LISTING + "{% for i in (1..100) %}{% assign q = s | uniq %}{% endfor %}", {}, "steps of work"),
        (LISTING + "{% for i in (1..100) %}{% assign q = s | sort %}{% endfor %}", {}, "steps of work"),
        (
            LISTING + "{% for i in (1..100) %}{% assign q = s | reverse | join %}{% endfor %}",
            {},
            "steps of work",
        ),
        (
            "{% assign n = 99999999999999999999 %}"
            "{% for i in (1..60) %}{% assign n = n | times: n %}{% endfor %}",
            {},
            "more than 256 bits",
        ),
        ("{{ " + "9" * 900 + " | plus: 2 }}", {}, "more than 256 bits"),
        ("{{ '1e300' | times: '1e300' }}", {}, "not finite"),
        ("{{ x | divided_by: 0 }}", {"x": 1.0}, "can't divide by 0"),
        (OFTEN.replace("STEP", "{{ x }}"), {"x": LONG}, "is longer than 1048576 octets"),
        (OFTEN.replace("STEP", "{% cycle x, x %}"), {"x": LONG}, "is longer than 1048576 octets"),
        ("".join(f"{{% assign a{i} = x %}}" for i in range(60)), {"x": LONG}, "in names of its own"),
        (OFTEN.replace("STEP", "{% if x == y %}{% endif %}"), {"x": LONG, "y": NEARLY}, "steps of work"),
        (
            OFTEN.replace("STEP", "{% if x contains y %}{% endif %}"),
            {"x": LONG, "y": "x" * 30_000 + "y"},
            "steps of work",
        ),
        (
            OFTEN.replace("STEP", "{% case x %}" + "{% when y %}" * 300 + "{% endcase %}"),
            {"x": LONG[:20_000], "y": NEARLY[-20_000:]},
            "steps of work",
        ),
        (OFTEN.replace("STEP", "".join(f"{{% assign a{i} = i %}}" for i in range(40))), {}, "steps of work"),
        (OFTEN.replace("STEP", "{{ x | truncatewords: 3 }}"), {"x": "x " * 30_000}, "steps of work"),
        ("{% for i in l limit: -1 %}{% endfor %}", {"l": LISTS}, "a limit below zero"),
        ("{{ d | date: f }}", {"d": "2024-05-01T00:00:00Z", "f": "%Y" * 5000}, "more than 256 characters"),
    ],
)
def test_b2_a_bomb_is_refused_within_its_limits(source: str, params: dict[str, Any], problem: str) -> None:
    template = LiquidTemplate(Content("s", None, source))
    with pytest.raises(FailedRendering) as caught:
        template.check(params)
    assert problem in caught.value.problem
    assert caught.value.field == "text"


def test_b2_the_parts_of_a_template_share_their_work() -> None:
    loop = "{% for a in (1..6000) %}{% endfor %}"
    LiquidTemplate(Content("s", loop)).check({})
    with pytest.raises(FailedRendering):
        LiquidTemplate(Content("s", loop, loop)).check({})


@pytest.mark.parametrize(
    ("most", "over"),
    [
        (
            f"{{% for a in (1..{limits.MAX_LOOP}) %}}{{% endfor %}}",
            f"{{% for a in (1..{limits.MAX_LOOP}) %}}{{% endfor %}}{{% for a in (1..1) %}}{{% endfor %}}",
        ),
        (f"{{% assign a = (1..{limits.MAX_LIST}) %}}", f"{{% assign a = (0..{limits.MAX_LIST}) %}}"),
        ("{{ x | replace: 'x', 'xx' | size }}", "{{ x | replace: 'x', 'xxx' | size }}"),
    ],
)
def test_limits_hold_one_past_them(most: str, over: str) -> None:
    params = {"x": "x" * (limits.MAX_TEXT // 2)}
    LiquidTemplate(Content("s", None, most)).check(params)
    with pytest.raises(FailedRendering):
        LiquidTemplate(Content("s", None, over)).check(params)


def test_a_part_may_be_as_long_as_any_and_no_longer() -> None:
    fill = "x" * (MAX_PART_OCTETS - 2)
    assert (
        len(LiquidTemplate(Content("s", None, fill + "{{ a }}")).render({"a": "字"[:0] + "ab"}).text)
        == MAX_PART_OCTETS
    )
    with pytest.raises(FailedRendering, match="is longer than"):
        LiquidTemplate(Content("s", None, fill + "{{ a }}")).check({"a": "字"})


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ a " * 50_000, "not closed within"),
        ("{% if " * 50_000, "not closed within"),
        ("{{" + " " * 100_000 + "x", "not closed within"),
        (("{{ a" + " " * 900 + "b }}") * 900, "spaces in a row"),
        ("{% raw %}" * 100_000, "raw is never closed"),
        ("{% comment %}" + "{% raw %}" * 100_000, "raw is never closed"),
        ("{% comment %}" * 50_000, "more than 4096 tags"),
        ("{{a}}" * 4097, "more than 4096 tags"),
        ("{{ " + "(" * 900 + " }}", "brackets"),
        ("{{ a" + "[" * 400 + " }}", "brackets"),
        ("{% if a" + " and a" * 65 + " %}{% endif %}", "conditions"),
        ("{% if a" + " or a" * 10_000 + " %}{% endif %}", "not closed within"),
        ("{% if a %}" * 21 + "{% endif %}" * 21, "nesting limit"),
        ("{% capture a %}" * 2000, "nesting limit"),
        ("{{ a" + ".a" * 400 + " }}", "is too long a path"),
    ],
)
def test_b2_a_source_that_would_keep_the_parser_busy_is_not_parsed(source: str, problem: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        LiquidTemplate(Content("s", source))
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    "source",
    [
        "{{a}}" * limits.MAX_TAGS,
        "{% if a %}" * limits.MAX_NESTING + "{% endif %}" * limits.MAX_NESTING,
        "{% raw %}" * 5000 + "{{ a }}{% endraw %}",
        "{% if a" + " and a" * 60 + " %}{% endif %}",
        "{{ '" + "a" * (limits.MAX_TAG_CHARACTERS - 10) + "' }}",
        "{% for a in b %}" * 20 + "<p title='{{ a }}'>" + "{% endfor %}" * 20,
    ],
)
def test_sources_at_the_limits_are_compiled(source: str) -> None:
    assert LiquidTemplate(Content("s", source)).problems() == []


def test_b2_ways_through_a_page_are_followed_only_so_far() -> None:
    source = "<a" + "{% if a %}b{% else %}c{% endif %}" * 40 + ">"
    (problem,) = LiquidTemplate(Content("s", source)).problems()
    assert "too many conditions" in str(problem)


@pytest.mark.parametrize(
    "step",
    [
        "{% assign u = b | uniq %}",
        "{% assign u = w | uniq: 'z' %}",
        "{% if b == c %}{% endif %}",
        "{% if w != v %}{% endif %}",
        "{% if w contains v[0] %}{% endif %}",
        "{% case b %}{% when c %}{% endcase %}",
        "{% assign u = w | where: 'z', c %}",
        "{% assign u = w | reject: 'z', c %}",
        "{% assign u = w | find: 'z', c %}",
        "{% assign u = w | map: 'z' | uniq %}",
    ],
)
def test_b2_what_is_nested_is_paid_for(step: str) -> None:
    params = {"b": DEEP, "c": SAME, "w": [{"z": DEEP}], "v": [{"z": SAME}]}
    known = [Variable(name, declared=True) for name in params]
    template = LiquidTemplate(Content("s", None, "{% for i in (1..60) %}" + step + "{% endfor %}"), known)
    with pytest.raises(FailedRendering, match="steps of work"):
        template.check(params)
    assert template.is_slow


@pytest.mark.parametrize(
    ("step", "params"),
    [
        ("{% assign u = l | sort: 'n' %}", {"l": [{"n": n} for n in range(3000)]}),
        ("{% assign u = l | sort_natural %}", {"l": [str(n) for n in range(3000)]}),
        ("{% assign u = l | concat: l %}", {"l": list(range(3000))}),
        ("{% assign u = l | map: 'n' %}", {"l": [{"n": n} for n in range(3000)]}),
        ("{{ s | replace: 'x', 'y' | size }}", {"s": LONG}),
        ("{{ s | remove_last: t | size }}", {"s": LONG[:9000], "t": "xy" + LONG[:4000]}),
        ("{{ s | url_encode | size }}", {"s": "&" * 9000}),
        ("{{ s | append: s | size }}", {"s": LONG}),
        ("{% if s contains t %}{% endif %}", {"s": LONG[:9000], "t": LONG[:4000] + "y" + LONG[:4000]}),
        ("{% assign r = (1..9000) %}{% if r contains 'x' %}{% endif %}" * 8, {}),
    ],
)
def test_b2_filters_and_searches_are_paid_for_by_what_they_do(step: str, params: dict[str, Any]) -> None:
    known = [Variable(name, declared=True) for name in params]
    template = LiquidTemplate(Content("s", None, "{% for i in (1..900) %}" + step + "{% endfor %}"), known)
    with pytest.raises(FailedRendering, match="steps of work"):
        template.check(params)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{% assign u = w | sort: 'z' %}", "sorts by lists or objects"),
        ("{% assign u = w | sort_natural: 'z' %}", "sorts by lists or objects"),
        ("{% assign u = w | sort_natural %}", "sorts by lists or objects"),
        ("{% assign u = w | map: w %}", "a list or an object"),
        ("{% assign u = w | map: s %}", "the name of a field of more than 255 characters"),
        ("{% if s contains w %}{% endif %}", "looks for a list or an object in a text"),
    ],
)
def test_b2_lists_and_objects_are_neither_keys_nor_texts(source: str, problem: str) -> None:
    params = {"w": [{"z": DEEP}, {"z": SAME}], "s": "x" * 256}
    known = [Variable(name, declared=True) for name in params]
    with pytest.raises(FailedRendering, match=problem):
        LiquidTemplate(Content("s", None, source), known).check(params)


def test_b2_the_pairs_of_an_object_are_paid_for() -> None:
    known = [Variable("d", declared=True, type=VariableType.OBJECT)]
    source = "{% for i in (1..900) %}{% for q in d limit: 1 %}{% endfor %}{% endfor %}"
    with pytest.raises(FailedRendering, match="steps of work"):
        LiquidTemplate(Content("s", None, source), known).check({"d": DEEP[0]})


def test_comparing_a_list_with_nothing_costs_nothing_for_what_is_in_it() -> None:
    template = LiquidTemplate(Content("s", None, "{% if b == empty or b == nil or b == 1 %}{% endif %}"))
    assert template.check({"b": DEEP}) < 20


def test_b2_rounding_to_far_digits_is_rounding_to_a_hundred() -> None:
    assert LiquidTemplate(Content("s", None, "{{ 5 | round: -100000000 }}")).render({}).text == "0"


def test_b2_an_address_of_many_values_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(links, "unsafe_scheme", lambda address: looked.append(address))
    page = "<a href='{% for i in (1..50) %}{{ i }}{% endfor %}'>x</a><a href='{{ x }}'>y</a>"
    LiquidTemplate(Content("s", page)).check({"x": "z"})
    assert looked == ["".join(str(n) for n in range(1, 51)), "z"]
