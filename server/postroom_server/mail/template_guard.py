"""Guards the moment in which a version becomes the one that is sent: callers' mail must go on."""

from __future__ import annotations

import structlog

from postroom_server.clock import DAY, Clock
from postroom_server.mail.broken_call import Break
from postroom_server.mail.compiled_content import compile_content
from postroom_server.mail.template_breaks import Sendable, breaks, refusal_of, summary
from postroom_server.mail.template_calls import find_callers, find_calls
from postroom_server.mail.template_form import ContentForm, TemplateRecord
from postroom_server.store.known import Memory
from postroom_server.store.models import Template

log = structlog.get_logger()

DAYS = 30


class PublishingGuard:
    """Compares a version with what callers sent in the last `days` days; 0 days: with nothing."""

    def __init__(self, clock: Clock, memory: Memory, days: int = DAYS) -> None:
        self._clock = clock
        self._memory = memory
        self._days = days

    @property
    def is_on(self) -> bool:
        return self._days > 0

    def sendable(self, content: ContentForm) -> Sendable:
        """Checked content, compiled: about a microsecond a character, so not in a unit that writes."""
        return Sendable(compile_content(content), content.default_language)

    def check(
        self, template: Template, candidate: Sendable | int, number: int, *, allow_breaking: bool
    ) -> tuple[Break, ...]:
        """Raises TEMPLATE_BREAKING_CHANGE, or returns what is broken where that is allowed.

        `candidate` is a version's content or the id of a stored one, `number` its number. Call it in the unit
        that publishes, while the template's approved version is still the earlier one. Raises NotCompiled.
        """
        if not self.is_on or template.approved_version_id is None:
            return ()
        since = self._clock.now() - self._days * DAY
        calls = find_calls(template.id, since)
        if not calls:
            return ()
        current = self._stored(template.approved_version_id)
        if isinstance(candidate, int):
            candidate = self._stored(candidate)
        found = breaks(current, candidate, calls)
        if not found:
            return ()
        callers = find_callers(template.id, {one for digests in found.values() for one in digests}, since)
        told = tuple(
            Break(fault, tuple(dict.fromkeys(caller for digest in digests for caller in callers[digest])))
            for fault, digests in sorted(found.items())
        )
        if not allow_breaking:
            raise refusal_of(told, invoke_name=template.invoke_name, version=number, days=self._days)
        return told

    def _stored(self, version_id: int) -> Sendable:
        version = self._memory.version_if_short(version_id)
        return Sendable(version.variants, version.default_language)


def tell_breaks(template: TemplateRecord, *, correlation_id: str) -> None:
    """Logs what a version broke with leave; the call's access line tells who gave it. After the commit."""
    if template.breaks:
        told = {name: values for name, values in summary(template.breaks).items() if values}
        log.warning(
            "template_broke_callers",
            tenant=template.tenant_id,
            template=template.invoke_name,
            version=template.approved_version,
            correlation_id=correlation_id,
            **told,
        )
