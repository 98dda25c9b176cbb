"""Suppressions as messages and back."""

from __future__ import annotations

from postroom.v1 import suppression_pb2
from postroom_server.mail.suppressions import SuppressionForm, SuppressionRecord
from postroom_server.mail.unsubscribing import Unsubscription
from postroom_server.rpc.convert.enums import number_of
from postroom_server.rpc.convert.times import stamp_of
from postroom_server.store.models import SuppressionReason

_PREFIX = "SUPPRESSION_REASON_"
_REASONS = {
    suppression_pb2.SUPPRESSION_REASON_UNSPECIFIED: SuppressionReason.MANUAL,
    **{
        number_of(suppression_pb2.SuppressionReason, _PREFIX, reason.value): reason
        for reason in SuppressionReason
    },
}


def suppression_form(message: suppression_pb2.Suppression) -> SuppressionForm:
    return SuppressionForm(message.address, _REASONS.get(message.reason), message.note)


def suppression_message(record: SuppressionRecord) -> suppression_pb2.Suppression:
    return suppression_pb2.Suppression(
        id=record.id,
        tenant_id=record.tenant_id,
        address=record.address,
        reason=number_of(suppression_pb2.SuppressionReason, _PREFIX, record.reason.value),
        note=record.note,
        email_id=record.email_id,
        create_time=stamp_of(record.create_time),
    )


def unsubscription_message(told: Unsubscription) -> suppression_pb2.Unsubscription:
    return suppression_pb2.Unsubscription(
        masked_address=told.masked_address,
        sender=told.sender,
        language=told.language,
        unsubscribed=told.unsubscribed,
    )
