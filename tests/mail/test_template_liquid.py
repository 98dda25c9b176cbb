"""LIQUID templates and typed variables, from saving to sending (security.md B1-B6)."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from accepting import Accepting, templated
from fakes import ManualClock
from peers.configuration import AUTHOR, Configuration, template
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.rendering import StoredSource
from postroom_server.mail.template_content import check_content, check_samples
from postroom_server.mail.template_form import ContentForm, VariableForm, VariableType, VariantForm
from postroom_server.mail.template_variables import MAX_VARIABLES
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.models import Content, Email, Syntax
from postroom_server.store.opening import OpenDatabase
from postroom_server.store.versions import NotCompiled, NotTried

LIMITS = Limits(params_names=256, params_bytes=65_536, template_bytes=1 << 20)
LOOP = (
    "<ul>{% for item in order.items %}<li>{{ item.title }} {{ item.price | times: 2 }}</li>{% endfor %}</ul>"
)
ORDER = {"id": "17", "items": [{"title": "<Tea>", "price": "1.50"}, {"title": "Cup", "price": 3.0}]}


def liquid(html: str = LOOP, *declared: VariableForm, **more: Any) -> ContentForm:
    return ContentForm(
        Syntax.LIQUID, "en", (VariantForm("en", "Order {{ order.id }}", html),), declared, **more
    )


def checked(form: ContentForm) -> tuple[ContentForm, list[tuple[str, str]]]:
    found = Findings("template.")
    content = check_content(form, found, tenant_language="en", limits=LIMITS)
    if not found.violations:
        check_samples(content, found, LIMITS)
    return content, [
        (violation.field.removeprefix("template.content."), violation.description)
        for violation in found.violations
    ]


def told(content: ContentForm) -> list[tuple[str, str, bool, bool]]:
    return [(one.name, str(one.type), bool(one.required), one.declared) for one in content.variables]


DISCOVERED = [
    ("order", "OBJECT", True, False),
    ("order.id", "", True, False),
    ("order.items", "LIST", True, False),
    ("order.items[].title", "", True, False),
    ("order.items[].price", "NUMBER", True, False),
]


def test_variables_are_discovered_with_their_paths_and_types() -> None:
    content, violations = checked(liquid())
    assert (told(content), violations) == (DISCOVERED, [])


def test_what_is_declared_goes_before_what_is_discovered() -> None:
    declared = (
        VariableForm("order.items[].price", VariableType.INTEGER),
        VariableForm("order.note", VariableType.STRING, required=False),
        VariableForm("order.items[].count", VariableType.INTEGER, default=1.0),
    )
    content, violations = checked(liquid(LOOP, *declared))
    assert violations == []
    assert told(content) == [
        ("order.items[].price", "INTEGER", True, True),
        ("order.note", "STRING", False, True),
        ("order.items[].count", "INTEGER", False, True),
        *DISCOVERED[:4],
    ]


def test_every_language_adds_to_what_is_discovered() -> None:
    variants = (
        VariantForm("en", "{{ a }}", "", "{% if b %}{{ b }}{% endif %}{{ c }}{% for x in d %}{% endfor %}"),
        VariantForm("de", "{{ a }}", "", "{{ b }}{{ c | times: 2 }}{{ d }}{{ e }}"),
    )
    content, violations = checked(ContentForm(Syntax.LIQUID, "en", variants))
    assert violations == []
    assert told(content) == [
        ("a", "", True, False),
        ("b", "", True, False),
        ("c", "NUMBER", True, False),
        ("d", "LIST", True, False),
        ("e", "", True, False),
    ]


@pytest.mark.parametrize(
    ("form", "field", "problem"),
    [
        (liquid("{{ x"), "variants[0].html", "a tag is not closed"),
        (liquid("{{ x | nope }}"), "variants[0].html", "there is no filter nope"),
        (
            liquid("<p class={{ x }}>"),
            "variants[0].html",
            "{{ x }} in line 1 stands in the attribute class without",
        ),
        (
            liquid("<script>{% if x %}{% endif %}</script>"),
            "variants[0].html",
            "{% if x %} in line 1 stands in <script>",
        ),
        (liquid("{% include 'x' %}"), "variants[0].html", "unexpected tag 'include'"),
        (liquid("x", VariableForm("a b")), "variables[0].name", "must be a path such as"),
        (liquid("x", VariableForm("[]")), "variables[0].name", "must be a path such as"),
        (liquid("x", VariableForm("a..b")), "variables[0].name", "must be a path such as"),
        (liquid("x", VariableForm("a" * 256)), "variables[0].name", "must be a path such as"),
        (liquid("x", VariableForm(".".join("a" * 17))), "variables[0].name", "must be a path such as"),
        (liquid("x", VariableForm("system.x")), "variables[0].name", "system is the system's"),
        (liquid("x", VariableForm("a", literal=True)), "variables[0].literal", "is for PERCENT only"),
        (liquid("x", VariableForm("a", VariableType.LIST, raw=True)), "variables[0].raw", "LIST has no text"),
        (
            liquid("x", VariableForm("a", VariableType.LIST, default="[1]")),
            "variables[0].default_value",
            "of type LIST",
        ),
        (
            liquid("x", VariableForm("a", required=False), VariableForm("a", required=False)),
            "variables[1].name",
            "already",
        ),
        (
            liquid(LOOP, VariableForm("order", VariableType.STRING)),
            "variables",
            "order is used as OBJECT, not as STRING",
        ),
        (
            liquid("<p title='{{ r }}'>", VariableForm("r", raw=True)),
            "variants[0].html",
            "is raw and stands inside a tag",
        ),
        (liquid("{{ a }}" * 4097), "variants[0].html", "more than 4096 tags"),
    ],
)
def test_content_that_cannot_be_sent_is_not_saved(form: ContentForm, field: str, problem: str) -> None:
    _, violations = checked(form)
    assert [(where, problem in what) for where, what in violations] == [(field, True)]


def test_paths_at_their_limits_are_taken() -> None:
    paths = (".".join(["a" * 63] * 3) + "." + "b" * 63, ".".join("a" * 16), "a[]" + "[]" * 14)
    content, violations = checked(liquid("x", *(VariableForm(path, required=False) for path in paths)))
    assert violations == []
    assert [one.name for one in content.variables[:3]] == list(paths)


def test_variables_are_counted_with_the_discovered() -> None:
    fields = "".join(f"{{{{ o.f{n} }}}}" for n in range(MAX_VARIABLES - 3))
    assert checked(liquid(fields))[1] == []
    _, violations = checked(liquid(fields + "{{ p }}"))
    assert violations == [("variables", "257 with the discovered; at most 256")]


@pytest.mark.parametrize(
    ("samples", "fields"),
    [
        ({"order": ORDER}, []),
        ({"order": {**ORDER, "other": 1.0}}, []),
        ({}, ["sample_params.order"]),
        ({"order": {"id": "1"}}, ["sample_params.order.items"]),
        (
            {"order": {"id": "1", "items": [{"title": "a", "price": "x"}]}},
            ["sample_params.order.items[0].price"],
        ),
        ({"order": {"id": "a\nb", "items": []}}, ["variants[0].subject"]),
        ({"order": {"id": "1", "items": "none"}}, ["sample_params.order.items"]),
    ],
)
def test_samples_render_in_every_language_or_are_refused_with_the_path(
    samples: dict[str, Any], fields: list[str]
) -> None:
    form = liquid(sample_params=samples)
    form = dataclasses.replace(
        form, variants=(*form.variants, VariantForm("de", "Auftrag", "", "{{ order.id }}"))
    )
    assert [field for field, _ in checked(form)[1]] == fields


def test_b2_samples_that_set_off_a_bomb_are_refused() -> None:
    form = liquid(
        "{% for a in order.items %}{% for b in (1..9999) %}{{ b }}{% endfor %}{% endfor %}",
        sample_params={"order": ORDER},
    )
    assert checked(form)[1] == [
        ("variants[0].html", "with the samples goes through loops more than 10000 times")
    ]


def test_content_that_comes_back_as_it_was_answered_is_the_same() -> None:
    declared = VariableForm("order.note", VariableType.STRING, required=False)
    content, _ = checked(liquid(LOOP + "{% if order.x %}{{ order.x }}{% endif %}", declared))
    again, violations = checked(content)
    assert (told(again), violations) == (told(content), [])
    # What the content no longer holds is not required of anybody.
    shorter, violations = checked(
        dataclasses.replace(content, variants=(VariantForm("en", "{{ order.id }}", "x"),))
    )
    assert violations == []
    assert [one.name for one in shorter.variables if one.required] == ["order", "order.id"]


class World(Configuration):
    async def render(self, source: Any, params: Any = None) -> Any:
        return await self.store.read(self.rendering.render, AUTHOR, None, source, params, "")


@pytest.fixture
async def configured(opened: OpenDatabase) -> World:
    made = World(opened, ManualClock())
    await made.fill()
    return made


async def test_what_is_stored_comes_back_with_types_and_defaults(configured: World) -> None:
    declared = (
        VariableForm("order.items[].count", VariableType.INTEGER, default=2.0),
        VariableForm("extra", VariableType.OBJECT, default={"a": [1.0, True, None, "x"]}),
        VariableForm("tags", VariableType.LIST, default=["a"]),
    )
    body = liquid(LOOP, *declared, sample_params={"order": ORDER})
    await configured.new_template(template(body=body))
    record = await configured.store.read(configured.templates.get, AUTHOR, None, "welcome")
    content = record.content
    assert content is not None
    assert content.syntax is Syntax.LIQUID
    assert told(content)[3:] == DISCOVERED
    assert [one.default for one in content.variables[:3]] == [2.0, {"a": [1.0, True, None, "x"]}, ["a"]]
    assert content.sample_params == {"order": ORDER}


async def test_a_preview_is_what_a_send_says_and_names_what_stands_in_its_way(configured: World) -> None:
    await configured.new_template(template(body=liquid(sample_params={"order": ORDER})))
    preview = await configured.render(StoredSource("welcome"))
    assert preview.rendered.subject == "Order 17"
    assert preview.rendered.html == "<ul><li>&lt;Tea&gt; 3</li><li>Cup 6</li></ul>"
    assert preview.violations == ()
    wrong = {"order": {"items": [{"title": "a", "price": "x"}], "day": "x"}, "other": 1.0}
    preview = await configured.render(StoredSource("welcome"), wrong)
    assert {one.field: one.description for one in preview.violations} == {
        "params.order.id": "has no value",
        "params.order.items[0].price": "is not of type NUMBER",
        "params.order.day": "is no variable of the template",
        "params.other": "is no variable of the template",
    }
    assert (preview.missing, set(preview.unused)) == (("order.id",), {"order.day", "other"})


async def test_a_preview_of_what_cannot_be_rendered_says_why(configured: World) -> None:
    preview = await configured.render(
        liquid("{{ order.a | divided_by: order.b }}"), {"order": {"id": "1", "a": 1.0, "b": 0.0}}
    )
    assert [(one.field, one.reason) for one in preview.violations] == [
        ("params (html)", Reason.TEMPLATE_VARIABLE_INVALID)
    ]
    preview = await configured.render(liquid("{{ order.items[2] }}"), {"order": {"id": "1", "items": ["a"]}})
    assert [one.field for one in preview.violations] == ["params.order.items[2]"]


@pytest.fixture
async def world(opened: OpenDatabase) -> Accepting:
    made = Accepting(opened)
    await made.fill()
    await made.add_server()
    return made


async def accept(world: Accepting, params: dict[str, Any], **changes: Any) -> Any:
    """Accepts as the server does: what is not ready is made ready first."""
    made = templated(params=params, **changes)
    for _ in range(3):
        try:
            return await world.accept(made)
        except (NotCompiled, NotTried) as waiting:
            await world.store.read(world.memory.prepare, waiting)
    return await world.accept(made)


async def refusal_of(world: Accepting, params: dict[str, Any], **changes: Any) -> Refusal:
    before = await world.counts()
    with pytest.raises(Refusal) as caught:
        await accept(world, params, **changes)
    assert await world.counts() == before
    assert not isinstance(caught.value, NotCompiled | NotTried)
    return caught.value


async def test_liquid_is_never_compiled_where_writes_wait(world: Accepting) -> None:
    await world.new_template(template(body=liquid()))
    with pytest.raises(NotCompiled):
        await world.accept(templated(params={"order": ORDER}))
    await accept(world, {"order": ORDER})
    (row,) = await world.rows(Email)
    assert (row.invoke_name, row.template_language) == ("welcome", "en")
    (content,) = await world.rows(Content)
    assert "&lt;" not in content.params


async def test_b5_everything_that_is_wrong_is_told_at_once_with_its_path(world: Accepting) -> None:
    await world.new_template(template(body=liquid()))
    order = {"items": [{"title": None, "price": 1.0}, {"title": "a", "price": "b", "size": 1.0}]}
    refusal = await refusal_of(world, {"order": order, "colour": "red"})
    assert refusal.reason is Reason.TEMPLATE_VARIABLE_INVALID
    assert {one.field: one.description for one in refusal.violations} == {
        "template.params.order.id": "has no value",
        "template.params.order.items[0].title": "has no value",
        "template.params.order.items[1].price": "is not of type NUMBER",
        "template.params.order.items[1].size": "is no variable of the template",
        "template.params.colour": "is no variable of the template",
    }


async def test_each_recipients_values_are_told_under_their_address(world: Accepting) -> None:
    await world.new_template(template(body=liquid()))
    own = {"a@x.test": {"order": ORDER}, "b@x.test": {"order": {"items": []}}}
    refusal = await refusal_of(world, {}, to=tuple(own), recipient_params=own)
    assert [one.field for one in refusal.violations] == ["template.recipient_params['b@x.test'].order.id"]


@pytest.mark.parametrize(
    ("html", "order", "reason", "field"),
    [
        (
            "<a href='{{ order.url }}'>x</a>",
            {"id": "1", "url": "javascript:x"},
            Reason.UNSAFE_CONTENT,
            "template.params",
        ),
        ("x", {"id": "a\r\nBcc: b"}, Reason.UNSAFE_CONTENT, "template.params"),
        (
            "{{ order.items[3] }}",
            {"id": "1", "items": []},
            Reason.TEMPLATE_VARIABLE_INVALID,
            "template.params.order.items[3]",
        ),
        (
            "{% for i in (1..9999) %}{% for j in (i..9999) %}{% endfor %}{% endfor %}",
            {"id": "1"},
            Reason.TEMPLATE_VARIABLE_INVALID,
            "template.params",
        ),
        (
            "{% for i in (1..3000) %}{{ i }}{% endfor %}{{ 1 | divided_by: order.n }}",
            {"id": "1", "n": 0.0},
            Reason.TEMPLATE_VARIABLE_INVALID,
            "template.params",
        ),
    ],
)
async def test_a3_b2_b3_what_would_be_rendered_is_checked(
    world: Accepting, html: str, order: dict[str, Any], reason: Reason, field: str
) -> None:
    await world.new_template(template(body=liquid(html)))
    refusal = await refusal_of(world, {"order": order})
    assert (refusal.reason, [one.field for one in refusal.violations]) == (reason, [field])


async def test_b2_long_renderings_are_tried_where_nobody_waits(world: Accepting) -> None:
    await world.new_template(
        template(body=liquid("{% for i in (1..3000) %}{{ i }}{% endfor %}{{ order.n }}"))
    )
    params = {"order": {"id": "1", "n": "x"}}
    with pytest.raises(NotCompiled) as caught:
        await world.accept(templated(params=params))
    await world.store.read(world.memory.prepare, caught.value)
    with pytest.raises(NotTried) as tried:
        await world.accept(templated(params=params))
    await world.store.read(world.memory.prepare, tried.value)
    await world.accept(templated(params=params))
    # Another value is another rendering.
    with pytest.raises(NotTried):
        await world.accept(templated(params={"order": {"id": "1", "n": "y"}}))


async def test_b2_the_recipients_of_one_email_share_what_may_be_tried(
    world: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroom_server.store.versions._STEPS_OF_TRIALS", 30_000)
    await world.new_template(template(body=liquid("{% for i in (1..3000) %}{{ i }}{% endfor %}")))
    own = {f"a{n}@x.test": {"order": {"id": str(n)}} for n in range(6)}
    refusal = await refusal_of(world, {}, to=tuple(own), recipient_params=own)
    assert [one.field for one in refusal.violations] == [
        f"template.recipient_params['a{n}@x.test']" for n in range(3, 6)
    ]
    assert "too much work for so many recipients" in refusal.violations[0].description


async def test_a_code_mail_may_be_liquid(world: Accepting) -> None:
    body = ContentForm(Syntax.LIQUID, "en", (VariantForm("en", "Hi", "<p>{{ verificationCode }}</p>"),))
    await world.new_template(template(body=body))
    await accept(world, {}, has_verification=True, biz_key="LOGIN")
    without = ContentForm(Syntax.LIQUID, "en", (VariantForm("en", "Hi", "<p>x</p>"),))
    await world.new_template(template("silent", without))
    with pytest.raises(NotCompiled) as waiting:
        await world.accept(templated("silent", params={}, has_verification=True, biz_key="LOGIN"))
    await world.store.read(world.memory.prepare, waiting.value)
    with pytest.raises(Refusal) as caught:
        await world.accept(templated("silent", params={}, has_verification=True, biz_key="LOGIN"))
    assert [one.field for one in caught.value.violations] == ["verification"]


def test_python_liquid_is_loaded_with_the_first_liquid_template() -> None:
    program = (
        "import sys; import postroom_server.assembly, postroom_server.servicers, postroom_server.cli\n"
        "from postroom_server.message.compiling import compile_template\n"
        "from postroom_server.message.template import Content\n"
        "compile_template(Content('%a%', 'x'), (), 'PERCENT'); print('liquid' in sys.modules)\n"
        "compile_template(Content('{{ a }}', 'x'), (), 'LIQUID'); print('liquid' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["False", "True"]
