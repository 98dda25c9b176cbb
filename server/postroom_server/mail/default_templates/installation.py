"""Puts the default templates and their bindings into a database, each of them once in its life."""

from __future__ import annotations

import dataclasses
import json

import structlog

from postroom_server.clock import Clock
from postroom_server.mail.default_templates.library import DefaultTemplate, default_templates
from postroom_server.mail.limits import Limits
from postroom_server.mail.templates import Templates
from postroom_server.refusals import Reason, Refusal
from postroom_server.store.ids import IdMint
from postroom_server.store.known import raise_generation
from postroom_server.store.models import PLATFORM_TENANT, Binding, Fact, Template

FACT = "default_templates"
AUTHOR = "postroom"

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True, slots=True)
class _Brought:
    """The names and keys that this or an earlier release brought here, whatever became of them since."""

    templates: frozenset[str] = frozenset()
    biz_keys: frozenset[str] = frozenset()

    def lacks(self, default: DefaultTemplate) -> bool:
        name, keys = default.form.invoke_name, default.biz_keys
        return name not in self.templates or not self.biz_keys.issuperset(keys)

    def plus(self, default: DefaultTemplate) -> _Brought:
        return _Brought(
            self.templates.union([default.form.invoke_name]), self.biz_keys.union(default.biz_keys)
        )


def ensure_default_templates(clock: Clock, mint: IdMint) -> None:
    """Makes the default templates that this database never had, and binds their keys. A unit of work.

    What an operator has changed, deleted, bound or unbound stays as it is: the database remembers what it was
    brought. Harmless when repeated or run in a race.
    """
    wanted = default_templates()
    if not any(map(_brought().lacks, wanted)):
        return
    # Processes that start together take turns from here on; the later ones see what the first has brought.
    raise_generation()
    brought = _brought()
    for default in filter(brought.lacks, wanted):
        is_new = default.form.invoke_name not in brought.templates
        if is_new and not _is_there(default) and not _make(default, clock, mint):
            continue  # and tried again at the next start
        if _is_there(default):
            for biz_key in sorted(set(default.biz_keys) - brought.biz_keys):
                _bind(biz_key, default, clock, mint)
        brought = brought.plus(default)
    _remember(brought)


def _is_there(default: DefaultTemplate) -> bool:
    platform = Template.select().where(Template.tenant_id == PLATFORM_TENANT)
    return bool(platform.where(Template.invoke_name == default.form.invoke_name).exists())


def _make(default: DefaultTemplate, clock: Clock, mint: IdMint) -> bool:
    """Makes a template unless the platform may have no more: no reason not to start."""
    # The deployment's limits and review mode are for what people write; the platform tenant's own hold here.
    templates = Templates(clock, mint, Limits())
    try:
        templates.add(PLATFORM_TENANT, default.form, AUTHOR)
    except Refusal as refusal:
        if refusal.reason is not Reason.TEMPLATE_LIMIT:
            raise
        log.warning("default_template_left_out", invoke_name=default.form.invoke_name, reason=refusal.message)
        return False
    return True


def _bind(biz_key: str, default: DefaultTemplate, clock: Clock, mint: IdMint) -> None:
    """Binds a key of the platform's, unless somebody has bound it already."""
    platform = Binding.select().where(Binding.tenant_id == PLATFORM_TENANT)
    if not platform.where(Binding.biz_key == biz_key).exists():
        Binding.create(
            id=mint.one(),
            tenant_id=PLATFORM_TENANT,
            biz_key=biz_key,
            invoke_name=default.form.invoke_name,
            create_time=clock.now(),
        )


def _brought() -> _Brought:
    row: Fact | None = Fact.get_or_none(Fact.name == FACT)
    if row is None:
        return _Brought()
    return _Brought(**{name: frozenset(names) for name, names in json.loads(str(row.value)).items()})


def _remember(brought: _Brought) -> None:
    value = json.dumps({name: sorted(names) for name, names in dataclasses.asdict(brought).items()})
    Fact.insert(name=FACT, value=value).on_conflict(
        conflict_target=[Fact.name], update={Fact.value: value}
    ).execute()
