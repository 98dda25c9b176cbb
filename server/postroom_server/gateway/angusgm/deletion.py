"""DELETE /api/v1/email?ids=1&ids=2,3: takes emails away, and cancels what has not left."""

from __future__ import annotations

from postroom.v1 import email_service_pb2
from postroom_server.gateway.angusgm import scalars
from postroom_server.gateway.angusgm.exchange import Exchange
from postroom_server.gateway.angusgm.problem import Problem, Violation
from postroom_server.gateway.angusgm.query import Query
from postroom_server.gateway.angusgm.totals import Totals
from postroom_server.gateway.backend import Backend

_MOST = 200
_IDS = "ids"


class Deletion:
    def __init__(self, backend: Backend, totals: Totals) -> None:
        self._delete = backend.email.BatchDeleteEmails
        self._totals = totals

    async def delete(self, exchange: Exchange) -> bytes:
        ids = _ids(Query(exchange.request.scope["query_string"]))
        message = email_service_pb2.BatchDeleteEmailsRequest(ids=ids)
        await exchange.call(self._delete, message, repeatable=True)
        self._totals.forget(exchange.visitor.credential)
        return b"{}"


def _ids(query: Query) -> list[int]:
    """Each once. Present and empty they are none, and nothing is deleted."""
    given = [value for name, value in query.pairs if name == _IDS]
    if not given:
        raise Problem("param_missing", [Violation(_IDS, "required")])
    found: dict[int, None] = {}
    for text in ",".join(given).split(","):
        if not text.strip():
            continue
        number = scalars.integer(text.strip())
        if number is None or not scalars.fits(number):
            query.break_rule(_IDS, "not_a_number" if number is None else "outside_64_bits")
            break
        found[number] = None
    if len(found) > _MOST:
        query.break_rule(_IDS, ("too_many", _MOST))
    query.refuse()
    return list(found)
