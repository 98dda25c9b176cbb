"""The power fails: what was answered is on the disk, for the log was synced before the answer was written."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from faults import trace
from faults.balance import balance
from faults.ledger import Ledger
from faults.outcome import AbsentError, Outcome
from faults.processes import watched
from faults.trace import Syscall

_FRAME_HEADER = 24  # octets before each page of a WAL; 4 to 8 are 0 but in the frame that commits


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Where in the order of all system calls a mail was committed, was synced, and was answered."""

    subject: str
    committed: int
    synced: int | None  # None: never
    answered: int

    @property
    def is_early(self) -> bool:
        """Whether somebody was told of what the power could still take away."""
        return self.synced is None or self.answered < self.synced


async def synced(folder: Path, database: str, *, single: int, batches: int) -> Outcome:
    """Traces a process on SQLite that accepts mail: call by call, many calls at once, and in batches."""
    if reason := trace.why_not():
        raise AbsentError(reason)
    async with watched(folder, database) as ([process], _, ledger):
        async with trace.traced(process.pid, folder / "trace"):
            for number in range(single):
                await ledger.send(f"alone-{number}x")
            await asyncio.gather(*(ledger.send(f"together-{number}x") for number in range(single)))
            for batch in range(batches):
                await ledger.send_batch([f"batch-{batch}-{place}x" for place in range(50)])
        with (folder / "trace").open() as lines:
            answers = order(list(trace.read(lines)), ledger)
        found = await balance(ledger)
    early = [answer.subject for answer in answers if answer.is_early]
    broken = (f"answered before it was synced: {early}",) if early else ()
    syncs = len({answer.synced for answer in answers})
    return Outcome(
        "the log is synced before the answer (strace)",
        f"{single} calls alone, {single} at once, {batches} batches",
        found,
        f"{len(answers) - len(early)} of {len(answers)} answers were written after the fdatasync of"
        f" their mail, of which there were {syncs}",
        broken,
    )


def order(calls: Sequence[Syscall], ledger: Ledger) -> list[Answer]:
    """Finds each accepted mail in what was written: its subject in the log, its id on the line."""
    log = [call for call in calls if call.file.endswith("-wal")]
    lines = [call for call in calls if call.file.startswith(("socket:", "TCP"))]
    return [_answer(subject, varint(promise.id), log, lines) for subject, promise in ledger.accepted.items()]


def varint(number: int) -> bytes:
    """As protobuf writes it."""
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*octets, number))


def _answer(subject: str, id_: bytes, log: Sequence[Syscall], lines: Sequence[Syscall]) -> Answer:
    answered = min(call.began for call in lines if id_ in call.data)
    written = next(place for place, call in enumerate(log) if subject.encode() in call.data)
    # The frame that commits: its header, then its page.
    commit = next(place for place in range(written - 1, len(log)) if _commits(log[place])) + 1
    ends = [call.ended for call in log[commit + 1 :] if call.is_sync and call.ended is not None]
    return Answer(subject, log[commit].began, min(ends, default=None), answered)


def _commits(call: Syscall) -> bool:
    return len(call.data) == _FRAME_HEADER and any(call.data[4:8])
