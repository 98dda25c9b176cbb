"""The variables of template content: which its author declares, and which are found in what it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

from postroom_server.mail.compiled_content import compile_each
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.param_checks import as_json
from postroom_server.mail.template_form import ContentForm, VariableForm, VariantForm
from postroom_server.message import percent
from postroom_server.message.liquid import paths
from postroom_server.message.liquid.system_object import ROOT as SYSTEM
from postroom_server.message.template import CompiledTemplate
from postroom_server.message.variable_types import STRUCTURED, VariableType, problem_of
from postroom_server.store.models import Syntax

MAX_VARIABLES = 256


def declared(
    form: ContentForm, variants: tuple[VariantForm, ...], found: Findings, limits: Limits
) -> tuple[VariableForm, ...]:
    """The variables that the form declares, as far as they are right; what is wrong goes to `found`."""
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


def without_told(content: ContentForm, asked: Collection[str]) -> ContentForm:
    """LIQUID content without variables that only repeat what discovery says, or said of earlier content.

    Answers list discovered variables with their types, and always say whether they are required. Content
    that comes back with them must not make them the author's, nor require what nothing uses. `asked` are the
    names that the author said, rather than left to us, to be required.
    """
    discovered: dict[str, VariableForm] = {}
    bare = dataclasses.replace(content, variables=())
    for form in with_discovered(bare, compile_each(bare, Findings())):
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


def with_discovered(content: ContentForm, compiled: Iterable[CompiledTemplate]) -> tuple[VariableForm, ...]:
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
