"""Update masks: which fields of a message a caller wants changed."""

from __future__ import annotations

from collections.abc import Collection

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message


def paths_of(message: Message, mask: FieldMask, *, ignored: Collection[str]) -> tuple[str, ...]:
    """The mask's paths; of an empty mask the fields that are set, but those `ignored`: keys and output."""
    if mask.paths:
        return tuple(dict.fromkeys(mask.paths))
    return tuple(field.name for field, _ in message.ListFields() if field.name not in ignored)
