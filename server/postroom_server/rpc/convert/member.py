"""Members as messages and back."""

from __future__ import annotations

from collections.abc import Sequence

from postroom.v1 import directory_service_pb2, member_pb2
from postroom_server.mail.member_form import MemberForm, MemberRecord
from postroom_server.mail.members import RefusedMember, Stored
from postroom_server.rpc.convert.refusal_out import refusal_message
from postroom_server.rpc.convert.structs import params_of, struct_of
from postroom_server.rpc.convert.times import stamp_of

_REFUSALS_BYTES = 3 << 20


def member_form(message: member_pb2.Member) -> MemberForm:
    return MemberForm(
        user_id=message.user_id,
        address=message.address,
        language=message.language,
        dept_ids=tuple(message.dept_ids),
        group_ids=tuple(message.group_ids),
        policy_codes=tuple(message.policy_codes),
        to_policy_codes=tuple(message.to_policy_codes),
        enabled=message.enabled if message.HasField("enabled") else True,
        attributes=params_of(message.attributes),
    )


def member_message(record: MemberRecord) -> member_pb2.Member:
    return member_pb2.Member(
        tenant_id=record.tenant_id,
        user_id=record.user_id,
        address=record.address,
        language=record.language,
        dept_ids=record.dept_ids,
        group_ids=record.group_ids,
        policy_codes=record.policy_codes,
        to_policy_codes=record.to_policy_codes,
        enabled=record.enabled,
        attributes=struct_of(record.attributes) if record.attributes else None,
        create_time=stamp_of(record.create_time),
        update_time=stamp_of(record.update_time),
    )


def stored_message(
    stored: Stored, refused: Sequence[RefusedMember]
) -> directory_service_pb2.BatchUpsertMembersResponse:
    """What became of a batch. Refusals share 3 MiB evenly, as those of a batch of emails do."""
    room = _REFUSALS_BYTES // max(1, len(refused))
    return directory_service_pb2.BatchUpsertMembersResponse(
        created_count=stored.created_count,
        updated_count=stored.updated_count,
        refused=[
            directory_service_pb2.RefusedMember(index=one.index, refusal=refusal_message(one.refusal, room))
            for one in refused
        ],
    )
