"""Template content: the rules of what can be saved. All violations at once, with the contract's paths."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from postroom_server.clock import DAY, SECOND
from postroom_server.mail.compiled_content import compile_content, compile_each
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.param_checks import as_json
from postroom_server.mail.template_form import ContentForm, VariantForm
from postroom_server.mail.template_variables import MAX_VARIABLES, declared, with_discovered, without_told
from postroom_server.message.placement import check_placement
from postroom_server.message.template import CompiledTemplate, MissingVariables, UnsafeContent
from postroom_server.message.unsafe import check_body
from postroom_server.refusals import Reason
from postroom_server.store.models import Syntax

MAX_VARIANTS = 50
MAX_SUBJECT_CHARACTERS = 256
MAX_PARTS_TOGETHER = 3  # times the limit of one part
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
    variables = declared(form, variants, found, limits)
    checked = dataclasses.replace(
        form, variants=variants, variables=variables, default_language=default_language
    )
    if len(found.violations) > before:
        return checked
    if form.syntax is Syntax.LIQUID:
        checked = without_told(checked, {one.name for one in form.variables if one.required})
    compiled = compile_each(checked, found)
    if len(found.violations) > before:
        return checked
    checked = dataclasses.replace(checked, variables=with_discovered(checked, compiled))
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
