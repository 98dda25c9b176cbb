"""EmailService: what accepts mail, reads it back and sets it going again, under one name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from postroom_server.mail.changes import Changes
from postroom_server.mail.codes import CodeChecks
from postroom_server.mail.events import Events
from postroom_server.mail.recipients import Recipients
from postroom_server.mail.records import Records
from postroom_server.rpc.email_codes import EmailCodes
from postroom_server.rpc.email_reads import EmailReads
from postroom_server.rpc.email_repairs import EmailRepairs, Repairing
from postroom_server.rpc.email_sends import EmailSends, Sending
from postroom_server.rpc.event_stream import EventStream
from postroom_server.store.unit import Store


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """The use cases that read emails and events, and those that take emails back."""

    records: Records
    recipients: Recipients
    changes: Changes
    events: Events
    event_stream: EventStream
    notice_cancel: Callable[[Sequence[int]], None]


class EmailServicer(EmailSends, EmailReads, EmailCodes, EmailRepairs):
    def __init__(
        self, store: Store, sending: Sending, reading: Reading, codes: CodeChecks, repairing: Repairing
    ) -> None:
        EmailSends.__init__(self, store, sending)
        EmailCodes.__init__(self, store, codes)
        EmailRepairs.__init__(self, store, repairing)
        EmailReads.__init__(
            self,
            store,
            reading.records,
            reading.recipients,
            reading.changes,
            reading.events,
            reading.event_stream,
            notice_cancel=reading.notice_cancel,
        )
