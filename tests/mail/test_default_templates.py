"""Our own default templates: what they say, how they are built, and how a database comes to have them."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from conftest import DATA_KEY
from fakes import ManualClock
from peers.configuration import AUTHOR, OPERATOR, Configuration, content, template
from postroom_server.clock import Clock
from postroom_server.mail.compiled_content import compile_content
from postroom_server.mail.default_templates import installation
from postroom_server.mail.default_templates.installation import ensure_default_templates
from postroom_server.mail.default_templates.library import LANGUAGES, DefaultTemplate, default_templates
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.pages import PageRequest
from postroom_server.mail.rendering import StoredSource
from postroom_server.mail.template_content import check_content, check_samples
from postroom_server.mail.tenants import TenantForm, ensure_platform
from postroom_server.message.percent_template import PercentTemplate
from postroom_server.message.template import Content, Rendered
from postroom_server.store.ids import IdMint
from postroom_server.store.models import PLATFORM_TENANT, Binding, Fact, ReviewState, Template
from postroom_server.store.opening import Address, OpenDatabase, open_database

# fmt: off
REQUIRED = {
    "postroom.channel_test": {"channelType"},
    "postroom.event_notice": {"eventName"},
    "postroom.security_notice": {"message"},
    "postroom.system_exception": {"serviceName", "message"},
    "postroom.system_recovery": {"serviceName"},
    "postroom.testing_failed": {"executionName"},
    "postroom.testing_finished": {"executionName"},
    "postroom.testing_overdue": {"taskName"},
    "postroom.testing_started": {"executionName"},
    "postroom.verification_code": {"verificationCode"},
}
BOUND = {
    "BIND_EMAIL": "postroom.verification_code",
    "CHANNEL_TEST": "postroom.channel_test",
    "EVENT_NOTICE": "postroom.event_notice",
    "MODIFY_EMAIL": "postroom.verification_code",
    "PASSWORD_FORGET": "postroom.verification_code",
    "PASSWORD_UPDATE": "postroom.verification_code",
    "PAY_PASSWORD_UPDATE": "postroom.verification_code",
    "SIGNIN": "postroom.verification_code",
    "SIGNUP": "postroom.verification_code",
    "SIGN_CANCEL": "postroom.verification_code",
    "SYS_EXCEPTION_NOTICE": "postroom.system_exception",
    "SYS_RECOVERY_NOTICE": "postroom.system_recovery",
    "SYS_SECURITY_NOTICE": "postroom.security_notice",
    "TESTING_EXEC_FAILED": "postroom.testing_failed",
    "TESTING_EXEC_FINISHED": "postroom.testing_finished",
    "TESTING_EXEC_STARTED": "postroom.testing_started",
    "TESTING_TASK_OVERDUE": "postroom.testing_overdue",
}
# fmt: on
DEFAULTS = {default.form.invoke_name: default for default in default_templates()}
CODE = "postroom.verification_code"

each_template = pytest.mark.parametrize("name", sorted(DEFAULTS))
each_variant = pytest.mark.parametrize(
    ("name", "language"), [(name, language) for name in sorted(DEFAULTS) for language in LANGUAGES]
)


def rendered(name: str, language: str, params: dict[str, Any] | None = None) -> Rendered:
    said = DEFAULTS[name].form.content
    return compile_content(said)[language].render(said.sample_params or {} if params is None else params)


def bare_params(name: str) -> dict[str, Any]:
    said = DEFAULTS[name].form.content
    return {variable.name: f"<{variable.name}&>" for variable in said.variables if variable.required}


# What they say.


def test_these_are_all_and_they_require_little() -> None:
    required = {
        name: {variable.name for variable in default.form.content.variables if variable.required}
        for name, default in DEFAULTS.items()
    }
    assert required == REQUIRED
    assert {key: name for name, default in DEFAULTS.items() for key in default.biz_keys} == BOUND


@each_template
def test_content_could_be_saved_by_anybody_and_needs_no_discovery(name: str) -> None:
    found = Findings()
    said = DEFAULTS[name].form.content
    checked = check_content(said, found, tenant_language="", limits=Limits())
    check_samples(checked, found, Limits())
    assert found.violations == []
    assert checked == said


@each_template
def test_both_languages_use_every_declared_variable(name: str) -> None:
    said = DEFAULTS[name].form.content
    declared = {variable.name for variable in said.variables}
    used = {
        variant.language: {v.name for v in PercentTemplate(Content(variant.subject, variant.html)).variables}
        for variant in said.variants
    }
    assert used == {"en": declared, "zh-CN": declared}
    assert set(said.sample_params or {}) == declared


@each_variant
def test_the_text_part_says_what_the_page_says(name: str, language: str) -> None:
    mail = rendered(name, language)
    for value in (DEFAULTS[name].form.content.sample_params or {}).values():
        assert str(value) in mail.text
    for word in ("<", ">", "  \n", "\n\n\n"):
        # Apart from the brackets around the address of a link.
        assert word not in re.sub(r"<https?://\S+>", "", mail.text)
    is_chinese = re.search(r"[\u4e00-\u9fff]", mail.text) is not None
    assert is_chinese == (language == "zh-CN")


@each_variant
def test_the_required_variables_are_enough(name: str, language: str) -> None:
    params = bare_params(name)
    mail = rendered(name, language, params)
    assert mail.html is not None
    for part in (mail.subject, mail.html, mail.text):
        assert not re.search(r"%[A-Za-z]+%", part)
    for value in params.values():
        assert value in mail.text
        assert value not in mail.html
        assert value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in mail.html


@each_variant
def test_what_is_not_given_leaves_no_gap_in_the_text_part(name: str, language: str) -> None:
    samples = dict(DEFAULTS[name].form.content.sample_params or {})
    for params in (bare_params(name), {**samples, "productName": ""}, {**samples, "message": ""}):
        text = rendered(name, language, params).text
        assert "\n\n\n" not in text
        assert text == text.strip()
    assert rendered(name, language).text.count("https://") == ("detailUrl" in samples)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_is_in_the_page_and_its_preview_but_not_in_the_subject(language: str) -> None:
    mail = rendered(CODE, language, {"verificationCode": "123456"})
    assert mail.html is not None
    assert mail.html.count("123456") == 2
    assert mail.text.splitlines().count("123456") == 1
    assert "123456" not in mail.subject


@each_variant
def test_a_subject_is_short_enough_for_a_list_of_mails(name: str, language: str) -> None:
    assert 4 <= len(rendered(name, language).subject) <= 60


# How they are built.


class Outline(HTMLParser):
    """The elements of a page as an independent parser sees them; fails where an end tag does not match."""

    VOID = frozenset({"meta", "br", "hr", "img", "link"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


@each_variant
def test_pages_are_well_formed_and_name_their_language(name: str, language: str) -> None:
    outline = Outline(rendered(name, language).html or "")
    assert [root["lang"] for root in outline.all("html")] == [language]
    # Webmail keeps the body only.
    assert [root["lang"] for root in outline.all("div") if root.get("role") == "article"] == [language]
    assert len(list(outline.all("h1"))) == 1
    metas = {meta["name"]: meta.get("content") for meta in outline.all("meta") if "name" in meta}
    assert metas["color-scheme"] == metas["supported-color-schemes"] == "light dark"


@each_variant
def test_tables_for_layout_say_so_and_those_with_facts_have_row_headers(name: str, language: str) -> None:
    page = rendered(name, language).html or ""
    for table in re.findall(r"<table(?![^>]*role=\"presentation\").*?</table>", page, re.DOTALL):
        assert table.count("<tr>") == table.count('scope="row"') >= 1


@each_variant
def test_pages_need_nothing_from_elsewhere(name: str, language: str) -> None:
    page = rendered(name, language).html or ""
    assert not re.search(r"<(img|link|script|iframe|form)\b|url\(|@import|\bsrc=", page, re.IGNORECASE)
    # Gmail cuts pages that are longer than 102 KB.
    assert len(page.encode()) < 20_000


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_measured_as_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == 21
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@each_template
def test_every_text_is_legible_on_every_ground_in_light_and_dark(name: str) -> None:
    page = rendered(name, "en").html or ""
    head, body = page.split("</head>")
    dark = head[head.index("prefers-color-scheme: dark") :]
    for half in (body, dark):
        inks = set(re.findall(r"(?<![-\w])color:\s*(#\w{6})", half))
        grounds = set(re.findall(r"background-color:\s*(#\w{6})", half))
        assert len(inks) >= 4
        assert len(grounds) >= 2
        assert [(i, g) for i in inks for g in grounds if contrast(i, g) < 4.5] == []


@each_template
def test_every_class_has_a_rule_for_dark_mode_or_phones(name: str) -> None:
    page = rendered(name, "en").html or ""
    used = {word for words in re.findall(r'class="([^"]+)"', page) for word in words.split()}
    ruled = set(re.findall(r"\.([a-z-]+)(?=[ ,{])", page.split("</head>")[0]))
    assert used <= ruled


# How a database comes to have them.


@pytest.fixture
async def world(opened: OpenDatabase) -> Configuration:
    return await Configuration(opened, ManualClock()).fill()


async def ensure(world: Configuration) -> None:
    await world.store.write(ensure_default_templates, world.clock, world.mint)


async def rows(world: Configuration) -> tuple[dict[str, int], dict[str, str]]:
    """The platform's templates with their newest version's id, and its bindings."""

    def read() -> tuple[dict[str, int], dict[str, str]]:
        templates = Template.select().where(Template.tenant_id == PLATFORM_TENANT)
        bindings = Binding.select().where(Binding.tenant_id == PLATFORM_TENANT)
        return (
            {row.invoke_name: row.latest_version_id for row in templates},
            {row.biz_key: row.invoke_name for row in bindings},
        )

    return await world.store.read(read)


async def preview(world: Configuration, biz_key: str, language: str = "") -> str:
    source = StoredSource(biz_key=biz_key)
    return (
        await world.store.read(world.rendering.render, AUTHOR, None, source, None, language)
    ).rendered.text


async def test_a_fresh_database_has_them_approved_and_bound(world: Configuration) -> None:
    await ensure(world)
    templates, bindings = await rows(world)
    assert set(templates) == set(REQUIRED)
    assert bindings == BOUND
    for name, default in DEFAULTS.items():
        made = await world.store.read(world.templates.get, OPERATOR, PLATFORM_TENANT, name)
        assert (made.version, made.review_state, made.author) == (1, ReviewState.APPROVED, "postroom")
        assert made.content == default.form.content


@pytest.mark.parametrize("biz_key", sorted(BOUND))
async def test_a_tenant_can_send_by_each_key_in_both_languages(world: Configuration, biz_key: str) -> None:
    await ensure(world)
    name = BOUND[biz_key]
    assert await preview(world, biz_key, "en-GB") == rendered(name, "en").text
    assert await preview(world, biz_key, "zh") == rendered(name, "zh-CN").text
    assert await preview(world, biz_key, "fr") == rendered(name, "en").text


async def test_they_are_listed_for_tenants_that_ask_for_the_platforms(world: Configuration) -> None:
    await ensure(world)
    page = await world.store.read(
        world.bindings.list, AUTHOR, None, PageRequest(page_size=100), include_platform=True
    )
    assert {record.biz_key: record.invoke_name for record in page.items} == BOUND


@pytest.mark.every_database
async def test_a_second_start_changes_nothing(world: Configuration) -> None:
    await ensure(world)
    before = await rows(world), await world.store.read(lambda: world.memory.current().generation)
    await ensure(world)
    assert (await rows(world), await world.store.read(lambda: world.memory.current().generation)) == before


@pytest.mark.every_database
async def test_what_was_deleted_or_unbound_stays_away(world: Configuration) -> None:
    await ensure(world)
    await world.store.write(world.templates.delete, OPERATOR, PLATFORM_TENANT, "postroom.event_notice")
    await world.store.write(world.bindings.unbind, OPERATOR, PLATFORM_TENANT, "SIGNUP")
    left = await rows(world)
    await ensure(world)
    assert await rows(world) == left
    assert "postroom.event_notice" not in left[0]
    assert "SIGNUP" not in left[1]


async def test_what_was_changed_stays_changed(world: Configuration) -> None:
    await ensure(world)
    form = template(CODE, content(subject="Ours", html="<p>%verificationCode%</p>"))
    checked = await world.store.read(
        world.templates.check_update, OPERATOR, PLATFORM_TENANT, form, ["content.variants"]
    )
    await world.store.write(world.templates.update, OPERATOR, checked)
    await world.store.write(
        world.bindings.bind, OPERATOR, PLATFORM_TENANT, "EVENT_NOTICE", "postroom.channel_test"
    )
    left = await rows(world)
    await ensure(world)
    assert await rows(world) == left
    assert left[1]["EVENT_NOTICE"] == "postroom.channel_test"


async def test_what_operators_made_before_is_left_alone(world: Configuration) -> None:
    await world.new_template(template(CODE), caller=OPERATOR, tenant_id=PLATFORM_TENANT)
    await world.new_template(template("ours"), caller=OPERATOR, tenant_id=PLATFORM_TENANT)
    await world.store.write(world.bindings.put, PLATFORM_TENANT, "CHANNEL_TEST", "ours")
    await ensure(world)
    kept = await world.store.read(world.templates.get, OPERATOR, PLATFORM_TENANT, CODE)
    assert (kept.name, kept.author) == ("Welcome", "operator")
    assert (await rows(world))[1] == {**BOUND, "CHANNEL_TEST": "ours"}


async def test_a_tenants_own_binding_and_own_template_win(world: Configuration) -> None:
    await ensure(world)
    await world.new_template(template("ours", content("S", "<p>Our own sign-up</p>")))
    await world.store.write(world.bindings.bind, AUTHOR, None, "SIGNUP", "ours")
    assert await preview(world, "SIGNUP") == "Our own sign-up"
    assert await preview(world, "SIGNIN") == rendered(CODE, "en").text
    await world.new_template(template(CODE, content("S", "<p>Our own code</p>")))
    assert await preview(world, "SIGNIN") == "Our own code"
    await world.store.write(world.bindings.unbind, AUTHOR, None, "SIGNUP")
    assert await preview(world, "SIGNUP") == "Our own code"


@pytest.mark.every_database
async def test_a_later_release_adds_only_what_is_new(
    world: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = default_templates()
    code = DEFAULTS[CODE]
    earlier = (DEFAULTS["postroom.event_notice"], dataclasses.replace(code, biz_keys=("SIGNUP", "SIGNIN")))
    release(monkeypatch, *earlier)
    await ensure(world)
    assert (await rows(world))[1].keys() == {"EVENT_NOTICE", "SIGNUP", "SIGNIN"}
    await world.store.write(world.templates.delete, OPERATOR, PLATFORM_TENANT, "postroom.event_notice")
    await world.store.write(world.bindings.unbind, OPERATOR, PLATFORM_TENANT, "SIGNIN")
    release(monkeypatch, *now)
    await ensure(world)
    templates, bindings = await rows(world)
    assert templates.keys() == REQUIRED.keys() - {"postroom.event_notice"}
    assert bindings == {key: name for key, name in BOUND.items() if key != "SIGNIN"}


async def test_an_older_release_started_again_takes_nothing_away_and_forgets_nothing(
    world: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure(world)
    before = await rows(world), await world.store.read(fact)
    release(monkeypatch, DEFAULTS[CODE])
    await ensure(world)
    assert (await rows(world), await world.store.read(fact)) == before


async def test_a_key_of_a_deleted_default_is_not_bound(
    world: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(monkeypatch, dataclasses.replace(DEFAULTS[CODE], biz_keys=("SIGNUP",)))
    await ensure(world)
    await world.store.write(world.templates.delete, OPERATOR, PLATFORM_TENANT, CODE)
    release(monkeypatch, DEFAULTS[CODE])
    await ensure(world)
    # Deleting a template leaves its bindings; the new keys would only lead to nowhere.
    assert (await rows(world)) == ({}, {"SIGNUP": CODE})


async def test_a_platform_that_may_have_no_more_templates_gets_the_rest_later(world: Configuration) -> None:
    few = TenantForm(limits={"max_templates": 4})
    await world.store.write(world.tenants.update, PLATFORM_TENANT, few, ["limits.max_templates"])
    await ensure(world)
    assert len((await rows(world))[0]) == 4
    more = TenantForm(limits={"max_templates": 20})
    await world.store.write(world.tenants.update, PLATFORM_TENANT, more, ["limits.max_templates"])
    await ensure(world)
    assert (await rows(world))[1] == BOUND


async def test_processes_that_start_together_make_them_once(postgresql_database: str) -> None:
    def opened() -> OpenDatabase:
        return open_database(
            Address(postgresql_database), key_text=DATA_KEY, key_file=None, auto_migrate=False
        )

    processes = [opened() for _ in range(3)]
    clock = Clock()
    await processes[0].store.write(ensure_platform, clock.now())
    await asyncio.gather(
        *(
            process.store.write(ensure_default_templates, clock, IdMint(clock, node=node))
            for node, process in enumerate(processes, start=1)
        )
    )
    made = await processes[0].store.read(lambda: (Template.select().count(), Binding.select().count()))
    for process in processes:
        process.close()
    assert made == (len(REQUIRED), len(BOUND))


def release(monkeypatch: pytest.MonkeyPatch, *defaults: DefaultTemplate) -> None:
    monkeypatch.setattr(installation, "default_templates", lambda: defaults)


def fact() -> str:
    return str(Fact.get(Fact.name == installation.FACT).value)
