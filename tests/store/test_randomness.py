"""Random bytes are handed out once, and ordered UUIDs are what RFC 9562 says."""

from __future__ import annotations

import threading
import uuid

from fakes import NOON
from postroom_server.store.randomness import Randomness, ordered_uuid


def test_no_bytes_are_handed_out_twice() -> None:
    source = Randomness()
    taken: list[bytes] = []

    def take() -> None:
        taken.extend([source.take(8) for _ in range(2000)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == len(taken) == 8000
    assert {len(each) for each in taken} == {8}


def test_more_than_a_sip_is_had_at_once() -> None:
    assert len(Randomness().take(10_000)) == 10_000


def test_an_ordered_uuid_begins_with_its_time() -> None:
    made = uuid.UUID(ordered_uuid(NOON))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == NOON
    assert ordered_uuid(NOON) != ordered_uuid(NOON)
    assert ordered_uuid(NOON) < ordered_uuid(NOON + 1)
