"""What lists are filtered by: the document's keys, and how their values are read."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence

from postroom_server.gateway.angusgm import languages, scalars, words
from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.texts import Text


class Kind(enum.Enum):
    NUMBER = enum.auto()
    STRING = enum.auto()
    LANGUAGE = enum.auto()
    WORD = enum.auto()
    BOOLEAN = enum.auto()
    DATE = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """`field` is the contract's. `spells` are a boolean's two words there, false first."""

    field: str
    kind: Kind
    words: Sequence[str] = ()
    spells: tuple[str, str] = ("false", "true")
    has_ranges: bool = False
    has_matches: bool = False

    @property
    def has_lists(self) -> bool:
        return self.kind not in (Kind.BOOLEAN, Kind.DATE)


KEYS: Mapping[str, Key] = {
    "id": Key("id", Kind.NUMBER, has_ranges=True),
    "templateCode": Key("invoke_name", Kind.STRING, has_matches=True),
    "language": Key("language", Kind.LANGUAGE),
    "bizKey": Key("biz_key", Kind.WORD, words.LISTED_BIZ_KEYS),
    "outId": Key("out_id", Kind.STRING, has_matches=True),
    "emailType": Key("body_kind", Kind.WORD, words.EMAIL_TYPES),
    "html": Key("html", Kind.BOOLEAN),
    "verificationCode": Key("verification", Kind.BOOLEAN),
    "batch": Key("copy_mode", Kind.BOOLEAN, spells=("SEPARATE", "SHARED")),
    "sendTenantId": Key("tenant_id", Kind.NUMBER),
    "sendUserId": Key("sender_user_id", Kind.NUMBER),
    "urgent": Key("urgent", Kind.BOOLEAN),
    "sendStatus": Key("state", Kind.WORD, words.SEND_STATUSES),
    "expectedSendDate": Key("schedule_time", Kind.DATE, has_ranges=True),
    "actualSendDate": Key("settle_time", Kind.DATE, has_ranges=True),
}


class Unreadable(ValueError):  # noqa: N818 - named after what was found
    """`is_malformed` is said of numbers and dates, which have a key of their own within filters."""

    def __init__(self, reason: Text, *, is_malformed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_malformed = is_malformed


def read(key: Key, text: str, dates: Dates) -> str:
    """A value as the product's filters spell it. Raises Unreadable."""
    match key.kind:
        case Kind.NUMBER:
            number = scalars.integer(text.strip())
            if number is None or not scalars.fits(number):
                raise Unreadable("not_a_number" if number is None else "outside_64_bits", is_malformed=True)
            return str(number)
        case Kind.DATE:
            moment = dates.read(text)
            if moment is None:
                raise Unreadable("not_a_date", is_malformed=True)
            return moment.rfc3339()
        case Kind.BOOLEAN:
            truth = scalars.boolean(text)
            if truth is None:
                raise Unreadable("not_a_boolean")
            return key.spells[truth]
        case Kind.WORD:
            if text not in key.words:
                raise Unreadable(("not_a_word", ", ".join(key.words)))
            return text
        case Kind.LANGUAGE:
            tag = languages.tag_of(text)
            if tag is None:
                raise Unreadable("not_a_language")
            return tag
        case Kind.STRING:
            return text
