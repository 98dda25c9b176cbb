"""GET /api/v1/email and GET /api/v1/email/{id}: emails read back, a page of them or one."""

from __future__ import annotations

import grpc

from postroom.v1 import email_pb2, email_service_pb2, filter_pb2
from postroom_server.gateway.angusgm import scalars
from postroom_server.gateway.angusgm.dates import Dates
from postroom_server.gateway.angusgm.detail import Details
from postroom_server.gateway.angusgm.envelope import as_json
from postroom_server.gateway.angusgm.exchange import Exchange
from postroom_server.gateway.angusgm.list_request import ListRequest
from postroom_server.gateway.angusgm.platform_tokens import PlatformTokens
from postroom_server.gateway.angusgm.problem import invalid
from postroom_server.gateway.angusgm.query import Query
from postroom_server.gateway.angusgm.refusals import problem_of
from postroom_server.gateway.angusgm.settings import AngusGmSettings
from postroom_server.gateway.angusgm.totals import Totals
from postroom_server.gateway.backend import Backend
from postroom_server.gateway.refused import Refused

MOST_BYTES = 64 << 20
_ROWS_A_CALL = 1000


class Listing:
    """`most_bytes` is what the rows of a page may take."""

    def __init__(
        self,
        backend: Backend,
        settings: AngusGmSettings,
        dates: Dates,
        platform_tokens: PlatformTokens,
        totals: Totals,
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._email = backend.email
        self._dates = dates
        self._details = Details(settings, dates)
        self._platform_tokens = platform_tokens
        self._totals = totals
        self._most_bytes = most_bytes
        self._answer = b'{"total":%d,"list":[%s]}' if settings.bare_numbers else b'{"total":"%d","list":[%s]}'

    async def one(self, exchange: Exchange) -> bytes:
        text = exchange.request.scope["path"].rstrip("/").rpartition("/")[2]
        id_ = scalars.integer(text)
        if id_ is None or not scalars.fits(id_):
            raise invalid("id", "not_a_number" if id_ is None else "outside_64_bits")
        email = await self._get(exchange, id_)
        return as_json(self._details.of(email, exchange.language, recipients=True))

    async def page(self, exchange: Exchange) -> bytes:
        asked = ListRequest.of(Query(exchange.request.scope["query_string"]), self._dates)
        message = asked.message()
        # The token's own tenant, unless the platform asks for another's.
        if asked.tenant_id is not None and await self._platform_tokens.has(exchange):
            message.tenant_id = asked.tenant_id
        credential = exchange.visitor.credential
        total = self._totals.recall(credential, asked.fingerprint)
        message.count = filter_pb2.COUNT_EXACT if total is None else filter_pb2.COUNT_NONE
        try:
            first, rows, is_end = await self._read(exchange, asked, message)
            seen = asked.skip + len(rows)
            if is_end and (rows or not asked.skip):
                total = seen
            elif total is None:
                total = first.total_size
            elif total < seen + (not is_end):
                # What was remembered is not true any more.
                message.page_size, message.count = 1, filter_pb2.COUNT_EXACT
                total = (await exchange.call(self._email.ListEmails, message, repeatable=True)).total_size
        except Refused as refused:
            raise problem_of(refused, asked.name_of) from None
        self._totals.remember(credential, asked.fingerprint, total)
        return self._answer % (total, b",".join(rows))

    async def _read(
        self, exchange: Exchange, asked: ListRequest, message: email_service_pb2.ListEmailsRequest
    ) -> tuple[email_service_pb2.ListEmailsResponse, list[bytes], bool]:
        """The product's first answer, all rows, and whether there are none behind them.

        The product gives fewer at a time than this API, by number and by size.
        """
        first = None
        rows: list[bytes] = []
        room = self._most_bytes
        while True:
            message.page_size = min(_ROWS_A_CALL, asked.size - len(rows))
            page = await exchange.call(self._email.ListEmails, message, repeatable=True)
            first = first or page
            for email in page.emails:
                row = await self._row(exchange, email, asked)
                room -= len(row) + 1
                if room < 0:
                    raise invalid("pageSize", "page_too_large")
                exchange.hold(len(row))
                rows.append(row)
            if not page.next_page_token or len(rows) >= asked.size:
                return first, rows, not page.next_page_token
            message.skip, message.count = 0, filter_pb2.COUNT_NONE
            message.page_token = page.next_page_token

    async def _row(self, exchange: Exchange, email: email_pb2.Email, asked: ListRequest) -> bytes:
        if asked.is_detailed and email.counts.total and not email.recipients:
            # Too big for a list of the product, which has shortened it.
            email = await self._whole(exchange, email)
        details = self._details.of(email, exchange.language, recipients=asked.is_detailed)
        return as_json(details)

    async def _whole(self, exchange: Exchange, email: email_pb2.Email) -> email_pb2.Email:
        try:
            return await self._get(exchange, email.id)
        except Refused as refused:
            if refused.code is not grpc.StatusCode.NOT_FOUND:
                raise
            return email  # deleted since

    async def _get(self, exchange: Exchange, id_: int) -> email_pb2.Email:
        message = email_service_pb2.GetEmailRequest(id=id_)
        answer = await exchange.call(self._email.GetEmail, message, repeatable=True)
        email: email_pb2.Email = answer.email
        return email
