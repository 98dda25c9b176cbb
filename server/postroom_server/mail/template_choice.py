"""Which template, version and language an email uses, and whether its variables have values."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from postroom_server.clock import Millis
from postroom_server.mail.checks import Checked
from postroom_server.mail.draft import TemplateBody
from postroom_server.mail.variable_types import wrongly_typed
from postroom_server.message import code_text, language
from postroom_server.message.mailing import SYSTEM_VALUES
from postroom_server.message.template import CompiledTemplate
from postroom_server.message.unsafe import UnsafeContent
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store.facts import TemplateFacts
from postroom_server.store.known import Known

# What a preview shows in the place of a verification code.
CODE_PLACEHOLDER = "000000"


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
    checked: Checked, body: TemplateBody, wanted: str, tenant_id: int, known: Known
) -> ChosenTemplate:
    """Pins the approved version and the variant, and refuses every variable without a value at once."""
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
    _check_code_place(checked, variant, tag)
    _check_values(checked, body, variant, version.types)
    return ChosenTemplate(
        template.invoke_name, template.kind, version.id, tag, bool(variant.content.html), version.validity
    )


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
    checked: Checked, body: TemplateBody, compiled: CompiledTemplate, types: Mapping[str, str]
) -> None:
    found: list[Violation] = []
    # The code is ours to fill in; any six digits do for the check.
    given = {code_text.NAME: CODE_PLACEHOLDER} if checked.draft.has_verification else {}
    if not checked.recipient_params:
        _check_set("template.params", {**body.params, **given}, compiled, types, found)
    else:
        # Each To has its own values; Cc and Bcc travel with the first copy.
        for address in checked.to or checked.cc or checked.bcc:
            params = {**body.params, **checked.recipient_params.get(address, {}), **given}
            _check_set(f"template.recipient_params[{address!r}]", params, compiled, types, found)
    refuse_all(found)


def _check_set(
    field: str,
    params: Mapping[str, Any],
    compiled: CompiledTemplate,
    types: Mapping[str, str],
    found: list[Violation],
) -> None:
    missing = compiled.missing(params)
    if missing:
        found.extend(
            Violation(f"{field}.{name}", "has no value", Reason.TEMPLATE_VARIABLE_INVALID) for name in missing
        )
        return
    if invalid := {**compiled.invalid(params), **wrongly_typed(types, params)}:
        found.extend(
            Violation(f"{field}.{name}", problem, Reason.TEMPLATE_VARIABLE_INVALID)
            for name, problem in invalid.items()
        )
        return
    try:
        # What the recipient will see is checked, not only what the template says (security.md A3, B3).
        compiled.check(params, SYSTEM_VALUES)
    except UnsafeContent as error:
        found.append(Violation(field, str(error), Reason.UNSAFE_CONTENT))
