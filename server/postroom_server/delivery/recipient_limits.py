"""How many recipients a server takes in one transaction, as its own refusals have told (delivery.md §6)."""

from __future__ import annotations

import dataclasses

from postroom_server.clock import HOUR, Millis
from postroom_server.delivery.leased import Leased
from postroom_server.smtp import Level, Transaction

# A server that was given more patience since is found out after so long.
REMEMBERED: Millis = HOUR
MOST_SERVERS = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class _Limit:
    count: int
    since: Millis


class RecipientLimits:
    """Kept in memory: whoever starts anew asks for everybody once, and is told again."""

    def __init__(self) -> None:
        self._limits: dict[int, _Limit] = {}  # by server, the one learned first in front

    def learn(self, server_id: int, transaction: Transaction, now: Millis) -> None:
        """Remembers where a server said that these are too many (RFC 5321 §4.5.3.1.10)."""
        if transaction.level is Level.NONE:
            return
        replies = enumerate(transaction.replies)
        count = next((i for i, reply in replies if reply and reply.is_too_many_recipients), 0)
        if not count:
            return  # nobody said so, or it was said to the first: that is no limit to live with
        known = self.of(server_id, now)
        self._limits.pop(server_id, None)
        self._limits[server_id] = _Limit(min(count, known or count), now)
        if len(self._limits) > MOST_SERVERS:
            del self._limits[next(iter(self._limits))]

    def of(self, server_id: int, now: Millis) -> int | None:
        """The limit as it is remembered; None: the server has named none."""
        limit = self._limits.get(server_id)
        # Less than nothing: the clock was set back.
        return limit.count if limit is not None and 0 <= now - limit.since < REMEMBERED else None

    def share(self, server_id: int, leased: Leased, now: Millis) -> Leased:
        """What of a delivery goes to the server in one transaction; the rest of its recipients are spared.

        Those who go first change from lease to lease, so that none who are put off again and again hold up
        the others.
        """
        limit, asked = self.of(server_id, now), leased.open_recipients
        if limit is None or len(asked) <= limit:
            return leased
        begin = leased.transactions * limit % len(asked)
        spared = [*asked, *asked][begin + limit : begin + len(asked)]
        return dataclasses.replace(leased, spared=frozenset(recipient.id for recipient in spared))
