"""Tenants as messages and back."""

from __future__ import annotations

from typing import Any

from google.protobuf.duration_pb2 import Duration

from postroom.v1 import tenant_pb2, tenant_service_pb2
from postroom_server.clock import Millis
from postroom_server.mail.tenants import LIMITS, TenantForm, TenantRecord
from postroom_server.rpc.convert.enums import number_of, word_of
from postroom_server.rpc.convert.masks import paths_of
from postroom_server.rpc.convert.times import duration_of, millis_of_duration, stamp_of
from postroom_server.store.models import TenantState

_STATE = "TENANT_STATE_"
_MODE = "REVIEW_MODE_"
_NOT_CHANGED = frozenset({"id", "create_time", "update_time"})


def tenant_form(message: tenant_pb2.Tenant) -> TenantForm:
    state = word_of(tenant_pb2.TenantState, _STATE, message.state, "tenant.state")
    return TenantForm(
        name=message.name,
        state=state or TenantState.ACTIVE.value,
        sender_domains=tuple(message.sender_domains),
        review_mode=word_of(tenant_pb2.ReviewMode, _MODE, message.review_mode, "tenant.review_mode"),
        default_language=message.default_language,
        from_address=message.from_address,
        from_name=message.from_name,
        content_retention=_retention(message, "content_retention"),
        metadata_retention=_retention(message, "metadata_retention"),
        limits={name: getattr(message.limits, name) for name in LIMITS if message.limits.HasField(name)},
    )


def tenant_paths(request: tenant_service_pb2.UpdateTenantRequest) -> tuple[str, ...]:
    return paths_of(request.tenant, request.update_mask, ignored=_NOT_CHANGED)


def tenant_message(tenant: TenantRecord) -> tenant_pb2.Tenant:
    rules = tenant.rules
    return tenant_pb2.Tenant(
        id=tenant.id,
        name=rules.name,
        state=number_of(tenant_pb2.TenantState, _STATE, rules.state),
        sender_domains=rules.sender_domains,
        review_mode=number_of(tenant_pb2.ReviewMode, _MODE, rules.review_mode),
        default_language=rules.default_language,
        from_address=rules.from_address,
        from_name=rules.from_name,
        content_retention=_duration(rules.content_retention),
        metadata_retention=_duration(rules.metadata_retention),
        limits=tenant_pb2.TenantLimits(**rules.limits) if rules.limits else None,
        create_time=stamp_of(tenant.create_time),
        update_time=stamp_of(tenant.update_time),
    )


def _retention(message: Any, field: str) -> Millis | None:
    return millis_of_duration(getattr(message, field)) if message.HasField(field) else None


def _duration(retention: Millis | None) -> Duration | None:
    return None if retention is None else duration_of(retention)
