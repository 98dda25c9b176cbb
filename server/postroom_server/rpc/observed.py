"""The outermost layer: turns whatever a call raises into its answer, and tells observers how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import grpc
import grpc.aio
import structlog

from postroom_server.clock import Clock
from postroom_server.refusals import Refusal
from postroom_server.rpc import status
from postroom_server.rpc.call import Call, Method
from postroom_server.rpc.layers import Proceed
from postroom_server.rpc.status import Interruption, RichStatus

_log = structlog.get_logger("postroom.rpc")

# Hears of a call once it is over: `code` and `reason` say how it ended. The number is its seconds.
Observe = Callable[[Call, float], None]
Observer = Callable[[Method], Observe]


class Observed:
    """Refusals become rich statuses; anything unexpected becomes INTERNAL without text and is logged once.

    Observers are told of every call here and are no layers of their own: a coroutine around every call costs
    more than what most of them do.
    """

    def __init__(self, clock: Clock, observers: Iterable[Observer]) -> None:
        self._monotonic = clock.monotonic
        self._observers = tuple(observers)

    def __call__(self, method: Method, proceed: Proceed) -> Proceed:
        monotonic = self._monotonic
        observers = [observer(method) for observer in self._observers]

        async def answered(call: Call) -> Any:
            began = monotonic()
            rich: RichStatus | None = None
            try:
                return await proceed(call)
            except Refusal as refusal:
                call.reason = refusal.reason
                rich = status.of_refusal(refusal)
            except Interruption as interruption:
                call.reason = interruption.reason
                rich = status.of_interruption(interruption)
            except asyncio.CancelledError:
                expired = call.context.time_remaining() == 0
                call.code = "DEADLINE_EXCEEDED" if expired else "CANCELLED"
                raise
            except Exception as error:
                rich = _unexpected(call, error)
            finally:
                if rich is not None:
                    call.code = rich.code.name
                seconds = monotonic() - began
                for observe in observers:
                    observe(call, seconds)
            return await call.context.abort(*rich)

        return answered


def _unexpected(call: Call, error: Exception) -> RichStatus:
    if isinstance(error, grpc.aio.AbortError):
        # Health aborts by itself. An AbortError is an ordinary Exception, and the status has left already.
        code = call.context.code()
        call.code = code.name if isinstance(code, grpc.StatusCode) else "UNKNOWN"
        raise error
    if isinstance(error, grpc.aio.BaseError) and not isinstance(error, grpc.aio.UsageError):
        # The transport's: the caller is gone, or the server was stopped under the call.
        call.code = "CANCELLED"
        raise error
    if isinstance(error, NotImplementedError) and call.context.code() is grpc.StatusCode.UNIMPLEMENTED:
        # What the generated servicer does where ours has no method.
        call.reason = "UNIMPLEMENTED"
        return status.of_interruption(
            Interruption(
                grpc.StatusCode.UNIMPLEMENTED, call.reason, f"{call.method.name} is not implemented yet"
            )
        )
    call.reason = "INTERNAL"
    _log.error("unexpected", method=call.method.name, correlation_id=call.request_id, exc_info=error)
    return status.of_bug(call.request_id)
