"""Template content: the rules of what can be saved. All violations at once, with the contract's paths."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from postroom_server.clock import DAY, SECOND
from postroom_server.mail.checks import as_json
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_form import ContentForm, VariableForm, VariantForm
from postroom_server.message import percent
from postroom_server.message.compiling import compile_template
from postroom_server.message.liquid import paths
from postroom_server.message.liquid.system_object import ROOT as SYSTEM
from postroom_server.message.placement import check_placement
from postroom_server.message.template import (
    BadTemplate,
    CompiledTemplate,
    Content,
    MissingVariables,
    UnsafeContent,
    Variable,
)
from postroom_server.message.unsafe import check_body
from postroom_server.message.values import text_of
from postroom_server.message.variable_types import STRUCTURED, VariableType, problem_of
from postroom_server.refusals import Reason
from postroom_server.store.models import Syntax

MAX_VARIANTS = 50
MAX_VARIABLES = 256
MAX_SUBJECT_CHARACTERS = 256
MAX_PARTS_TOGETHER = 3  # times the limit of one part
# How many times variables may stand in one variant: accepting a mail looks at each place.
MAX_PLACES = 4096
_INVALID = Reason.TEMPLATE_CONTENT_INVALID


def check_content(form: ContentForm, found: Findings, *, tenant_language: str, limits: Limits) -> ContentForm:
    """The content in normal spelling, its variables declared and discovered. Violations go to `found`.

    `tenant_language` is that of variants which name none. Samples are `check_samples`'s.
    """
    before = len(found.violations)
    if form.validity is not None and not SECOND <= form.validity <= DAY:
        found.add("content.validity", "must be from 1 second to 24 hours")
    variants = _variants(form.variants, found, tenant_language, limits)
    default_language = _default_language(form.default_language, variants, found)
    variables = _declared(form, variants, found, limits)
    checked = dataclasses.replace(
        form, variants=variants, variables=variables, default_language=default_language
    )
    if len(found.violations) > before:
        return checked
    if form.syntax is Syntax.LIQUID:
        checked = _without_told(checked, {one.name for one in form.variables if one.required})
    compiled = _compiled(checked, found)
    if len(found.violations) > before:
        return checked
    checked = dataclasses.replace(checked, variables=_with_discovered(checked, compiled))
    if len(checked.variables) > MAX_VARIABLES:
        found.add(
            "content.variables", f"{len(checked.variables)} with the discovered; at most {MAX_VARIABLES}"
        )
    else:
        _check_placement(checked, compiled, found)
    return checked


def check_samples(content: ContentForm, found: Findings, limits: Limits) -> None:
    """Whether checked content renders with its own samples, in every language."""
    samples = content.sample_params
    if samples is None:
        return
    check_params("content.sample_params", samples, found, limits)
    reported: set[str] = set()

    def report(path: str, problem: str) -> None:
        # The same sample of several languages is told once.
        if path not in reported:
            reported.add(path)
            found.add(path, problem, _INVALID)

    for i, compiled in enumerate(compile_content(content).values()):
        faults = compiled.faults(samples)
        for name in faults.missing:
            report(f"content.sample_params.{name}", "has no value")
        for name, problem in faults.invalid.items():
            report(f"content.sample_params.{name}", problem)
        if faults.missing or faults.invalid:
            continue
        try:
            compiled.render(samples)
        except MissingVariables as error:
            for name in error.names:
                report(f"content.sample_params.{name}", "has no value")
        except UnsafeContent as error:
            report(f"content.variants[{i}].{error.field}", f"with the samples {error.problem}")


def check_params(field: str, params: Mapping[str, Any], found: Findings, limits: Limits) -> None:
    """The size of a set of parameters."""
    if len(params) > limits.params_names:
        found.add(field, f"{len(params)} names; at most {limits.params_names}")
    if len(as_json(params).encode(errors="replace")) > limits.params_bytes:
        found.add(field, f"at most {limits.params_bytes} bytes as JSON")


def compile_content(content: ContentForm) -> dict[str, CompiledTemplate]:
    """Checked content as sending compiles it, a template per language."""
    variables = _variables(content)
    return {
        variant.language: compile_template(_parts(variant), variables, content.syntax)
        for variant in content.variants
    }


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
    form: ContentForm, variants: tuple[VariantForm, ...], found: Findings, limits: Limits
) -> tuple[VariableForm, ...]:
    given = form.variables
    defaults = [variable.default for variable in given if variable.default is not None]
    if len(as_json(defaults).encode(errors="replace")) > limits.params_bytes:
        found.add("content.variables", f"default values of more than {limits.params_bytes} bytes together")
        return ()
    if len(given) > MAX_VARIABLES:
        found.add("content.variables", f"{len(given)} variables; at most {MAX_VARIABLES}")
        return ()
    check = _check_percent if form.syntax is Syntax.PERCENT else _check_liquid
    held = _held(variants) if form.syntax is Syntax.PERCENT else frozenset()
    kept: dict[str, VariableForm] = {}
    for i, variable in enumerate(given):
        field = f"content.variables[{i}]"
        if not check(field, variable, found):
            continue
        if variable.name in kept:
            found.add(f"{field}.name", f"{variable.name} is there already")
        # Answers list discovered names too. One that came back with content that no longer holds it must not
        # become a requirement that nothing uses.
        if variable.name in held or not variable.says_nothing:
            required = variable.default is None if variable.required is None else variable.required
            kept[variable.name] = dataclasses.replace(variable, required=required, declared=True)
    return tuple(kept.values())


def _held(variants: tuple[VariantForm, ...]) -> frozenset[str]:
    """All names that could be variables of PERCENT content."""
    return frozenset().union(
        *(
            percent.candidates(part)
            for variant in variants
            for part in (variant.subject, variant.html, variant.text)
        )
    )


def _check_percent(field: str, variable: VariableForm, found: Findings) -> bool:
    """Whether the name can be one. What else is wrong goes to `found` as well."""
    if not percent.is_name(variable.name):
        found.add(f"{field}.name", "must be a letter or _ and up to 63 of letters, digits, _, . and -")
        return False
    if variable.type in STRUCTURED:
        found.add(f"{field}.type", f"{variable.type} is for LIQUID only")
    else:
        _check_default(field, variable, found)
    return True


def _check_liquid(field: str, variable: VariableForm, found: Findings) -> bool:
    steps = paths.parse(variable.name)
    if steps is None:
        found.add(f"{field}.name", paths.RULE)
        return False
    if steps[0] == SYSTEM:
        found.add(f"{field}.name", f"{SYSTEM} is the system's")
        return False
    if variable.literal:
        found.add(f"{field}.literal", "is for PERCENT only")
    if variable.raw and variable.type in STRUCTURED:
        found.add(f"{field}.raw", f"{variable.type} has no text; declare what is inside")
    _check_default(field, variable, found)
    return True


def _check_default(field: str, variable: VariableForm, found: Findings) -> None:
    if variable.default is not None and (problem := problem_of(variable.type, variable.default)):
        found.add(f"{field}.default_value", problem)


def _compiled(content: ContentForm, found: Findings) -> list[CompiledTemplate]:
    """The variants, as far as they can be compiled."""
    variables = _variables(content)
    compiled: list[CompiledTemplate] = []
    for i, variant in enumerate(content.variants):
        try:
            one = compile_template(_parts(variant), variables, content.syntax)
        except BadTemplate as error:
            of = "content" if error.field == "variables" else f"content.variants[{i}]"
            found.add(f"{of}.{error.field}", error.problem, _INVALID)
            continue
        if one.place_count > MAX_PLACES:
            problem = f"variables stand in {one.place_count} places; at most {MAX_PLACES}"
            found.add(f"content.variants[{i}]", problem)
        compiled.append(one)
    return compiled


def _without_told(content: ContentForm, asked: Collection[str]) -> ContentForm:
    """LIQUID content without variables that only repeat what discovery says, or said of earlier content.

    Answers list discovered variables with their types, and always say whether they are required. Content
    that comes back with them must not make them the author's, nor require what nothing uses. `asked` are the
    names that the author said, rather than left to us, to be required.
    """
    discovered: dict[str, VariableForm] = {}
    bare = dataclasses.replace(content, variables=())
    for form in _with_discovered(bare, _compiled(bare, Findings())):
        discovered[form.name] = form
    kept = []
    for form in content.variables:
        told = discovered.get(form.name)
        says_more = form.default is not None or form.raw or form.type is VariableType.STRING
        if told is None:
            is_used = any(name.startswith((f"{form.name}.", f"{form.name}[")) for name in discovered)
            is_repeated = form.name in asked and not is_used
        else:
            is_repeated = form.type == told.type and form.required == told.required
        if says_more or not is_repeated:
            kept.append(form)
    return dataclasses.replace(content, variables=tuple(kept))


def _with_discovered(content: ContentForm, compiled: Iterable[CompiledTemplate]) -> tuple[VariableForm, ...]:
    """The declared variables, then what any language takes. Of several types nobody knows which is right."""
    variables = {variable.name: variable for variable in content.variables}
    for one in compiled:
        for variable in one.variables:
            known = variables.setdefault(
                variable.name,
                VariableForm(variable.name, variable.type, required=variable.required, declared=False),
            )
            if known.declared:
                continue
            types = {known.type, variable.type} - {VariableType.ANY}
            variables[variable.name] = dataclasses.replace(
                known,
                type=types.pop() if len(types) == 1 else VariableType.ANY,
                required=bool(known.required or variable.required),
            )
    return tuple(variables.values())


def _check_placement(content: ContentForm, compiled: Iterable[CompiledTemplate], found: Findings) -> None:
    if content.syntax is not Syntax.PERCENT:
        for i, one in enumerate(compiled):
            for problem in one.problems():
                found.add(f"content.variants[{i}].{problem.field}", str(problem), _INVALID)
        return
    # What is discovered in one language is a variable in all.
    active = [variable for variable in content.variables if not variable.literal]
    names = {variable.name for variable in active}
    raw = {variable.name for variable in active if variable.raw}
    for i, variant in enumerate(content.variants):
        for problem in check_placement(variant.html, names, raw=raw):
            found.add(f"content.variants[{i}].html", str(problem), _INVALID)


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
