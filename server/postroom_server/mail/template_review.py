"""Reviews of versions: NOT_SUBMITTED → PENDING → APPROVED or REJECTED. Only approved ones are sent."""

from __future__ import annotations

import dataclasses

from postroom_server.clock import Clock, Millis
from postroom_server.mail.broken_call import Break
from postroom_server.mail.caller import Caller
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.template_form import TemplateRecord
from postroom_server.mail.template_guard import PublishingGuard
from postroom_server.mail.template_rows import Review, find_template, find_version, record_of
from postroom_server.mail.tenants import MANUAL, TenantSettings, find_tenant, tenant_to_change
from postroom_server.message.unsafe import check_body
from postroom_server.refusals import Reason, Refusal, refuse_all
from postroom_server.store.known import raise_generation
from postroom_server.store.models import ReviewState, Template, TemplateVersion, Tenant

_REASON_CHARACTERS = 500


def first_review(tenant: Tenant, settings: TenantSettings, submit: bool, now: Millis) -> Review:
    """How a version stands when it is made, or submitted later: waiting, or approved at once."""
    if not submit:
        return Review(state=ReviewState.NOT_SUBMITTED, submit_time=None, review_time=None)
    if (tenant.review_mode or settings.review_mode) == MANUAL:
        return Review(state=ReviewState.PENDING, submit_time=now, review_time=None)
    return Review(state=ReviewState.APPROVED, submit_time=now, review_time=now)


def refuse_while_pending(template: Template, latest: TemplateVersion) -> None:
    """What a reviewer looks at must not change under them."""
    if latest.review_state == ReviewState.PENDING:
        raise _wrong_state(template, latest, "waits for review; withdraw it first")


class Reviews:
    """The use cases of a review. The methods are units of work; version 0 is the newest."""

    def __init__(
        self, clock: Clock, settings: TenantSettings | None = None, guard: PublishingGuard | None = None
    ) -> None:
        self._clock = clock
        self._settings = settings or TenantSettings()
        self._guard = guard

    def submit(
        self,
        caller: Caller,
        tenant_id: int | None,
        invoke_name: str,
        version: int = 0,
        *,
        allow_breaking: bool = False,
    ) -> TemplateRecord:
        """Hands a version to the reviewers; with review mode AUTO it is approved at once."""
        template, row = self._begin(caller, tenant_id, invoke_name, version)
        if row.review_state not in (ReviewState.NOT_SUBMITTED, ReviewState.REJECTED):
            raise _wrong_state(template, row, "was submitted already")
        review = first_review(find_tenant(template.tenant_id), self._settings, True, self._clock.now())
        row.submit_time = review.submit_time
        breaks = self._breaks(template, row, review.state, allow_breaking)
        return _decide(template, row, review.state, time=review.review_time, breaks=breaks)

    def withdraw(
        self, caller: Caller, tenant_id: int | None, invoke_name: str, version: int = 0
    ) -> TemplateRecord:
        template, row = self._begin(caller, tenant_id, invoke_name, version)
        _refuse_unless_pending(template, row)
        row.submit_time = None
        return _decide(template, row, ReviewState.NOT_SUBMITTED)

    def approve(
        self,
        caller: Caller,
        tenant_id: int | None,
        invoke_name: str,
        version: int = 0,
        reason: str = "",
        *,
        allow_breaking: bool = False,
    ) -> TemplateRecord:
        """Approves a version: it is sent from now on, unless a newer one is approved."""
        _check_reason(reason, least=0)
        template, row = self._begin(caller, tenant_id, invoke_name, version)
        _refuse_unless_pending(template, row)
        breaks = self._breaks(template, row, ReviewState.APPROVED, allow_breaking)
        return _decide(
            template,
            row,
            ReviewState.APPROVED,
            reviewer=caller.name,
            time=self._clock.now(),
            reason=reason,
            breaks=breaks,
        )

    def reject(
        self, caller: Caller, tenant_id: int | None, invoke_name: str, version: int = 0, reason: str = ""
    ) -> TemplateRecord:
        _check_reason(reason, least=1)
        template, row = self._begin(caller, tenant_id, invoke_name, version)
        _refuse_unless_pending(template, row)
        return _decide(
            template, row, ReviewState.REJECTED, reviewer=caller.name, time=self._clock.now(), reason=reason
        )

    def _breaks(
        self, template: Template, row: TemplateVersion, state: ReviewState, allow_breaking: bool
    ) -> tuple[Break, ...]:
        is_sent = state is ReviewState.APPROVED and _is_newer(row, template.approved_version_id)
        if self._guard is None or not is_sent:
            return ()
        return self._guard.check(template, row.id, row.number, allow_breaking=allow_breaking)

    def _begin(
        self, caller: Caller, tenant_id: int | None, invoke_name: str, version: int
    ) -> tuple[Template, TemplateVersion]:
        # The generation's row is locked until the commit: two reviewers decide one after the other.
        raise_generation()
        template = find_template(tenant_to_change(caller, tenant_id), invoke_name)
        return template, find_version(template, version)


def _decide(
    template: Template,
    row: TemplateVersion,
    state: ReviewState,
    *,
    reviewer: str | None = None,
    time: Millis | None = None,
    reason: str = "",
    breaks: tuple[Break, ...] = (),
) -> TemplateRecord:
    row.review_state = str(state)
    row.reviewer = reviewer
    row.review_time = time
    row.review_reason = reason or None
    row.save()
    if state is ReviewState.APPROVED and _is_newer(row, template.approved_version_id):
        template.approved_version_id = row.id
        template.save(only=[Template.approved_version_id])
    return dataclasses.replace(record_of(template, with_content=False), breaks=breaks)


def _is_newer(row: TemplateVersion, approved_id: int | None) -> bool:
    if approved_id is None:
        return True
    approved: TemplateVersion = TemplateVersion.get_by_id(approved_id)
    return bool(row.number > approved.number)


def _check_reason(reason: str, *, least: int) -> None:
    found = Findings()
    if not least <= len(reason) <= _REASON_CHARACTERS:
        found.add("reason", f"must be {least} to {_REASON_CHARACTERS} characters")
    elif problem := check_body(reason):
        found.add("reason", problem)
    refuse_all(found.violations)


def _refuse_unless_pending(template: Template, row: TemplateVersion) -> None:
    if row.review_state != ReviewState.PENDING:
        raise _wrong_state(template, row, "does not wait for review")


def _wrong_state(template: Template, row: TemplateVersion, what: str) -> Refusal:
    return Refusal(
        Reason.TEMPLATE_REVIEW_STATE,
        f"version {row.number} of {template.invoke_name} {what}",
        metadata={"version": str(row.number), "review_state": str(row.review_state)},
    )
