"""The verifying sink's process: takes mail, notes when each came, refuses a few for a while if asked to.

With `--refuse`, one mail in twenty is refused with 451 when it comes first: half of them at RCPT, half at
the end of the message. When a round is over, what came is compared with what was meant.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any, cast

import uvloop
from bench import mails
from bench.children import answer
from bench.evidence import Evidence

REFUSED_IN = 20
_CODE = re.compile(rb"It is ([0-9]{6})\.")


def is_refused_first(number: int) -> bool:
    return number % REFUSED_IN == 7


def _is_refused_at_dot(number: int) -> bool:
    return is_refused_first(number) and number // REFUSED_IN % 2 == 1


class Ledger:
    """What has come of what is expected, and when; which were refused once."""

    def __init__(self, *, refuses: bool = False) -> None:
        self._refuses = refuses
        self._refused: set[int] = set()
        self._evidence = Evidence()
        self.expect(range(0), more=False, kept=True)

    def expect(self, numbers: range, *, more: bool, kept: bool) -> None:
        """Forgets what came, unless `more` is to come. `kept`: messages, until they are compared."""
        if not more:
            self._missing = self._missing_first = 0
            self.expected: list[range] = []
            self.times: dict[int, float] = {}
            self.codes: dict[int, str] = {}
            self._messages: list[tuple[int, bytes]] = []
            self._wrong: list[str] = []
            self._twice: list[int] = []
        self._kept = kept
        self.expected.append(numbers)
        self._missing += len(numbers)
        self._missing_first += sum(not is_refused_first(number) for number in numbers)

    def refuses(self, recipient: bytes, *, at_dot: bool) -> bool:
        """Whether this mail is to come again later; it is refused once."""
        number = mails.number_of(recipient)
        if not self._refuses or number is None or not is_refused_first(number) or number in self._refused:
            return False
        if _is_refused_at_dot(number) != at_dot:
            return False
        self._refused.add(number)
        return True

    def note(self, recipient: bytes, received: bytes) -> None:
        now = time.perf_counter()
        number = mails.number_of(recipient)
        if number is None or not any(number in numbers for numbers in self.expected):
            self._wrong.append(f"nobody expects mail for {recipient.decode(errors='replace')}")
        elif number in self.times:
            self._twice.append(number)
        else:
            self.times[number] = now
            self._missing -= 1
            self._missing_first -= not is_refused_first(number)
            if self._kept:
                self._messages.append((number, received))
            elif found := _CODE.search(received):
                self.codes[number] = found[1].decode()

    def missing(self, *, first_pass: bool) -> int:
        """How many are still to come; in the first pass those that are refused first do not count."""
        return self._missing_first if first_pass else self._missing

    def last(self, *, first_pass: bool) -> float:
        """When the last came, of the newest that are expected."""
        newest = self.expected[-1]
        return max(
            (
                at
                for number, at in self.times.items()
                if number in newest and not (first_pass and is_refused_first(number))
            ),
            default=0.0,
        )

    def problem(self, *, first_pass: bool) -> str:
        """What is missing, came twice, or is not what was meant. Compares, which takes its time."""
        for number, message in self._messages:
            if found := self._evidence.problem(number, message):
                self._wrong.append(found)
        self._messages.clear()
        missing = self.missing(first_pass=first_pass)
        if not (missing or self._twice or self._wrong):
            return ""
        wanted = sum(len(numbers) for numbers in self.expected)
        return (
            f"{missing} missing, {len(self._twice)} twice, {len(self._wrong)} wrong of {wanted}: "
            f"{self._wrong[:2]}"
        )


class _Session(asyncio.Protocol):
    """Answers what came in one piece with one piece."""

    _GREETING = b"250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._rest = b""
        self._in_message = False
        self._recipient = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink.test\r\n")

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        answers = []
        while data:
            if self._in_message:
                finish = data.find(b"\r\n.\r\n")
                if finish < 0:
                    break
                answers.append(self._take(data[: finish + 2]))
                data = data[finish + 5 :]
                continue
            line, newline, behind = data.partition(b"\n")
            if not newline:
                break
            data = behind
            answers.append(self._obey(line))
        self._rest = data
        if answers and not self._transport.is_closing():
            self._transport.write(b"".join(answers))

    def _take(self, message: bytes) -> bytes:
        recipient, self._recipient, self._in_message = self._recipient, b"", False
        if self._ledger.refuses(recipient, at_dot=True):
            return b"451 4.3.0 later\r\n"
        # Lines that begin with a dot came with two.
        self._ledger.note(recipient, message.replace(b"\r\n..", b"\r\n."))
        return b"250 2.0.0 taken\r\n"

    def _obey(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"RCPT":
            recipient = line.partition(b"<")[2].partition(b">")[0]
            if self._ledger.refuses(recipient, at_dot=False):
                return b"451 4.3.0 later\r\n"
            self._recipient = recipient
        elif verb in (b"MAIL", b"RSET"):
            self._recipient = b""
        elif verb == b"DATA":
            if not self._recipient:
                return b"554 5.5.1 no valid recipients\r\n"
            self._in_message = True
            return b"354 go\r\n"
        elif verb == b"QUIT":
            return b"221 2.0.0 bye\r\n"
        return self._GREETING if verb == b"EHLO" else b"250 2.1.0 ok\r\n"


async def serve(ledger: Ledger) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Session(ledger), "127.0.0.1", 0, backlog=1000)
    answer(server.sockets[0].getsockname()[1])
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        asked: dict[str, Any] = json.loads(line)
        if asked["do"] == "expect":
            numbers = range(asked["first"], asked["first"] + asked["count"])
            ledger.expect(numbers, more=asked["more"], kept=asked["kept"])
            answer("ok")
        elif asked["do"] == "wait":
            answer(await _wait(ledger, asked["seconds"], first_pass=asked["first_pass"]))
        elif asked["do"] == "times":
            numbers = range(asked["first"], asked["first"] + asked["count"])
            answer({number: ledger.times[number] for number in numbers if number in ledger.times})
        else:
            answer(ledger.codes)


async def _wait(ledger: Ledger, seconds: float, *, first_pass: bool) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while ledger.missing(first_pass=first_pass) and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)  # whatever comes twice comes now
    return {"problem": ledger.problem(first_pass=first_pass), "last": ledger.last(first_pass=first_pass)}


if __name__ == "__main__":
    uvloop.run(serve(Ledger(refuses="--refuse" in sys.argv)))
