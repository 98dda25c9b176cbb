"""The layers of every call and their order, outermost first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from ..clock import Clock
from ..mail.caller import Scope
from .access import AccessLog
from .authentication import Authenticate, Authentication, TrustsGateway
from .deadline import Deadline
from .failures import Failures
from .in_flight import InFlight
from .layers import Layer
from .metrics import Metrics
from .refusal import answer_refusals
from .scopes import Scopes


def stack(
    *,
    clock: Clock,
    metrics: Metrics,
    in_flight: InFlight,
    authenticate: Authenticate,
    scopes: Mapping[str, Scope],
    failures: Failures | None = None,
    trusts_gateway: TrustsGateway | None = None,
    default_deadline: timedelta = timedelta(seconds=30),
) -> list[Layer]:
    """What stands above `answer_refusals` sees how a call ended; what stands below may raise refusals."""
    return [
        AccessLog(clock),
        metrics,
        answer_refusals,
        Deadline(default_deadline),
        in_flight,
        Authentication(authenticate, failures or Failures(clock), trusts_gateway=trusts_gateway),
        Scopes(scopes),
    ]
