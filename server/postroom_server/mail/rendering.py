"""Rendering for authors: what a template says with given parameters, by the code that sends, and what stands
in a send's way. A unit of work that only reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from postroom_server.mail.caller import Caller
from postroom_server.mail.compiled_content import compile_content
from postroom_server.mail.draft import TemplateBody
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_choice import find_template
from postroom_server.mail.template_content import check_content, check_params
from postroom_server.mail.template_form import ContentForm
from postroom_server.mail.template_rows import find_version, read_content
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tenants import TenantSettings, find_tenant
from postroom_server.message import language
from postroom_server.message.mailing import system_values
from postroom_server.message.template import (
    CompiledTemplate,
    FailedRendering,
    InvalidValue,
    MissingVariables,
    Rendered,
    UnsafeContent,
)
from postroom_server.message.unsubscribe import UnsubscribeBase
from postroom_server.refusals import Reason, Refusal, Violation, refuse_all
from postroom_server.store.known import Memory
from postroom_server.store.models import Template, TemplateKind, TemplateVersion

_NOTHING = Rendered("", None, "")


@dataclasses.dataclass(frozen=True, slots=True)
class StoredSource:
    """A stored template, by name or by business key. Version 0 is the one that is sent."""

    invoke_name: str = ""
    biz_key: str = ""
    version: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Preview:
    """What came of it. `version` is 0 for content that is not stored."""

    rendered: Rendered
    language: str
    version: int
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    violations: tuple[Violation, ...]


class Rendering:
    def __init__(
        self,
        memory: Memory,
        limits: Limits,
        settings: TenantSettings | None = None,
        unsubscribe: UnsubscribeBase | None = None,
    ) -> None:
        self._link = unsubscribe.sample if unsubscribe else ""
        self._memory = memory
        self._limits = limits
        self._settings = settings or TenantSettings()

    def render(
        self,
        caller: Caller,
        tenant_id: int | None,
        source: StoredSource | ContentForm | None,
        params: Mapping[str, Any] | None,
        wanted_language: str = "",
    ) -> Preview:
        """Renders a stored template, or content as it could be saved.

        `params` None stands for the samples. Raises what looking the template up for a send would raise, and
        every violation of content that could not be saved.
        """
        tenant = find_tenant(tenant_of(caller, tenant_id))
        tenant_language = tenant.default_language or self._settings.default_language
        found = Findings()
        tag = found.language("language", wanted_language)
        if params is not None:
            check_params("params", params, found, self._limits)
        number, link = 0, self._link
        if isinstance(source, ContentForm):
            content = check_content(source, found, tenant_language=tenant_language, limits=self._limits)
            refuse_all(found.violations)
        elif source is not None and (source.invoke_name or source.biz_key):
            refuse_all(found.violations)
            version = self._stored(tenant.id, source)
            number, content = version.number, read_content(version)
            # Of content that is not stored nobody knows yet to how many it will be sent.
            link = link if version.kind == TemplateKind.BATCH else ""
        else:
            found.add("source", "name a stored template, by invoke_name or biz_key, or give content")
            refuse_all(found.violations)
            raise AssertionError
        variants = compile_content(content)
        chosen = language.choose(tag or tenant_language, tuple(variants), content.default_language)
        given = params if params is not None else content.sample_params or {}
        return _preview(variants, given, chosen, number, link)

    def _stored(self, tenant_id: int, source: StoredSource) -> TemplateVersion:
        known = self._memory.current()
        template = find_template(TemplateBody(source.invoke_name), source.biz_key, tenant_id, known)
        if source.version:
            return find_version(Template.get_by_id(template.id), source.version)
        if template.approved_version_id is None:
            raise Refusal(
                Reason.TEMPLATE_NOT_APPROVED,
                f"no version of {template.invoke_name} is approved",
                metadata={"invoke_name": template.invoke_name},
            )
        version: TemplateVersion = TemplateVersion.get_by_id(template.approved_version_id)
        return version


def _preview(
    variants: Mapping[str, CompiledTemplate], params: Mapping[str, Any], tag: str, number: int, link: str
) -> Preview:
    compiled = variants[tag]
    missing, unused, invalid = compiled.faults(params)
    unknown = set(unused).intersection(*(other.unused(params) for other in variants.values()))
    wrong = dict.fromkeys(missing, "has no value") | invalid
    wrong |= {name: "is no variable of the template" for name in unused if name in unknown}
    rendered = _NOTHING
    refused: list[Violation] = []
    try:
        # What cannot be shown is shown empty, so that the author sees the rest.
        rendered = compiled.sketch(params, system_values(link))
    except MissingVariables as error:
        wrong |= dict.fromkeys(error.names, "has no value")
        missing = [*missing, *(name for name in error.names if name not in missing)]
    except InvalidValue as error:
        wrong[error.name] = error.problem
    except FailedRendering as error:
        refused.append(Violation(f"params ({error.field})", error.problem, Reason.TEMPLATE_VARIABLE_INVALID))
    except UnsafeContent as error:
        refused.append(Violation(f"params ({error.field})", error.problem, Reason.UNSAFE_CONTENT))
    violations = [
        Violation(f"params.{name}", problem, Reason.TEMPLATE_VARIABLE_INVALID)
        for name, problem in wrong.items()
    ]
    return Preview(
        rendered=rendered,
        language=tag,
        version=number,
        unused=tuple(unused),
        missing=tuple(missing),
        violations=(*violations, *refused),
    )
