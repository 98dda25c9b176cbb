"""How often an address is sent verification codes (security.md D2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from postroom_server.clock import DAY, HOUR, Millis
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Refusal, Violation
from postroom_server.store.models import Code
from postroom_server.store.statement import Statement, as_list, bind, one_of

_SENDS = Statement(
    lambda: Code.select(Code.address_key, Code.create_time).where(
        (Code.tenant_id == bind("tenant_id"))
        & one_of(Code.address_key, "address_keys")
        & (Code.create_time > bind("since"))
    )
)


class CodeSends:
    """Refuses codes that are asked for too often, per tenant and address, whatever they are for."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def check(self, tenant_id: int, addresses: Iterable[tuple[str, str]], earlier: dict[str, list[Millis]],
              now: Millis) -> None:  # fmt: skip
        """`addresses` are (field path, address key). `earlier` collects sends by address over one batch.

        One address over its limit refuses the whole call and is named. Nothing is counted by a refusal. The
        caller has taken the addresses' turn.
        """
        listed = list(addresses)
        unread = [key for _, key in listed if key not in earlier]
        for key in unread:
            earlier[key] = []
        if unread:
            rows = _SENDS.rows(tenant_id=tenant_id, address_keys=as_list(unread), since=now - DAY)
            for key, time in rows:
                earlier[key].append(time)
        found: list[Violation] = []
        over = ""
        wait: Millis = 0
        for field, key in listed:
            until = self._free_from(earlier[key], now)
            if until > now:
                found.append(Violation(field, "was sent a code too often of late", Reason.CODE_RATE_LIMITED))
                over = over or key
                wait = max(wait, until - now)
        if found:
            raise Refusal(
                Reason.CODE_RATE_LIMITED,
                f"{found[0].field}: {found[0].description}",
                violations=found,
                metadata={"address": over},
                retry_after=timedelta(milliseconds=wait),
            )
        for _, key in listed:
            earlier[key].append(now)

    def _free_from(self, times: list[Millis], now: Millis) -> Millis:
        """When the next code may be sent to an address that was sent codes at `times`."""
        limits, newest_first = self._limits, sorted(times, reverse=True)
        free = now
        if newest_first:
            free = max(free, newest_first[0] + limits.code_interval)
        for most, span in ((limits.codes_per_hour, HOUR), (limits.codes_per_day, DAY)):
            if len(newest_first) >= most:
                free = max(free, newest_first[most - 1] + span)
        return free
