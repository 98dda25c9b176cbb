"""What the database says about tenants, servers, bindings and templates, kept until it changes.

Every change of these raises a generation row; a unit of work that reads the same generation may use what
was kept. Compiled template versions never change and outlive generations.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar, cast

from postroom_server.message.template import InvalidValue, MissingVariables, TakesLong, UnsafeContent
from postroom_server.store.facts import (
    ServerFacts,
    TemplateFacts,
    TenantFacts,
    read_binding,
    read_server,
    read_servers_for,
    read_template,
    read_tenant,
)
from postroom_server.store.models import Generation
from postroom_server.store.statement import Statement
from postroom_server.store.versions import CompiledVersion, NotReady, NotTried, Trial, Versions

T = TypeVar("T")
_CATALOG = "catalog"
# Of trial renderings in a unit that writes: some five milliseconds.
_STEPS_OF_A_UNIT = 2000

_READ_GENERATION = Statement(lambda: Generation.select(Generation.value).where(Generation.name == _CATALOG))


def raise_generation() -> None:
    """Tells every process that what it knows is old. Call it in the unit that changes anything known."""
    Generation.update(value=Generation.value + 1).where(Generation.name == _CATALOG).execute()


def read_generation() -> int:
    return int(_READ_GENERATION.rows()[0][0])


class Known:
    """One generation's values, read from the database when first asked for."""

    def __init__(self, generation: int, versions: Versions) -> None:
        self.generation = generation
        self._values: dict[Hashable, Any] = {}
        self._versions = versions

    def tenant(self, tenant_id: int) -> TenantFacts | None:
        return self._once(("tenant", tenant_id), lambda: read_tenant(tenant_id))

    def servers_for(self, tenant_id: int) -> tuple[ServerFacts, ...]:
        """The servers that carry this tenant's mail, in the order they are tried.

        Its own when at least one of them is enabled or paused, otherwise the platform's; never both.
        """
        return self._once(("servers", tenant_id), lambda: read_servers_for(tenant_id))

    def server(self, server_id: int) -> ServerFacts | None:
        return self._once(("server", server_id), lambda: read_server(server_id))

    def bound_name(self, tenant_id: int, biz_key: str) -> str | None:
        """The invoke_name bound to a business key: the tenant's binding first, then the platform's."""
        return self._once(("binding", tenant_id, biz_key), lambda: read_binding(tenant_id, biz_key))

    def template(self, tenant_id: int, invoke_name: str) -> TemplateFacts | None:
        """The tenant's template of that name, else the platform's."""
        return self._once(("template", tenant_id, invoke_name), lambda: read_template(tenant_id, invoke_name))

    def version(self, version_id: int) -> CompiledVersion:
        """A version, compiled if it is short. Raises NotCompiled when it is long and not kept."""
        return self._versions.get_if_short(version_id)

    def check(self, version: CompiledVersion, trials: Sequence[Trial]) -> Iterator[ValueError | None]:
        """What rendering would raise in each of some trials, together within few steps. Raises NotTried."""
        left = _STEPS_OF_A_UNIT
        for at, trial in enumerate(trials):
            try:
                left -= self._versions.check(version, trial, max(left, 1))
            except TakesLong:
                raise NotTried(version.id, trials[at:]) from None
            except (UnsafeContent, MissingVariables, InvalidValue) as error:
                yield error
            else:
                yield None

    def _once(self, key: Hashable, read: Callable[[], T]) -> T:
        if key in self._values:
            return cast(T, self._values[key])
        found = read()
        if found is not None:  # names that do not exist are without number
            self._values[key] = found
        return found


class Memory:
    """Gives units of work what is known at the generation they see."""

    def __init__(self) -> None:
        self._versions = Versions()
        self._known = Known(-1, self._versions)
        self._lock = threading.Lock()

    def current(self) -> Known:
        """What is known in this unit's view of the database. Call it inside a unit."""
        generation = read_generation()
        with self._lock:
            if generation > self._known.generation:
                self._known = Known(generation, self._versions)
            if generation == self._known.generation:
                return self._known
        # A reader on an older snapshot must not fill the newer generation with old values.
        return Known(generation, self._versions)

    def version(self, version_id: int) -> CompiledVersion:
        """A version, read and compiled when it is not kept. Call it inside a unit that reads."""
        return self._versions.get(version_id)

    def prepare(self, waiting: NotReady) -> None:
        """Does what a unit that writes has to wait for. Call it inside a unit that reads."""
        waiting.prepare(self._versions)

    def version_if_short(self, version_id: int) -> CompiledVersion:
        """The same for units that write. Raises NotCompiled when it is long and not kept."""
        return self._versions.get_if_short(version_id)

    def kept_version(self, version_id: int) -> CompiledVersion | None:
        """A version that is kept already; asks nobody, so it may be called anywhere."""
        return self._versions.kept(version_id)
