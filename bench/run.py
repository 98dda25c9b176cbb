"""What all parts of a run share: how much is asked for, the load, the sinks, numbers, peers' programs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator

from bench import postfix
from bench.children import Child, child
from bench.postfix import Package
from bench.sink import SmtpSink, VerifyingSink, smtp_sink, verifying_sink

# Seven digits: a mail's number is found nowhere else in it.
_FIRST_NUMBER = 1_000_000


@dataclasses.dataclass
class Run:
    """`quick`: fewer rounds of fewer mails, to see that it works; the figures mean little."""

    quick: bool
    stack: contextlib.ExitStack
    next_number: int = _FIRST_NUMBER

    def either(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def numbers(self, count: int) -> int:
        """The first of `count` numbers that no mail of this run has."""
        first = self.next_number
        self.next_number += count
        return first

    def renew(self) -> None:
        """After a failure what is shared may be dead or out of step: the next part gets its own."""
        self.stack.close()
        for name in ("loader", "reading", "counting"):
            self.__dict__.pop(name, None)

    @functools.cached_property
    def loader(self) -> Child:
        return self.stack.enter_context(child("loader"))

    @functools.cached_property
    def package(self) -> Package | None:
        """Postfix's Debian package."""
        return postfix.fetch()

    @functools.cached_property
    def reading(self) -> VerifyingSink:
        """The sink that compares every mail."""
        return self.stack.enter_context(verifying_sink())

    @functools.cached_property
    def counting(self) -> SmtpSink | VerifyingSink:
        """The sink that costs least: smtp-sink where it can be had."""
        return self.stack.enter_context(smtp_sink(self.package)) if self.package else self.reading


@contextlib.contextmanager
def running(*, quick: bool) -> Iterator[Run]:
    with contextlib.ExitStack() as stack:
        yield Run(quick, stack)
