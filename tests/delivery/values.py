"""Short ways to the values of the engine, for tests of its decisions."""

from __future__ import annotations

import dataclasses
from typing import Any

from fakes import NOON
from postroom_server.clock import HOUR
from postroom_server.delivery.leased import Leased, LeasedEmail, LeasedRecipient
from postroom_server.delivery.line import Job
from postroom_server.message.mailing import Mailing
from postroom_server.smtp import Level, Phase, Reply, Transaction
from postroom_server.store.facts import ServerFacts
from postroom_server.store.models import Lane, Role

MAILING = Mailing(
    subject="Hi", subject_prefix=None, from_address="noreply@example.com", from_name="", reply_to=(),
    headers=(), html=None, text="Hi", params={}, recipient_params={},
)  # fmt: skip


def low(least: float, most: float) -> float:
    return least


def middle(least: float, most: float) -> float:
    return (least + most) / 2


def email(**changes: Any) -> LeasedEmail:
    values: dict[str, Any] = {
        "id": 1, "tenant_id": 1, "mailing": MAILING, "template_version_id": None, "template_language": None,
        "file_octets": 0, "has_files": False, "test": False, "is_code": False,
    }  # fmt: skip
    return LeasedEmail(**{**values, **changes})


def leased(count: int = 1, *, is_code: bool = False, **changes: Any) -> Leased:
    """A delivery with so many open recipients, whose ids are 1, 2, 3 …"""
    values: dict[str, Any] = {
        "id": 10, "tenant_id": 1, "email": email(is_code=is_code), "lane": Lane.NORMAL,
        "message_id": "m@example.com", "date_time": NOON, "at_most_once": False,
        "expire_time": NOON + 48 * HOUR, "lease_token": 1, "transactions": 1, "tries": 0, "crash_count": 0,
        "alone": False,
        "recipients": tuple(
            LeasedRecipient(n, Role.TO, f"r{n}@example.com", True) for n in range(1, count + 1)
        ),
    }  # fmt: skip
    return Leased(**{**values, **changes})


def reply(code: int, enhanced: str = "") -> Reply:
    return Reply(code, enhanced, "said")


def replies(*codes: int | Reply | None) -> tuple[Reply | None, ...]:
    return tuple(reply(code) if isinstance(code, int) else code for code in codes)


def ended(
    phase: Phase, level: Level, answers: tuple[Reply | None, ...] = (None,), final: Reply | None = None
) -> Transaction:
    return Transaction(phase, level, answers, final, started=phase is Phase.DOT)


CONNECTION = ended(Phase.CONNECT, Level.CONNECTION)
DELIVERED = ended(Phase.DOT, Level.NONE, replies(250), reply(250))


def server(id_: int = 1, **changes: Any) -> ServerFacts:
    values: dict[str, Any] = {
        "id": id_, "tenant_id": 1, "name": f"server-{id_}", "host": "127.0.0.1", "port": 25,
        "tls_mode": "OFF", "auth_mechanism": "NONE", "username": None, "sealed_password": None,
        "priority": 1, "weight": 1,
        "max_connections": 4, "messages_per_second": None, "allowed_senders": frozenset(),
        "from_address": None, "from_name": None, "subject_prefix": None, "state": "ENABLED",
    }  # fmt: skip
    values["any_sender"] = not changes.get("allowed_senders")
    return ServerFacts(**{**values, **changes})


def job(*servers: ServerFacts, lane: Lane = Lane.NORMAL, **changes: Any) -> Job:
    return Job(leased(lane=lane, **changes), servers or (server(),))


def from_sender(address: str, *servers: ServerFacts) -> Job:
    mailing = dataclasses.replace(MAILING, from_address=address)
    return Job(leased(email=email(mailing=mailing)), servers)
