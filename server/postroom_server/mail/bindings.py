"""Bindings: which template a business key stands for; a tenant's own win. The methods are units of work."""

from __future__ import annotations

import dataclasses

from postroom_server.clock import Clock, Millis
from postroom_server.mail.caller import Caller
from postroom_server.mail.form_checks import BIZ_KEY, BIZ_KEY_RULE, INVOKE_NAME, INVOKE_NAME_RULE, Findings
from postroom_server.mail.page_token import PageTokens
from postroom_server.mail.pages import Listing, Page, PageRequest, find
from postroom_server.mail.tenancy import tenant_of
from postroom_server.mail.tenants import find_tenant, tenant_to_change
from postroom_server.refusals import Reason, Refusal, refuse_all
from postroom_server.store.filters import Field, Fields
from postroom_server.store.ids import IdMint
from postroom_server.store.known import raise_generation
from postroom_server.store.models import PLATFORM_TENANT, Binding, Template
from postroom_server.store.operands import Type
from postroom_server.store.ordering import Sortable

_FIELDS: Fields = {
    "biz_key": Field(Type.STRING, Binding.biz_key),
    "invoke_name": Field(Type.STRING, Binding.invoke_name),
}


@dataclasses.dataclass(frozen=True, slots=True)
class BindingRecord:
    tenant_id: int
    biz_key: str
    invoke_name: str
    update_time: Millis


class Bindings:
    def __init__(self, clock: Clock, mint: IdMint, tokens: PageTokens) -> None:
        self._clock = clock
        self._mint = mint
        self._listing = Listing(
            method="ListBindings",
            model=Binding,
            sortable={
                "biz_key": Sortable(Binding.biz_key),
                "invoke_name": Sortable(Binding.invoke_name),
                "id": Sortable(Binding.id),
            },
            default_order="biz_key",
            default_size=100,
            most_size=1000,
            tokens=tokens,
        )

    def bind(self, caller: Caller, tenant_id: int | None, biz_key: str, invoke_name: str) -> BindingRecord:
        """Lets a key stand for a template, the tenant's own or the platform's, instead of any earlier one."""
        return self.put(tenant_to_change(caller, tenant_id), biz_key, invoke_name)

    def put(self, tenant_id: int, biz_key: str, invoke_name: str) -> BindingRecord:
        """Binds a key of a tenant, whoever asks."""
        # First of all: the generation's row is locked until the commit, so that what is checked stays true.
        raise_generation()
        found = Findings()
        if not BIZ_KEY.fullmatch(biz_key):
            found.add("biz_key", BIZ_KEY_RULE)
        if not INVOKE_NAME.fullmatch(invoke_name):
            found.add("invoke_name", INVOKE_NAME_RULE)
        refuse_all(found.violations)
        find_tenant(tenant_id)
        _refuse_unknown(tenant_id, invoke_name)
        row = _find(tenant_id, biz_key)
        if row is None:
            row = Binding.create(
                id=self._mint.one(),
                tenant_id=tenant_id,
                biz_key=biz_key,
                invoke_name=invoke_name,
                create_time=self._clock.now(),
            )
        elif row.invoke_name != invoke_name:
            row.invoke_name = invoke_name
            row.create_time = self._clock.now()
            row.save()
        return _record_of(row)

    def unbind(self, caller: Caller, tenant_id: int | None, biz_key: str) -> None:
        """Takes the tenant's own binding away; the platform's, if there is one, then applies."""
        raise_generation()
        row = _find(tenant_to_change(caller, tenant_id), biz_key)
        if row is None:
            raise Refusal(Reason.BINDING_NOT_FOUND, f"{biz_key} is not bound", metadata={"biz_key": biz_key})
        row.delete_instance()

    def list(
        self, caller: Caller, tenant_id: int | None, request: PageRequest, *, include_platform: bool = False
    ) -> Page[BindingRecord]:
        """The tenant's bindings, and (if wanted) the platform's of keys that the tenant has not bound."""
        owner = tenant_of(caller, tenant_id)
        held = Binding.tenant_id == owner
        if include_platform and owner != PLATFORM_TENANT:
            own = Binding.alias()
            bound_here = own.select(own.biz_key).where(own.tenant_id == owner)
            held |= (Binding.tenant_id == PLATFORM_TENANT) & Binding.biz_key.not_in(bound_here)
        place = self._listing.check(request, _FIELDS, [owner, int(include_platform)], [held])
        found = find(place)
        return self._listing.page(place, found, [_record_of(row) for row in self._listing.rows(found)])


def _find(tenant_id: int, biz_key: str) -> Binding | None:
    row: Binding | None = Binding.get_or_none((Binding.tenant_id == tenant_id) & (Binding.biz_key == biz_key))
    return row


def _refuse_unknown(tenant_id: int, invoke_name: str) -> None:
    visible = Template.tenant_id.in_([tenant_id, PLATFORM_TENANT])
    if not Template.select().where(visible & (Template.invoke_name == invoke_name)).exists():
        raise Refusal(
            Reason.TEMPLATE_NOT_FOUND,
            f"there is no template {invoke_name}",
            metadata={"invoke_name": invoke_name},
        )


def _record_of(row: Binding) -> BindingRecord:
    # The row's time is that of the binding as it is: it moves when the key is bound to another template.
    return BindingRecord(row.tenant_id, row.biz_key, row.invoke_name, row.create_time)
