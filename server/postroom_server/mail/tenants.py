"""Tenants: making, reading and changing those who share a deployment. The functions are units of work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any

from postroom_server.clock import DAY, Clock, Millis
from postroom_server.mail.caller import Caller, Scope
from postroom_server.mail.form_checks import Findings
from postroom_server.mail.tenancy import tenant_of
from postroom_server.refusals import Reason, Refusal, refuse_all
from postroom_server.store.ids import IdMint
from postroom_server.store.known import raise_generation
from postroom_server.store.models import PLATFORM_TENANT, Tenant, TenantState

PLATFORM_NAME = "platform"
AUTO, MANUAL = "AUTO", "MANUAL"
# The limits that a tenant may have of its own, and the settings (mail/limits.py) they stand in for. Rows keep
# them by the setting's name.
LIMITS: Mapping[str, str] = {
    "max_pending_emails": "pending_per_tenant",
    "max_templates": "templates_per_tenant",
    "max_mail_servers": "servers_per_tenant",
    "urgent_per_minute": "urgent_per_minute",
    "urgent_burst": "urgent_burst",
}
_LIMIT_PATHS = {f"limits.{name}": name for name in LIMITS}
_NAME_CHARACTERS = 100
_FROM_NAME_CHARACTERS = 200
_SENDER_DOMAINS = 1000
_LONGEST: Millis = 36_500 * DAY
_MOST = 2**31 - 1
_MAX_PENDING = 2**63 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class TenantForm:
    """A tenant's rules as asked for. Empty strings, None and absent limits leave the settings in force."""

    name: str = ""
    state: str = TenantState.ACTIVE
    sender_domains: tuple[str, ...] = ()
    review_mode: str = ""  # AUTO, MANUAL
    default_language: str = ""
    from_address: str = ""
    from_name: str = ""
    content_retention: Millis | None = None
    metadata_retention: Millis | None = None
    limits: Mapping[str, int] = dataclasses.field(default_factory=dict)  # by the names of LIMITS


PATHS = frozenset({field.name for field in dataclasses.fields(TenantForm)} | set(_LIMIT_PATHS))


@dataclasses.dataclass(frozen=True, slots=True)
class TenantRecord:
    id: int
    rules: TenantForm
    create_time: Millis
    update_time: Millis


@dataclasses.dataclass(frozen=True, slots=True)
class TenantSettings:
    """What holds for tenants that have no rule of their own."""

    review_mode: str = AUTO
    default_language: str = "en"
    content_retention: Millis = 30 * DAY
    metadata_retention: Millis = 180 * DAY


def ensure_platform(now: Millis) -> None:
    """Makes tenant 0, the platform itself, unless it is there. Harmless when repeated or run in a race."""
    row = {"id": PLATFORM_TENANT, "create_time": now, "update_time": now}
    Tenant.insert(row | _columns(TenantForm(name=PLATFORM_NAME))).on_conflict_ignore().execute()


def find_tenant(tenant_id: int) -> Tenant:
    """The tenant's row, or TENANT_NOT_FOUND."""
    row: Tenant | None = Tenant.get_or_none(Tenant.id == tenant_id)
    if row is None:
        raise Refusal(Reason.TENANT_NOT_FOUND, "there is no such tenant", metadata={"id": str(tenant_id)})
    return row


def limit_of(tenant: Tenant, setting: str, default: int) -> int:
    """The tenant's own limit instead of that setting, else the setting's value."""
    return int(json.loads(tenant.limits).get(setting, default))


def tenant_to_change(caller: Caller, named: int | None) -> int:
    """The tenant whose configuration a call changes. The platform's own tokens need scope platform, too."""
    tenant_id = tenant_of(caller, named)
    if tenant_id == PLATFORM_TENANT and Scope.PLATFORM not in caller.scopes:
        raise Refusal(
            Reason.TENANT_FORBIDDEN,
            "changing what is the platform's needs a token with scope platform",
            metadata={"scope": Scope.PLATFORM.value},
        )
    return tenant_id


class Tenants:
    """The use cases of TenantService."""

    def __init__(self, clock: Clock, mint: IdMint, settings: TenantSettings | None = None) -> None:
        self._clock = clock
        self._mint = mint
        self._settings = settings or TenantSettings()

    def create(self, tenant_id: int, form: TenantForm) -> TenantRecord:
        """Makes a tenant; with id 0 the id is ours. Raises TENANT_EXISTS, or every violation at once."""
        raise_generation()
        found = Findings("tenant.")
        found.number("id", tenant_id, least=0, most=2**63 - 1)
        form = self._checked(form, found)
        refuse_all(found.violations)
        _refuse_taken(form.name, tenant_id)
        now = self._clock.now()
        row = Tenant.create(
            id=tenant_id or self._mint.one(), create_time=now, update_time=now, **_columns(form)
        )
        return record_of(row)

    def get(self, tenant_id: int) -> TenantRecord:
        return record_of(find_tenant(tenant_id))

    def update(self, tenant_id: int, form: TenantForm, paths: Collection[str]) -> TenantRecord:
        """Changes the fields that `paths` name to what the form says; nothing to change changes nothing."""
        raise_generation()
        found = Findings("tenant.")
        found.paths(paths, PATHS)
        refuse_all(found.violations)
        row = find_tenant(tenant_id)
        before = _form_of(row)
        after = self._checked(_merged(before, form, paths), found)
        refuse_all(found.violations)
        if after == before:
            return record_of(row)
        if after.name != before.name:
            _refuse_taken(after.name, PLATFORM_TENANT)
        for name, value in _columns(after).items():
            setattr(row, name, value)
        row.update_time = self._clock.now()
        row.save()
        return record_of(row)

    def _checked(self, form: TenantForm, found: Findings) -> TenantForm:
        """The form in normal spelling."""
        found.line("name", form.name, least=1, most=_NAME_CHARACTERS)
        if len(form.sender_domains) > _SENDER_DOMAINS:
            found.add("sender_domains", f"{len(form.sender_domains)} domains; at most {_SENDER_DOMAINS}")
        domains = [
            found.domain(f"sender_domains[{i}]", text)
            for i, text in enumerate(form.sender_domains[:_SENDER_DOMAINS])
        ]
        tag = found.language("default_language", form.default_language)
        from_address = found.address("from_address", form.from_address)
        found.line("from_name", form.from_name, most=_FROM_NAME_CHARACTERS)
        self._check_retention(form, found)
        for name, value in form.limits.items():
            most = _MAX_PENDING if name == "max_pending_emails" else _MOST
            found.number(f"limits.{name}", value, least=0, most=most)
        return dataclasses.replace(
            form,
            sender_domains=tuple(dict.fromkeys(domains)),
            default_language=tag,
            from_address=from_address,
        )

    def _check_retention(self, form: TenantForm, found: Findings) -> None:
        content, metadata = form.content_retention, form.metadata_retention
        for field, retention in (("content_retention", content), ("metadata_retention", metadata)):
            if retention is not None and not DAY <= retention <= _LONGEST:
                found.add(field, "must be from 1 day to 100 years")
        content = self._settings.content_retention if content is None else content
        metadata = self._settings.metadata_retention if metadata is None else metadata
        if metadata < content:
            found.add("metadata_retention", "must not be shorter than content_retention")


def _merged(before: TenantForm, wanted: TenantForm, paths: Collection[str]) -> TenantForm:
    whole = {path: getattr(wanted, path) for path in paths if path not in _LIMIT_PATHS}
    limits = dict(whole.get("limits", before.limits))
    for path in paths:
        if path in _LIMIT_PATHS:
            name = _LIMIT_PATHS[path]
            limits.pop(name, None)
            if name in wanted.limits:
                limits[name] = wanted.limits[name]
    return dataclasses.replace(before, **{**whole, "limits": limits})


def _refuse_taken(name: str, tenant_id: int) -> None:
    if Tenant.select().where(Tenant.name == name).exists():
        raise Refusal(Reason.TENANT_EXISTS, f"a tenant named {name} exists", metadata={"name": name})
    if tenant_id and Tenant.select().where(Tenant.id == tenant_id).exists():
        raise Refusal(Reason.TENANT_EXISTS, f"tenant {tenant_id} exists", metadata={"id": str(tenant_id)})


def _columns(form: TenantForm) -> dict[str, Any]:
    return {
        "name": form.name,
        "state": str(form.state),
        "sender_domains": json.dumps(form.sender_domains),
        "review_mode": form.review_mode,
        "default_language": form.default_language,
        "from_address": form.from_address or None,
        "from_name": form.from_name or None,
        # 0 stands for the setting's: nothing is kept for less than a day.
        "content_retention": form.content_retention or 0,
        "metadata_retention": form.metadata_retention or 0,
        "limits": json.dumps({LIMITS[name]: value for name, value in form.limits.items()}),
    }


def _form_of(row: Tenant) -> TenantForm:
    limits = json.loads(row.limits)
    return TenantForm(
        name=row.name,
        state=row.state,
        sender_domains=tuple(json.loads(row.sender_domains)),
        review_mode=row.review_mode,
        default_language=row.default_language,
        from_address=row.from_address or "",
        from_name=row.from_name or "",
        content_retention=row.content_retention or None,
        metadata_retention=row.metadata_retention or None,
        limits={name: limits[setting] for name, setting in LIMITS.items() if setting in limits},
    )


def record_of(row: Tenant) -> TenantRecord:
    return TenantRecord(row.id, _form_of(row), row.create_time, row.update_time)
