"""An answer is written after the sync that covers it, so that the power may fail at any time."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import trace
from faults.outcome import AbsentError
from faults.scenarios import power
from faults.trace import Syscall

# As strace -f -y -xx writes it; the sync is interrupted by another thread's answer.
TRACE = r"""
7 pwrite64(9<\x2f\x64\x62\x2d\x77\x61\x6c>, "\x68\x69", 2, 32) = 2
7 fdatasync(9<\x2f\x64\x62\x2d\x77\x61\x6c> <unfinished ...>
8 sendmsg(11<socket:[5]>, {msg_iov=[{iov_base="\x01\x02", iov_len=2}, {iov_base="\x03", iov_len=1}]}, 0) = 3
7 <... fdatasync resumed>) = 0
8 write(11<socket:[5]>, "\x04", 1) = -1 EAGAIN (Resource temporarily unavailable)
7 +++ exited with 0 +++
8 sendmsg(11<socket:[5]>, {msg_iov=[{iov_base="\x05", iov_len=1}]}, 0 <unfinished ...>
"""


@pytest.mark.faults
async def test_no_answer_leaves_before_the_log_is_synced(sqlite_database: str, tmp_path: Path) -> None:
    try:
        outcome = await power.synced(tmp_path, sqlite_database, single=10, batches=2)
    except AbsentError as absent:
        pytest.skip(str(absent))
    outcome.check()


def test_a_trace_is_read_in_the_order_of_beginnings_and_ends() -> None:
    written, answer, sync, failed, cut_off = trace.read(TRACE.strip().splitlines())
    assert written == Syscall("pwrite64", "/db-wal", b"hi", 0, 0)
    assert answer == Syscall("sendmsg", "socket:[5]", b"\x01\x02\x03", 2, 2)
    assert sync == Syscall("fdatasync", "/db-wal", b"", 1, 3)
    assert (failed.name, failed.ended) == ("write", None)
    assert (cut_off.data, cut_off.began, cut_off.ended) == (b"\x05", 6, None)


@pytest.mark.parametrize(("synced", "is_early"), [(4, False), (6, True), (None, True)])
def test_an_answer_before_its_sync_is_early(synced: int | None, is_early: bool) -> None:
    assert power.Answer("one", 3, synced, 5).is_early is is_early
