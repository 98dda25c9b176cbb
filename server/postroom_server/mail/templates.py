"""Templates: creating, reading, changing and deleting them. The methods are units of work."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from postroom_server.clock import Clock
from postroom_server.mail.broken_call import Break
from postroom_server.mail.caller import Caller
from postroom_server.mail.form_checks import INVOKE_NAME, INVOKE_NAME_RULE, Findings
from postroom_server.mail.limits import Limits
from postroom_server.mail.template_breaks import Sendable
from postroom_server.mail.template_calls import forget_template
from postroom_server.mail.template_content import check_content, check_samples
from postroom_server.mail.template_form import CONTENT_PATHS, PATHS, ContentForm, TemplateForm, TemplateRecord
from postroom_server.mail.template_guard import PublishingGuard
from postroom_server.mail.template_review import first_review, refuse_while_pending
from postroom_server.mail.template_rows import (
    NewVersion,
    find_template,
    newest,
    put_on_top,
    read_content,
    record_of,
    refuse_stale,
    write_version,
)
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tenants import TenantSettings, find_tenant, limit_of, tenant_to_change
from postroom_server.refusals import Reason, Refusal, refuse_all
from postroom_server.store.ids import IdMint
from postroom_server.store.known import raise_generation
from postroom_server.store.models import PLATFORM_TENANT, ReviewState, Syntax, Template, TemplateKind, Tenant

_NAME_CHARACTERS = 255
# Characters that a unit that writes, and holds everyone else up, may check: two microseconds each.
_CHECKED_IN_PASSING = 16 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedTemplate:
    """A new template that breaks no rule of its own."""

    tenant_id: int
    form: TemplateForm


@dataclasses.dataclass(frozen=True, slots=True)
class CheckedUpdate:
    """An update that breaks no rule while version `base` (an id) is the newest, and what comes of it then."""

    tenant_id: int
    form: TemplateForm
    paths: frozenset[str]
    expected_version: int
    base: int
    merged: TemplateForm
    sendable: Sendable | None  # what is to be sent then, compiled, where a guard will ask


class Templates:
    """The use cases around a template's content. Reviews are in template_review.py.

    Checking megabytes takes seconds, so the checks are units that only read; what they pass is then written.
    """

    def __init__(
        self,
        clock: Clock,
        mint: IdMint,
        limits: Limits,
        settings: TenantSettings | None = None,
        guard: PublishingGuard | None = None,
    ) -> None:
        self._clock = clock
        self._mint = mint
        self._limits = limits
        self._settings = settings or TenantSettings()
        self._guard = guard

    def check_new(self, caller: Caller, tenant_id: int | None, form: TemplateForm) -> CheckedTemplate:
        """Refuses a template for everything that is wrong with it, all at once."""
        tenant = find_tenant(tenant_to_change(caller, tenant_id))
        return CheckedTemplate(tenant.id, self._checked(tenant, form))

    def create(self, caller: Caller, checked: CheckedTemplate, submit: bool = True) -> TemplateRecord:
        """Makes a template with its first version. Raises TEMPLATE_EXISTS, TEMPLATE_LIMIT."""
        # First of all: the generation's row is locked until the commit, so that what is checked stays true.
        raise_generation()
        tenant = find_tenant(checked.tenant_id)
        self._refuse_another(tenant, checked.form.invoke_name)
        return self._insert(tenant, checked.form, caller.name, submit)

    def add(self, tenant_id: int, form: TemplateForm, author: str) -> TemplateRecord:
        """Checks and makes a template of a tenant, whoever asks; for small ones that the program brings."""
        raise_generation()
        tenant = find_tenant(tenant_id)
        form = self._checked(tenant, form)
        self._refuse_another(tenant, form.invoke_name)
        return self._insert(tenant, form, author, True)

    def get(
        self,
        caller: Caller,
        tenant_id: int | None,
        invoke_name: str,
        *,
        include_platform: bool = False,
        with_content: bool = True,
    ) -> TemplateRecord:
        """The tenant's template of that name, or (if wanted) the platform's."""
        owner = tenant_of(caller, tenant_id)
        try:
            row = find_template(owner, invoke_name)
        except Refusal:
            if not include_platform:
                raise
            row = find_template(PLATFORM_TENANT, invoke_name)
        return record_of(row, with_content=with_content)

    def check_update(
        self,
        caller: Caller,
        tenant_id: int | None,
        form: TemplateForm,
        paths: Collection[str],
        expected_version: int = 0,
    ) -> CheckedUpdate:
        """Refuses an update for everything that is wrong with it. `paths` name the fields to change."""
        tenant = find_tenant(tenant_to_change(caller, tenant_id))
        found = Findings("template.")
        found.paths(paths, PATHS)
        refuse_all(found.violations)
        row = find_template(tenant.id, form.invoke_name)
        latest = newest(row)
        refuse_stale(row, latest, expected_version)
        refuse_while_pending(row, latest)
        merged = _merged(row, read_content(latest), form, paths)
        if paths:
            merged = self._checked(tenant, merged)
        sendable = self._guard.sendable(merged.content) if self._guard and paths else None
        return CheckedUpdate(tenant.id, form, frozenset(paths), expected_version, latest.id, merged, sendable)

    def update(
        self, caller: Caller, checked: CheckedUpdate, submit: bool = True, *, allow_breaking: bool = False
    ) -> TemplateRecord:
        """Makes a new version of the newest one and the named fields; where none is named, none is made.

        Raises TEMPLATE_NOT_FOUND, VERSION_MISMATCH, TEMPLATE_REVIEW_STATE, TEMPLATE_BREAKING_CHANGE.
        """
        raise_generation()
        tenant = find_tenant(checked.tenant_id)
        row = find_template(tenant.id, checked.form.invoke_name)
        latest = newest(row)
        refuse_stale(row, latest, checked.expected_version)
        refuse_while_pending(row, latest)
        if not checked.paths:
            return record_of(row, with_content=True)
        merged, sendable = checked.merged, checked.sendable
        if latest.id != checked.base:
            # Somebody was faster, and this caller did not mind what is there.
            merged = _merged(row, read_content(latest), checked.form, checked.paths)
            if merged.content.syntax is Syntax.LIQUID or merged.content.length > _CHECKED_IN_PASSING:
                raise Refusal(
                    Reason.VERSION_MISMATCH,
                    f"{row.invoke_name} was changed at the same moment; try again",
                    metadata={"version": str(latest.number)},
                )
            merged = self._checked(tenant, merged)
            sendable = self._guard.sendable(merged.content) if self._guard else None
        new = self._version(tenant, merged, caller.name, submit, number=latest.number + 1)
        breaks: tuple[Break, ...] = ()
        if self._guard and sendable and new.review.state is ReviewState.APPROVED:
            breaks = self._guard.check(row, sendable, new.number, allow_breaking=allow_breaking)
        put_on_top(self._mint, row, new)
        return dataclasses.replace(record_of(row, with_content=True), breaks=breaks)

    def delete(
        self, caller: Caller, tenant_id: int | None, invoke_name: str, expected_version: int = 0
    ) -> None:
        """Takes a template away."""
        raise_generation()
        row = find_template(tenant_to_change(caller, tenant_id), invoke_name)
        refuse_stale(row, newest(row), expected_version)
        forget_template(row.id)
        # Its versions stay for the mail that was accepted with them; nothing else leads to them any more.
        row.delete_instance()

    def _refuse_another(self, tenant: Tenant, invoke_name: str) -> None:
        own = Template.select().where(Template.tenant_id == tenant.id)
        if own.where(Template.invoke_name == invoke_name).exists():
            raise Refusal(
                Reason.TEMPLATE_EXISTS,
                f"there is a template {invoke_name} already",
                metadata={"invoke_name": invoke_name},
            )
        limit = limit_of(tenant, "templates_per_tenant", self._limits.templates_per_tenant)
        if own.count() >= limit:
            raise Refusal(
                Reason.TEMPLATE_LIMIT,
                f"the tenant may have {limit} templates",
                metadata={"limit": str(limit)},
            )

    def _insert(self, tenant: Tenant, form: TemplateForm, author: str, submit: bool) -> TemplateRecord:
        new = self._version(tenant, form, author, submit, number=1)
        template_id = self._mint.one()
        version_id = write_version(self._mint, tenant.id, template_id, new)
        row = Template.create(
            id=template_id,
            tenant_id=tenant.id,
            invoke_name=form.invoke_name,
            name=form.name,
            kind=str(form.kind),
            latest_version_id=version_id,
            approved_version_id=version_id if new.review.state is ReviewState.APPROVED else None,
            create_time=new.create_time,
            update_time=new.create_time,
        )
        return record_of(row, with_content=True)

    def _version(
        self, tenant: Tenant, form: TemplateForm, author: str, submit: bool, *, number: int
    ) -> NewVersion:
        now = self._clock.now()
        return NewVersion(
            number=number,
            name=form.name,
            kind=TemplateKind(form.kind or ""),
            content=form.content,
            author=author,
            create_time=now,
            review=first_review(tenant, self._settings, submit, now),
        )

    def _checked(self, tenant: Tenant, form: TemplateForm) -> TemplateForm:
        found = Findings("template.")
        if not INVOKE_NAME.fullmatch(form.invoke_name):
            found.add("invoke_name", INVOKE_NAME_RULE)
        found.line("name", form.name, least=1, most=_NAME_CHARACTERS)
        if form.kind is None:
            found.add("kind", "is required")
        before = len(found.violations)
        content = check_content(
            form.content,
            found,
            tenant_language=tenant.default_language or self._settings.default_language,
            limits=self._limits,
        )
        if len(found.violations) == before:
            check_samples(content, found, self._limits)
        refuse_all(found.violations)
        return dataclasses.replace(form, content=content)


def _merged(
    row: Template, content: ContentForm, wanted: TemplateForm, paths: Collection[str]
) -> TemplateForm:
    """The newest version with the named fields replaced."""
    if "content" in paths:
        content = wanted.content
    else:
        parts = {CONTENT_PATHS[path]: path for path in paths if path in CONTENT_PATHS}
        # Discovery runs again over the new texts; only what the author declared stays by itself.
        declared = tuple(variable for variable in content.variables if variable.declared)
        content = dataclasses.replace(content, variables=declared)
        content = dataclasses.replace(content, **{name: getattr(wanted.content, name) for name in parts})
    return TemplateForm(
        invoke_name=row.invoke_name,
        name=wanted.name if "name" in paths else row.name,
        kind=wanted.kind if "kind" in paths else TemplateKind(row.kind),
        content=content,
    )
