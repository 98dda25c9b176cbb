"""A letter: what goes into one mail, before it is bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from postroom_server.message.entity import Attachment
from postroom_server.record import record


@record
class Letter:
    """One mail. Addresses are in the form that `address.parse` returns; hidden recipients are not part of it.

    `message_id` comes without angle brackets. `date` is in milliseconds since the Unix epoch, UTC. `headers`
    are the caller's own, from the allow-list of `header.check_header`.
    """

    message_id: str
    date: int
    from_address: str
    from_name: str = ""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str = ""
    html: str | None = dataclasses.field(default=None, repr=False)
    text: str | None = dataclasses.field(default=None, repr=False)
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def named_addresses(self) -> Iterator[tuple[str, str]]:
        """Every address with the name of its field."""
        yield "from_address", self.from_address
        for field, addresses in (("to", self.to), ("cc", self.cc), ("reply_to", self.reply_to)):
            for index, address in enumerate(addresses):
                yield f"{field}[{index}]", address

    @property
    def has_ascii_addresses(self) -> bool:
        """False when one of the addresses needs SMTPUTF8."""
        return (
            self.from_address.isascii()
            and all(map(str.isascii, self.to))
            and all(map(str.isascii, self.cc))
            and all(map(str.isascii, self.reply_to))
        )
