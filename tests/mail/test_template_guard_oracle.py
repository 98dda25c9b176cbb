"""The guard against accepting itself: it finds a break exactly where a call that worked would be refused."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accepting import templated
from fakes import NOON
from peers.configuration import ACME, AUTHOR
from postroom_server.mail.broken_call import Kind, RememberedCall
from postroom_server.mail.checks import Checked, check
from postroom_server.mail.compiled_content import compile_content
from postroom_server.mail.draft import TemplateBody
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_breaks import Sendable, breaks
from postroom_server.mail.template_choice import choose_template
from postroom_server.mail.template_content import check_content
from postroom_server.mail.template_form import ContentForm, VariableForm, VariantForm
from postroom_server.mail.template_usage import TemplateUsage
from postroom_server.message import language
from postroom_server.message.variable_types import VariableType
from postroom_server.refusals import Refusal
from postroom_server.store.facts import TemplateFacts
from postroom_server.store.known import Known
from postroom_server.store.models import Syntax
from postroom_server.store.versions import CompiledVersion, NotReady, Versions

LIMITS = Limits()
LANGUAGES = ["en", "zh-CN", "zh-TW"]


class Version(Known):
    """Content, known to accepting as the one version of one template."""

    def __init__(self, content: ContentForm) -> None:
        super().__init__(1, Versions())
        variants = compile_content(content)
        self.compiled = CompiledVersion(1, 1, "TRIGGER", content.default_language, None, variants)

    @classmethod
    def of(cls, form: ContentForm) -> Version | None:
        """None for content that cannot be saved."""
        found = Findings()
        content = check_content(form, found, tenant_language="en", limits=LIMITS)
        return None if found.violations else cls(content)

    @property
    def sendable(self) -> Sendable:
        return Sendable(self.compiled.variants, self.compiled.default_language)

    def template(self, tenant_id: int, invoke_name: str) -> TemplateFacts:
        return TemplateFacts(5, tenant_id, invoke_name, 1, 1)

    def version(self, version_id: int) -> CompiledVersion:
        assert version_id == self.compiled.id
        return self.compiled

    def refuses(self, call: Call) -> bool:
        """What accepting itself says."""
        try:
            choose_template(call.checked, call.body, call.language, ACME, self)
        except NotReady:
            raise
        except Refusal:
            return True
        return False

    def speaks(self, wanted: str) -> bool:
        """Whether whoever wants a language gets it, or one like it."""
        variants = tuple(self.compiled.variants)
        chosen = language.choose(wanted, variants, self.compiled.default_language)
        return chosen.partition("-")[0] == wanted.partition("-")[0]


@dataclasses.dataclass(frozen=True)
class Call:
    checked: Checked
    body: TemplateBody
    language: str

    @classmethod
    def of(cls, wanted: str, body: TemplateBody, **fields: Any) -> Call:
        checked, violations = check(templated(body=body, **fields), LIMITS, NOON)
        assert checked is not None, violations
        return cls(checked, body, wanted)


NAMES = ["a", "b", "c", "d"]
texts = st.sampled_from(["Ann", "", "17", "-3", "1.5", "1e5", "true", "2026-06-01T12:00:00Z", "2026-06-01"])
scalars = texts | st.sampled_from([17.0, 2.5, True, False, None, 2.0**60])
# What stands at a name that no variable can have is not kept: that it stands there is.
objects = st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=2) | st.dictionaries(
    st.sampled_from(["x", "not a name"]), texts, max_size=2
)
structured = st.one_of(objects, st.lists(scalars, max_size=3), st.lists(objects, max_size=3))
values = scalars | scalars | structured


def params_for(version: Version) -> st.SearchStrategy[dict[str, Any]]:
    """Parameters of which many suit a version."""
    variables = [one for variant in version.compiled.variants.values() for one in variant.variables]
    known = {one.name: objects if ".x" in one.name else values for one in variables if "[" not in one.name}
    known = {name.partition(".")[0]: strategy for name, strategy in known.items()}
    lists = {one.name.partition("[")[0]: st.lists(values, max_size=3) for one in variables if "[" in one.name}
    suiting = {name: strategy for name, strategy in {**known, **lists}.items() if name in NAMES}
    others = {name: values for name in NAMES if name not in suiting}
    return st.fixed_dictionaries(suiting) | st.fixed_dictionaries({}, optional={**suiting, **others})


@st.composite
def calls(draw: st.DrawFn, version: Version) -> Call:
    params = params_for(version)
    own = draw(st.none() | st.none() | params)
    body = TemplateBody(
        "welcome",
        draw(params),
        {"ann@example.com": own} if own is not None else {},
        ignores_unknown=draw(st.sampled_from([False, False, True])),
    )
    code = draw(st.sampled_from([{}, {}, {"has_verification": True, "biz_key": "LOGIN"}]))
    subject = draw(st.sampled_from(["", "", "Own", "%verificationCode%"]))
    return Call.of(draw(st.sampled_from([*LANGUAGES, "zh", "fr"])), body, subject=subject, **code)


types = st.sampled_from([VariableType.ANY, *VariableType])
PERCENT_TEXTS = ["", "%a%", "%b%", "%c% %d%", "%a% %verificationCode%", "%verificationCode%"]
LIQUID_TEXTS = [
    "",
    "{{ a }}",
    "{{ b }} {{ c }}",
    "{{ a.x }}",
    "{{ a.x }} {{ a.y }}",
    "{% for i in b %}{{ i }}{% endfor %}",
    "{% for i in b %}{{ i.x }}{% endfor %}",
    "{% if c %}{{ d }}{% endif %}",
    "{{ verificationCode }}",
]


@st.composite
def percent_variables(draw: st.DrawFn) -> VariableForm:
    return VariableForm(
        draw(st.sampled_from(NAMES)),
        draw(types),
        draw(st.sampled_from([None, True, False])),
        draw(st.sampled_from([None, None, "1"])),
    )


@st.composite
def liquid_variables(draw: st.DrawFn) -> VariableForm:
    path = draw(st.sampled_from(["a", "b", "c", "a.x", "a.y", "b[]", "b[].x", "b[].y"]))
    return VariableForm(path, draw(types), draw(st.sampled_from([None, True, False])))


@st.composite
def contents(draw: st.DrawFn, syntax: Syntax) -> ContentForm:
    bodies = st.sampled_from(PERCENT_TEXTS if syntax is Syntax.PERCENT else LIQUID_TEXTS)
    variables = percent_variables() if syntax is Syntax.PERCENT else liquid_variables()
    tags = draw(st.lists(st.sampled_from(LANGUAGES), min_size=1, max_size=2, unique=True))
    return ContentForm(
        syntax=syntax,
        default_language=tags[0],
        variants=tuple(VariantForm(tag, "Hello", text=f"Dear, {draw(bodies)}") for tag in tags),
        variables=tuple(draw(st.lists(variables, max_size=3, unique_by=lambda variable: variable.name))),
    )


def remembered(old: Version, made: list[Call]) -> list[RememberedCall]:
    """What is kept of these calls, as accepting notices them."""
    usage = TemplateUsage()
    kept = []
    for call in made:
        plan: Any = SimpleNamespace(
            checked=call.checked, template=SimpleNamespace(version_id=1), language=call.language
        )
        noticed = usage.begin(AUTHOR, ACME, NOON, old).notice(plan)
        usage.remember(noticed)
        kept += noticed
    return [RememberedCall(one.digest, one.language, one.circumstances, one.shape) for one in kept]


def agree(old: Version, new: Version, made: list[Call]) -> None:
    worked = [call for call in made if not old.refuses(call)]
    found = breaks(old.sendable, new.sendable, remembered(old, worked))
    refused = [call for call in worked if new.refuses(call)]
    lost = {call.language for call in worked if old.speaks(call.language) and not new.speaks(call.language)}
    assert any(fault.kind is not Kind.LANGUAGE for fault in found) is bool(refused), (found, refused)
    assert {fault.name for fault in found if fault.kind is Kind.LANGUAGE} == lost


def check_agreement(data: st.DataObject, before: Syntax, after: Syntax) -> None:
    old, new = Version.of(data.draw(contents(before))), Version.of(data.draw(contents(after)))
    assume(old is not None and new is not None)
    assert old is not None
    assert new is not None
    agree(old, new, data.draw(st.lists(calls(old), min_size=1, max_size=4)))


@settings(max_examples=80)
@given(st.data())
def test_the_guard_and_accepting_agree_on_percent(data: st.DataObject) -> None:
    check_agreement(data, Syntax.PERCENT, Syntax.PERCENT)


@settings(max_examples=40)
@given(st.data())
def test_the_guard_and_accepting_agree_on_liquid(data: st.DataObject) -> None:
    check_agreement(data, Syntax.LIQUID, Syntax.LIQUID)


@settings(max_examples=40)
@given(st.data())
def test_the_guard_and_accepting_agree_on_a_change_of_syntax(data: st.DataObject) -> None:
    check_agreement(data, Syntax.PERCENT, Syntax.LIQUID)
