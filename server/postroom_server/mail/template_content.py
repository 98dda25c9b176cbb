"""Template content: the rules of what can be saved. All violations at once, with the contract's paths."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from postroom_server.clock import DAY, SECOND
from postroom_server.mail.checks import as_json
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_form import ContentForm, VariableForm, VariableType, VariantForm
from postroom_server.mail.variable_types import problem_of
from postroom_server.message import percent
from postroom_server.message.placement import check_placement
from postroom_server.message.template import (
    CompiledTemplate,
    Content,
    InvalidValue,
    MissingVariables,
    UnsafeContent,
    Variable,
)
from postroom_server.message.unsafe import check_body
from postroom_server.message.values import text_of
from postroom_server.refusals import Reason
from postroom_server.store.models import Syntax

MAX_VARIANTS = 50
MAX_VARIABLES = 256
MAX_SUBJECT_CHARACTERS = 256
MAX_PARTS_TOGETHER = 3  # times the limit of one part
# How many times variables may stand in one variant: accepting a mail looks at each place.
MAX_PLACES = 4096
_INVALID = Reason.TEMPLATE_CONTENT_INVALID
_STRUCTURED = (VariableType.LIST, VariableType.OBJECT)


def check_content(form: ContentForm, found: Findings, *, tenant_language: str, limits: Limits) -> ContentForm:
    """The content in normal spelling, its variables declared and discovered. Violations go to `found`.

    `tenant_language` is that of variants which name none. Samples are `check_samples`'s.
    """
    before = len(found.violations)
    if form.syntax is not Syntax.PERCENT:
        found.add("content.syntax", "LIQUID is not served by this release; use PERCENT", _INVALID)
    if form.validity is not None and not SECOND <= form.validity <= DAY:
        found.add("content.validity", "must be from 1 second to 24 hours")
    variants = _variants(form.variants, found, tenant_language, limits)
    default_language = _default_language(form.default_language, variants, found)
    variables = _declared(form.variables, variants, found, limits)
    checked = dataclasses.replace(
        form, variants=variants, variables=variables, default_language=default_language
    )
    if len(found.violations) > before:
        return checked
    checked = dataclasses.replace(checked, variables=_with_discovered(checked, found))
    if len(checked.variables) > MAX_VARIABLES:
        found.add(
            "content.variables", f"{len(checked.variables)} with the discovered; at most {MAX_VARIABLES}"
        )
    else:
        _check_placement(checked, found)
    return checked


def check_samples(content: ContentForm, found: Findings, limits: Limits) -> None:
    """Whether checked content renders with its own samples, in every language."""
    samples = content.sample_params
    if samples is None:
        return
    check_params("content.sample_params", samples, found, limits)
    variables = {variable.name: variable for variable in content.variables if not variable.literal}
    wrong = {
        name: problem
        for name, value in samples.items()
        if name in variables and value is not None and (problem := problem_of(variables[name].type, value))
    }
    for name, problem in wrong.items():
        found.add(f"content.sample_params.{name}", problem, _INVALID)
    if wrong:
        return
    reported: set[str] = set()
    for i, compiled in enumerate(compile_content(content).values()):
        try:
            compiled.render(samples)
        except MissingVariables as error:
            for name in error.names:
                if name not in reported:
                    reported.add(name)
                    found.add(f"content.sample_params.{name}", "has no value", _INVALID)
        except InvalidValue as error:
            found.add(f"content.sample_params.{error.name}", error.problem, _INVALID)
        except UnsafeContent as error:
            found.add(f"content.variants[{i}].{error.field}", f"with the samples {error.problem}", _INVALID)


def check_params(field: str, params: Mapping[str, Any], found: Findings, limits: Limits) -> None:
    """The size of a set of parameters."""
    if len(params) > limits.params_names:
        found.add(field, f"{len(params)} names; at most {limits.params_names}")
    if len(as_json(params).encode(errors="replace")) > limits.params_bytes:
        found.add(field, f"at most {limits.params_bytes} bytes as JSON")


def compile_content(content: ContentForm) -> dict[str, CompiledTemplate]:
    """Checked content as sending compiles it, a template per language."""
    variables = [_variable(variable) for variable in content.variables]
    return {variant.language: CompiledTemplate(_parts(variant), variables) for variant in content.variants}


def _variants(
    given: tuple[VariantForm, ...], found: Findings, tenant_language: str, limits: Limits
) -> tuple[VariantForm, ...]:
    if not 1 <= len(given) <= MAX_VARIANTS:
        found.add("content.variants", f"must be 1 to {MAX_VARIANTS}")
        return ()
    variants: list[VariantForm] = []
    total = 0
    for i, variant in enumerate(given):
        field = f"content.variants[{i}]"
        tag = found.language(f"{field}.language", variant.language) or tenant_language
        if not tag:
            found.add(f"{field}.language", "is required: the tenant has no default language")
        elif any(tag == other.language for other in variants):
            found.add(f"{field}.language", f"{tag} is there already")
        found.line(f"{field}.subject", variant.subject, least=1, most=MAX_SUBJECT_CHARACTERS)
        if not variant.html and not variant.text:
            found.add(field, "html or text is required")
        for part, text in (("html", variant.html), ("text", variant.text)):
            size = len(text.encode(errors="replace"))
            total += size
            if size > limits.template_bytes:
                found.add(f"{field}.{part}", f"{size} bytes; at most {limits.template_bytes}")
            elif problem := check_body(text):
                found.add(f"{field}.{part}", problem)
        variants.append(dataclasses.replace(variant, language=tag))
    if total > MAX_PARTS_TOGETHER * limits.template_bytes:
        found.add("content.variants", f"{total} bytes; at most {MAX_PARTS_TOGETHER * limits.template_bytes}")
    return tuple(variants)


def _default_language(text: str, variants: tuple[VariantForm, ...], found: Findings) -> str:
    if not text:
        return variants[0].language if variants else ""
    tag = found.language("content.default_language", text)
    if tag and variants and all(tag != variant.language for variant in variants):
        found.add("content.default_language", f"no variant is in {tag}")
    return tag


def _declared(
    given: tuple[VariableForm, ...], variants: tuple[VariantForm, ...], found: Findings, limits: Limits
) -> tuple[VariableForm, ...]:
    defaults = [variable.default for variable in given if variable.default is not None]
    if len(as_json(defaults).encode(errors="replace")) > limits.params_bytes:
        found.add("content.variables", f"default values of more than {limits.params_bytes} bytes together")
        return ()
    if len(given) > MAX_VARIABLES:
        found.add("content.variables", f"{len(given)} variables; at most {MAX_VARIABLES}")
        return ()
    held: set[str] = set()
    for variant in variants:
        for part in (variant.subject, variant.html, variant.text):
            held.update(percent.candidates(part))
    kept: dict[str, VariableForm] = {}
    for i, variable in enumerate(given):
        field = f"content.variables[{i}]"
        if not percent.is_name(variable.name):
            found.add(f"{field}.name", "must be a letter or _ and up to 63 of letters, digits, _, . and -")
            continue
        if variable.name in kept:
            found.add(f"{field}.name", f"{variable.name} is there already")
        _check_variable(field, variable, found)
        # Answers list discovered names too. One that came back with content that no longer holds it must not
        # become a requirement that nothing uses.
        if variable.name in held or not variable.says_nothing:
            required = variable.default is None if variable.required is None else variable.required
            kept[variable.name] = dataclasses.replace(variable, required=required, declared=True)
    return tuple(kept.values())


def _check_variable(field: str, variable: VariableForm, found: Findings) -> None:
    if variable.type in _STRUCTURED:
        found.add(f"{field}.type", f"{variable.type} is for LIQUID only")
    elif variable.default is not None and (problem := problem_of(variable.type, variable.default)):
        found.add(f"{field}.default_value", problem)


def _with_discovered(content: ContentForm, found: Findings) -> tuple[VariableForm, ...]:
    declared = [_variable(variable) for variable in content.variables]
    variables = {variable.name: variable for variable in content.variables}
    for i, variant in enumerate(content.variants):
        compiled = CompiledTemplate(_parts(variant), declared)
        if compiled.place_count > MAX_PLACES:
            problem = f"variables stand in {compiled.place_count} places; at most {MAX_PLACES}"
            found.add(f"content.variants[{i}]", problem)
        for variable in compiled.variables:
            variables.setdefault(variable.name, VariableForm(variable.name, required=True, declared=False))
    return tuple(variables.values())


def _check_placement(content: ContentForm, found: Findings) -> None:
    active = [variable for variable in content.variables if not variable.literal]
    names = {variable.name for variable in active}
    raw = {variable.name for variable in active if variable.raw}
    for i, variant in enumerate(content.variants):
        for problem in check_placement(variant.html, names, raw=raw):
            found.add(f"content.variants[{i}].html", str(problem), _INVALID)


def _parts(variant: VariantForm) -> Content:
    return Content(variant.subject, variant.html or None, variant.text or None)


def _variable(form: VariableForm) -> Variable:
    return Variable(
        name=form.name,
        required=form.required is not False,
        default=None if form.default is None else text_of(form.default),
        raw=form.raw,
        literal=form.literal,
        declared=form.declared,
    )
