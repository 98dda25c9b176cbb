"""What can be saved in a template (security.md B2, B3; dialect-sendcloud.md §2)."""

from __future__ import annotations

from typing import Any

import pytest

from postroom_server.mail.compiled_content import compile_content
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_content import check_content, check_samples
from postroom_server.mail.template_form import ContentForm, VariableForm, VariableType, VariantForm
from postroom_server.mail.variable_types import value_of
from postroom_server.message.variable_types import problem_of
from postroom_server.refusals import Reason, Violation
from postroom_server.store.models import Syntax

SMALL = Limits(template_bytes=100, params_bytes=200, params_names=3)
VARIANT = VariantForm("en", "Hi", "<p>Hi</p>")


def checked(
    form: ContentForm, limits: Limits = SMALL, language: str = "en"
) -> tuple[ContentForm, list[Violation]]:
    found = Findings("template.")
    content = check_content(form, found, tenant_language=language, limits=limits)
    if not found.violations:
        check_samples(content, found, limits)
    return content, found.violations


def fields_refused(form: ContentForm, limits: Limits = SMALL) -> list[str]:
    return [violation.field.removeprefix("template.content.") for violation in checked(form, limits)[1]]


def variables(*given: VariableForm, html: str = "<p>Hi</p>", **more: Any) -> ContentForm:
    return ContentForm(variants=(VariantForm("en", "Hi", html),), variables=given, **more)


def discovered(subject: str, html: str = "", text: str = "x") -> list[str]:
    content, violations = checked(ContentForm(variants=(VariantForm("en", subject, html, text),)))
    assert violations == []
    return [variable.name for variable in content.variables]


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (ContentForm(), ["variants"]),
        (ContentForm(variants=(VARIANT,) * 51), ["variants"]),
        (ContentForm(variants=(VARIANT, VariantForm("EN", "Hi", "x"))), ["variants[1].language"]),
        (ContentForm(variants=(VARIANT, VariantForm("", "Hi", "x"))), ["variants[1].language"]),
        (ContentForm(variants=(VariantForm("e", "Hi", "x"),)), ["variants[0].language"]),
        (ContentForm(variants=(VariantForm("en", "", "x"),)), ["variants[0].subject"]),
        (ContentForm(variants=(VariantForm("en", "x" * 257, "x"),)), ["variants[0].subject"]),
        (ContentForm(variants=(VariantForm("en", "a\r\nBcc: b", "x"),)), ["variants[0].subject"]),
        (ContentForm(variants=(VariantForm("en", "Hi"),)), ["variants[0]"]),
        (ContentForm(variants=(VariantForm("en", "Hi", "x" * 101),)), ["variants[0].html"]),
        (ContentForm(variants=(VariantForm("en", "Hi", "", "字" * 34),)), ["variants[0].text"]),
        (ContentForm(variants=(VariantForm("en", "Hi", "a\0b"),)), ["variants[0].html"]),
        (ContentForm(variants=(VARIANT,), default_language="de"), ["default_language"]),
        (ContentForm(variants=(VARIANT,), default_language="!"), ["default_language"]),
        (ContentForm(variants=(VARIANT,), validity=999), ["validity"]),
        (ContentForm(variants=(VARIANT,), validity=86_400_001), ["validity"]),
        (ContentForm(Syntax.LIQUID, "de", (VariantForm("en", "", "x"),)),
         ["variants[0].subject", "default_language"]),
    ],
)  # fmt: skip
def test_rules_of_texts(form: ContentForm, fields: list[str]) -> None:
    assert fields_refused(form) == fields


def test_sizes_at_their_limits_are_taken() -> None:
    full = VariantForm("en", "x" * 256, "x" * 100, "字" * 33 + "x")
    assert fields_refused(ContentForm(variants=(full,))) == []


def test_all_parts_together_hold_three_times_the_limit_of_one() -> None:
    tags = ["en", "de", "fr"]
    full = tuple(VariantForm(tag, "Hi", "x" * 100) for tag in tags)
    over = (*full[:2], VariantForm("fr", "Hi", "x" * 100, "y"))
    assert fields_refused(ContentForm(variants=full)) == []
    assert fields_refused(ContentForm(variants=over)) == ["variants"]


def test_the_first_variant_is_the_default_one_and_the_tenants_language_names_it() -> None:
    variants = (VariantForm("", "Hallo", "x"), VariantForm("en", "Hi", "x"))
    content, violations = checked(ContentForm(variants=variants), language="de-AT")
    assert violations == []
    assert (content.default_language, content.variants[0].language) == ("de-AT", "de-AT")


@pytest.mark.parametrize(
    ("subject", "html", "text", "names"),
    [
        ("%a%", "<p>%b%</p>", "%c% %a%", ["a", "b", "c"]),
        ("width:100%;height:50%", "", "x", []),
        ("x", "<a href='https://x/?q=%E4%BD%A0'>x</a>", "", []),
        ("%%user_defined_unsubscribe_link%%", "", "x", []),
        ("%a.b-c_1%%a%", "", "x", ["a.b-c_1", "a"]),
        ("%1a% %a b% %%", "", "x", []),
    ],
)
def test_discovery(subject: str, html: str, text: str, names: list[str]) -> None:
    assert discovered(subject, html, text) == names


def test_variables_are_the_same_in_every_language() -> None:
    variants = (VariantForm("en", "%a%", "x"), VariantForm("de", "%b%", "x"))
    content, _ = checked(ContentForm(variants=variants))
    assert [variable.name for variable in content.variables] == ["a", "b"]
    compiled = compile_content(content)
    assert compiled["en"].missing({}) == compiled["de"].missing({}) == ["a", "b"]


def test_declared_and_discovered_are_merged() -> None:
    form = variables(
        VariableForm("b", VariableType.STRING),
        VariableForm("d", default="x"),
        VariableForm("ab"),
        VariableForm("gone"),
        html="<p>%a% %b% %c% %ab% %d%</p>",
    )
    content, violations = checked(form)
    assert violations == []
    assert [(v.name, v.declared, v.required) for v in content.variables] == [
        ("b", True, True),
        ("d", True, False),
        ("ab", True, True),
        ("a", False, True),
        ("c", False, True),
    ]


def test_a_literal_name_is_kept_as_it_stands() -> None:
    content, violations = checked(variables(VariableForm("a", literal=True), html="<script>%a%</script>"))
    assert violations == []
    assert compile_content(content)["en"].render({"a": "x"}).html == "<script>%a%</script>"


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ([VariableForm("1a")], ["variables[0].name"]),
        ([VariableForm("a" * 65)], ["variables[0].name"]),
        ([VariableForm("")], ["variables[0].name"]),
        ([VariableForm("a", VariableType.STRING), VariableForm("a", raw=True)], ["variables[1].name"]),
        ([VariableForm("a", VariableType.LIST)], ["variables[0].type"]),
        ([VariableForm("a", VariableType.OBJECT)], ["variables[0].type"]),
        ([VariableForm("a", VariableType.INTEGER, default="x")], ["variables[0].default_value"]),
        ([VariableForm("a", default=float("nan"))], ["variables[0].default_value"]),
        ([VariableForm("a", default="x" * 200)], ["variables"]),
        ([VariableForm(f"a{n}", raw=True) for n in range(257)], ["variables"]),
    ],
)
def test_rules_of_variables(given: list[VariableForm], fields: list[str]) -> None:
    assert fields_refused(variables(*given)) == fields


def test_variables_stand_in_4096_places_of_a_language_at_most() -> None:
    def places(count: int) -> ContentForm:
        most = VariantForm("en", "%a%", "%b%" * (count - 2), "%a%")
        return ContentForm(variants=(VariantForm("zh", "%a%", "%a%%b%"), most))

    limits = Limits()
    assert fields_refused(places(4096), limits) == []
    assert fields_refused(places(4097), limits) == ["variants[1]"]


def test_declared_and_discovered_are_256_at_most() -> None:
    some = [VariableForm(f"a{n}", raw=True) for n in range(255)]
    assert fields_refused(variables(*some, html="<p>%x%</p>")) == []
    assert fields_refused(variables(*some, html="<p>%x% %y%</p>")) == ["variables"]


@pytest.mark.parametrize(
    "html",
    [
        "<script>var a = '%x%'</script>",
        "<style>p { color: %x% }</style>",
        '<p onclick="%x%">a</p>',
        "<p class=%x%>a</p>",
        "<%x%>a",
        "<a href='javascript:%x%'>a</a>",
    ],
)
def test_b3_placeholders_stand_where_values_can_be_held(html: str) -> None:
    _, violations = checked(variables(html=html))
    assert [violation.field for violation in violations] == ["template.content.variants[0].html"]
    assert violations[0].reason is Reason.TEMPLATE_CONTENT_INVALID
    assert "%x%" in violations[0].description


def test_b3_every_misplaced_placeholder_of_every_language_is_named() -> None:
    variants = (
        VariantForm("en", "Hi", "<p class=%x%>%y%</p><script>%z%</script>"),
        VariantForm("de", "Hi", "<p title=%y%>a</p>"),
    )
    assert fields_refused(ContentForm(variants=variants)) == [
        "variants[0].html",
        "variants[0].html",
        "variants[1].html",
    ]


@pytest.mark.parametrize(
    ("samples", "fields"),
    [
        ({"a": "x", "n": 5.0}, []),
        ({"a": "x", "n": "5", "other": True}, []),
        ({}, ["sample_params.a"]),
        ({"a": None}, ["sample_params.a"]),
        ({"a": "x", "n": "five"}, ["sample_params.n"]),
        ({"a": "x", "n": float("inf")}, ["sample_params.n"]),
        ({"a": "a\r\nBcc: b"}, ["variants[0].subject", "variants[1].subject"]),
        ({"a": "x" * 200}, ["sample_params"]),
        ({"a": "x", "b": "", "c": "", "d": ""}, ["sample_params"]),
    ],
)
def test_samples_render(samples: dict[str, Any], fields: list[str]) -> None:
    form = ContentForm(
        variants=(VariantForm("en", "%a%", "", "%n%"), VariantForm("de", "%a%", "", "x")),
        variables=(VariableForm("n", VariableType.INTEGER, default=1.0),),
        sample_params=samples,
    )
    assert fields_refused(form) == fields


def test_without_samples_nothing_is_rendered() -> None:
    assert fields_refused(variables(html="<p>%a%</p>")) == []


@pytest.mark.parametrize(
    ("type_", "fit", "unfit"),
    [
        (VariableType.ANY, ["x", 1.5, True, [1.0], {"a": "b"}], [float("nan")]),
        (VariableType.STRING, ["x", "", 5.0, True], [[1.0], {}]),
        (
            VariableType.INTEGER,
            [5.0, "5", "-12345678901234567890", 0.0],
            [5.5, "5.0", "", "five", True, 2.0**53],
        ),
        (VariableType.NUMBER, [5.5, "5.5", "-1e3", 0.0], ["", "x", True, "1e999", "0x10", "nan"]),
        (VariableType.BOOLEAN, [True, False, "true", "false"], ["yes", 1.0, "True"]),
        (
            VariableType.TIMESTAMP,
            ["2026-06-01T12:00:00Z", "2026-06-01t12:00:00.25+02:00"],
            ["2026-06-01", "2026-13-01T12:00:00Z", "12:00", 5.0, "2026-06-01T12:00:00"],
        ),
        (VariableType.LIST, [[1.0]], ["[1]", {"a": 1.0}]),
        (VariableType.OBJECT, [{"a": 1.0}], ["{}", [1.0]]),
    ],
)
def test_strings_that_parse_are_of_a_type(type_: VariableType, fit: list[Any], unfit: list[Any]) -> None:
    assert [value for value in fit if problem_of(type_, value) is not None] == []
    assert [value for value in unfit if problem_of(type_, value) is None] == []


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (VariableType.BOOLEAN, "true", True),
        (VariableType.BOOLEAN, "false", False),
        (VariableType.INTEGER, "5", 5.0),
        (VariableType.INTEGER, "9007199254740993", "9007199254740993"),
        (VariableType.NUMBER, "2.5", 2.5),
        (VariableType.STRING, "5", "5"),
        (VariableType.ANY, "5", "5"),
    ],
)
def test_defaults_come_back_in_their_type(type_: VariableType, text: str, value: Any) -> None:
    assert value_of(type_, text) == value
    assert type(value_of(type_, text)) is type(value)
