"""Templates as the document shows them, and the numbers that it has for kinds and states."""

from __future__ import annotations

import enum
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from postroom.v1 import template_pb2


class Stat(enum.IntEnum):
    """templateStat: how it stands with the newest version's review."""

    NOT_SUBMITTED = -2
    REJECTED = -1
    PENDING = 0
    APPROVED = 1


# By what is written in a parameter.
TYPES = {"0": template_pb2.TEMPLATE_KIND_TRIGGER, "1": template_pb2.TEMPLATE_KIND_BATCH}
STATS = {str(stat.value): stat for stat in Stat}

_TYPE_OF = {kind: int(word) for word, kind in TYPES.items()}


def stat_of(template: template_pb2.Template) -> Stat:
    return Stat[template_pb2.ReviewState.Name(template.review_state).removeprefix("REVIEW_STATE_")]


def item(template: template_pb2.Template, zone: ZoneInfo) -> dict[str, Any]:
    """As lists show it. The document's tables say gmtModified, all its examples gmtUpdated."""
    return {
        "name": template.name,
        "invokeName": template.invoke_name,
        "templateType": _TYPE_OF[template.kind],
        "templateStat": stat_of(template),
        "gmtCreated": _time(template.create_time, zone),
        "gmtUpdated": _time(template.update_time, zone),
    }


def data(template: template_pb2.Template, zone: ZoneInfo) -> dict[str, Any]:
    """As get and add show it, with the texts of the default language."""
    variant = template.content.variants[default_variant(template)]
    return {**item(template, zone), "html": variant.html, "subject": variant.subject}


def default_variant(template: template_pb2.Template) -> int:
    """The index of the variant that this API shows and changes.

    The document knows one text per template. Of a template in several languages it is the one that a reader
    gets whose language is none of them.
    """
    languages = [variant.language for variant in template.content.variants]
    return languages.index(template.content.default_language)


def _time(stamp: Timestamp, zone: ZoneInfo) -> str:
    return f"{stamp.ToDatetime(tzinfo=zone):%Y-%m-%d %H:%M:%S}"
