"""Template content, compiled: a template per language."""

from __future__ import annotations

from typing import Any

from postroom_server.mail.form_checks import Findings
from postroom_server.mail.template_form import ContentForm, VariantForm
from postroom_server.message.compiling import compile_template
from postroom_server.message.template import BadTemplate, CompiledTemplate, Content, Variable
from postroom_server.message.values import text_of
from postroom_server.refusals import Reason
from postroom_server.store.models import Syntax

# How many times variables may stand in one variant: accepting a mail looks at each place.
MAX_PLACES = 4096


def compile_content(content: ContentForm) -> dict[str, CompiledTemplate]:
    """Checked content as sending compiles it, a template per language."""
    variables = _variables(content)
    return {
        variant.language: compile_template(_parts(variant), variables, content.syntax)
        for variant in content.variants
    }


def compile_each(content: ContentForm, found: Findings) -> list[CompiledTemplate]:
    """The variants, as far as they can be compiled; what is wrong with the others goes to `found`."""
    variables = _variables(content)
    compiled: list[CompiledTemplate] = []
    for i, variant in enumerate(content.variants):
        try:
            one = compile_template(_parts(variant), variables, content.syntax)
        except BadTemplate as error:
            of = "content" if error.field == "variables" else f"content.variants[{i}]"
            found.add(f"{of}.{error.field}", error.problem, Reason.TEMPLATE_CONTENT_INVALID)
            continue
        if one.place_count > MAX_PLACES:
            problem = f"variables stand in {one.place_count} places; at most {MAX_PLACES}"
            found.add(f"content.variants[{i}]", problem)
        compiled.append(one)
    return compiled


def _parts(variant: VariantForm) -> Content:
    return Content(variant.subject, variant.html or None, variant.text or None)


def _variables(content: ContentForm) -> list[Variable]:
    return [
        Variable(
            name=form.name,
            required=form.required is not False,
            default=_default(content.syntax, form.default),
            raw=form.raw,
            literal=form.literal,
            declared=form.declared,
            type=form.type,
        )
        for form in content.variables
    ]


def _default(syntax: Syntax, value: Any) -> object:
    return value if value is None or syntax is Syntax.LIQUID else text_of(value)
