"""The layers of every call and their order, outermost first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from postroom_server.clock import Clock
from postroom_server.mail.caller import Scope
from postroom_server.rpc.access import AccessLog, Write
from postroom_server.rpc.authentication import Authenticate, Authentication, TrustsGateway
from postroom_server.rpc.deadline import Deadline
from postroom_server.rpc.failures import Failures
from postroom_server.rpc.in_flight import InFlight
from postroom_server.rpc.layers import Layer
from postroom_server.rpc.metrics import Metrics
from postroom_server.rpc.observed import Observed
from postroom_server.rpc.scopes import Scopes


def stack(
    *,
    clock: Clock,
    metrics: Metrics,
    in_flight: InFlight,
    authenticate: Authenticate,
    scopes: Mapping[str, Scope],
    failures: Failures | None = None,
    trusts_gateway: TrustsGateway | None = None,
    was_recognised: Callable[[str], bool] = lambda _: False,
    default_deadline: timedelta = timedelta(seconds=30),
    access_lines: Write | None = None,
) -> list[Layer]:
    """The first answers what the others raise."""
    return [
        Observed(clock, [AccessLog(access_lines), metrics]),
        Deadline(default_deadline),
        in_flight,
        Authentication(
            authenticate,
            failures or Failures(clock),
            link_failures=Failures(clock),
            trusts_gateway=trusts_gateway,
            was_recognised=was_recognised,
        ),
        Scopes(scopes),
    ]
