"""Which template, version and language an email uses, and whether its variables have values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from postroom_server.clock import Millis
from postroom_server.mail import audience_params, unrendered
from postroom_server.mail.checks import Checked
from postroom_server.mail.draft import TemplateBody
from postroom_server.message import code_text, language
from postroom_server.message.mailing import SYSTEM_VALUES, system_values
from postroom_server.message.template import CompiledTemplate
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store.facts import TemplateFacts
from postroom_server.store.known import Known
from postroom_server.store.models import TemplateKind
from postroom_server.store.unsubscribe_tokens import MOST_CHARACTERS
from postroom_server.store.versions import CompiledVersion, Trial

# What a preview shows in the place of a verification code.
CODE_PLACEHOLDER = "000000"
_FIELD = "template.params"
_PATH_CHARACTERS = 255  # of a name that nobody knows


@dataclasses.dataclass(frozen=True, slots=True)
class ChosenTemplate:
    invoke_name: str
    kind: str
    version_id: int
    language: str  # the variant's
    html: bool  # whether the variant has an HTML part
    validity: Millis | None  # of a code, by the template


def find_template(body: TemplateBody, biz_key: str, tenant_id: int, known: Known) -> TemplateFacts:
    """The template a body means. Raises NOT_BOUND or TEMPLATE_NOT_FOUND."""
    name = body.invoke_name
    if not name:
        bound = known.bound_name(tenant_id, biz_key)
        if bound is None:
            raise Refusal(
                Reason.NOT_BOUND,
                f"no template is bound to {biz_key}",
                metadata={"biz_key": biz_key},
            )
        name = bound
    template = known.template(tenant_id, name)
    if template is None:
        raise Refusal(
            Reason.TEMPLATE_NOT_FOUND, f"there is no template {name}", metadata={"invoke_name": name}
        )
    return template


def choose_template(
    checked: Checked,
    body: TemplateBody,
    wanted: str,
    tenant_id: int,
    known: Known,
    unsubscribe: UnsubscribeBase | None = None,
) -> ChosenTemplate:
    """Pins the approved version and the variant, and refuses everything that is wrong with the parameters."""
    template = find_template(body, checked.draft.biz_key, tenant_id, known)
    if template.approved_version_id is None:
        raise Refusal(
            Reason.TEMPLATE_NOT_APPROVED,
            f"no version of {template.invoke_name} is approved",
            metadata={"invoke_name": template.invoke_name},
        )
    version = known.version(template.approved_version_id)
    tag = language.choose(wanted, tuple(version.variants), version.default_language)
    variant = version.variants[tag]
    if checked.draft.has_audience:
        # Each member reads their own language, so that any of them may be wanted.
        system = longest_values(version, unsubscribe)
        found = audience_params.check_copied(checked, version)
        found += audience_params.check_params(body.params, version, system, known)
        told = {violation.field for violation in found}
        unknown = _unknown(_FIELD, body, body.params, tuple(version.variants.values()))
        refuse_all([*found, *(violation for violation in unknown if violation.field not in told)])
        return _chosen(template, version, tag)
    _check_code_place(checked, variant, tag)
    _check_values(checked, body, version, tag, longest_values(version, unsubscribe), known)
    return _chosen(template, version, tag)


def _chosen(template: TemplateFacts, version: CompiledVersion, tag: str) -> ChosenTemplate:
    has_html = bool(version.variants[tag].content.html)
    return ChosenTemplate(template.invoke_name, version.kind, version.id, tag, has_html, version.validity)


def longest_values(version: CompiledVersion, unsubscribe: UnsubscribeBase | None) -> Mapping[str, str]:
    """The system's values at their longest: a part without room for them is refused before it is stored."""
    if unsubscribe is None or version.kind != TemplateKind.BATCH:
        return SYSTEM_VALUES
    return system_values(unsubscribe.link("x" * MOST_CHARACTERS))


def _check_code_place(checked: Checked, compiled: CompiledTemplate, tag: str) -> None:
    """Refuses to send a code by a template that does not show it: its reader would wait for one in vain."""
    draft = checked.draft
    if not draft.has_verification or code_text.PLACE in draft.subject:
        return
    if compiled.shows(code_text.NAME, own_subject=not draft.subject):
        return
    problem = f"the template's text in {tag} has no place for {code_text.PLACE}"
    refuse_all([Violation("verification", problem, Reason.TEMPLATE_VARIABLE_INVALID)])


def _check_values(
    checked: Checked,
    body: TemplateBody,
    version: CompiledVersion,
    tag: str,
    system: Mapping[str, str],
    known: Known,
) -> None:
    compiled, variants = version.variants[tag], tuple(version.variants.values())
    # The code is ours to fill in; any six digits do for the check.
    given = {code_text.NAME: CODE_PLACEHOLDER} if checked.draft.has_verification else {}
    found = _unknown(_FIELD, body, body.params, variants)
    sets: dict[str, Mapping[str, Any]] = {}
    if not checked.recipient_params:
        sets[_FIELD] = {**body.params, **given}
    else:
        # Each To has its own values; Cc and Bcc travel with the first copy.
        for address in checked.to or checked.cc or checked.bcc:
            field, own = f"template.recipient_params[{address!r}]", checked.recipient_params.get(address, {})
            found.extend(_unknown(field, body, own, variants))
            sets[field] = {**body.params, **own, **given}
    for field, params in sets.items():
        faults = compiled.faults(params)
        wrong = dict.fromkeys(faults.missing, "has no value") | faults.invalid
        found.extend(
            Violation(f"{field}.{name}", problem, Reason.TEMPLATE_VARIABLE_INVALID)
            for name, problem in wrong.items()
        )
    refuse_all(found)
    # What the recipient will see is checked, not only what the template says (security.md A3, B3).
    trials = [Trial(tag, params, system) for params in sets.values()]
    for field, error in zip(sets, known.check(version, trials), strict=True):
        found.extend(unrendered.violations(field, error))
    refuse_all(found)


def _unknown(
    field: str, body: TemplateBody, params: Mapping[str, Any], variants: Sequence[CompiledTemplate]
) -> list[Violation]:
    """The parameters that no variable takes, in whatever language: a misspelt name, most of the time."""
    if body.ignores_unknown:
        return []
    unknown = variants[0].unused(params)
    for other in variants[1:]:
        if not unknown:
            break
        also = set(other.unused(params))
        unknown = [name for name in unknown if name in also]
    return [
        Violation(
            f"{field}.{name[:_PATH_CHARACTERS]}",
            "is no variable of the template",
            Reason.TEMPLATE_VARIABLE_INVALID,
        )
        for name in unknown
        # Whoever asks for a code may say so with a parameter, which is then passed over.
        if name != code_text.NAME
    ]
