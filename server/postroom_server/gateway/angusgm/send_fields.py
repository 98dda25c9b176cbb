"""The names that fields of a send have in the document, for paths of the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NAMES: Mapping[str, str] = {
    "request_id": "Idempotency-Key",
    "tenant_id": "sendTenantId",
    "sender_user_id": "sendUserId",
    "out_id": "outId",
    "biz_key": "bizKey",
    "from_address": "fromAddress",
    "to": "toAddress",
    "cc": "ccAddress",
    "body": "type",
    "custom": "content",
    "custom.html": "content",
    "custom.text": "content",
    "verification": "verificationCode",
    "verification.validity": "verificationCodeValidSecond",
    "schedule_time": "expectedSendDate",
    "audience": "receiveObjectType",
    "audience.type": "receiveObjectType",
    "audience.object_ids": "receiveObjectIds",
    "audience.policy_codes": "receivePolicyCodes",
    "copy_mode": "batch",
    "template.params": "templateParams",
    "template.recipient_params": "templateParams",
}
_INDEXED = re.compile(r"(to|cc|attachments|audience\.object_ids|audience\.policy_codes)\[(\d+)\](.*)")
# The product writes an address as Python spells strings.
_OF_ADDRESS = re.compile(r"template\.recipient_params\[(['\"])(.*)\1\](.*)", re.DOTALL)
_OF_ALL = "template.params."


class SendFields:
    """`body` is the request as it came; duplicates in its lists were dropped on the way."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._places: dict[str, list[int]] = {}
        self.only_address = ""  # whose parameters became everybody's

    def name_of(self, path: str) -> str:
        if indexed := _INDEXED.fullmatch(path):
            name = _NAMES.get(indexed[1], indexed[1])
            return f"{name}[{self._place(name, int(indexed[2]))}]{indexed[3]}"
        if of_address := _OF_ADDRESS.fullmatch(path):
            return f'templateParams["{of_address[2]}"]{of_address[3]}'
        if path.startswith(_OF_ALL):
            of = f'["{self.only_address}"]' if self.only_address else ""
            return f"templateParams{of}.{path.removeprefix(_OF_ALL)}"
        return _NAMES.get(path, path)

    def _place(self, name: str, place: int) -> int:
        """Where in the body the item stands that is in this place without duplicates."""
        found = self._places.get(name)
        if found is None:
            # Once: as many violations may be told as there are items.
            first: dict[str, int] = {}
            for i, item in enumerate(flat(self._body.get(name) or [])):
                first.setdefault(repr(item), i)
            found = self._places[name] = list(first.values())
        return found[place] if place < len(found) else place


def flat(items: list[Any]) -> list[Any]:
    """The items, those of lists in the list's place."""
    return [part for item in items for part in (item if isinstance(item, list) else (item,))]
