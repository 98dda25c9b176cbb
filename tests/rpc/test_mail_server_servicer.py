"""MailServerService as its callers see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.protobuf import field_mask_pb2

from fakes import NOON, ManualClock
from peers.configuration import ACME, OTHER, Configuration
from peers.configuration_services import ConfigurationServices, told
from postroom.v1 import attempt_pb2
from postroom.v1 import mail_server_pb2 as words
from postroom.v1 import mail_server_service_pb2 as api
from postroom_server.mail.caller import Scope
from postroom_server.mail.servers import BreakerFacts
from postroom_server.store.opening import OpenDatabase


@pytest.fixture
async def world(opened: OpenDatabase) -> AsyncIterator[ConfigurationServices]:
    open_ = BreakerFacts("OPEN", 5, NOON + 30_000, "AUTH", "535 no\r\n" + "x" * 600)
    services = ConfigurationServices(await Configuration(opened, ManualClock()).fill(), lambda _: open_)
    await services.let_in("author", ACME, Scope.SERVER)
    await services.let_in("stranger", OTHER, Scope.SERVER)
    await services.let_in("operator", 0, Scope.SERVER, Scope.PLATFORM)
    await services.let_in("sender", ACME, Scope.SEND)
    yield services
    await services.close()


class Author:
    def __init__(self, world: ConfigurationServices) -> None:
        self._world = world

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._world.servers, method)
        message = getattr(api, f"{method}Request")
        return lambda as_="author", **fields: call(message(**fields), metadata=self._world.as_(as_))


@pytest.fixture
def author(world: ConfigurationServices) -> Author:
    return Author(world)


def server(name: str = "main", **fields: Any) -> words.MailServer:
    return words.MailServer(name=name, **({"host": "smtp.example.com"} | fields))


FULL = server(
    port=2525,
    tls_mode=words.TLS_MODE_OPPORTUNISTIC,
    auth_mechanism=words.AUTH_MECHANISM_LOGIN,
    username="user",
    password="s3cret-pass",
    state=words.MAIL_SERVER_STATE_PAUSED,
    priority=3,
    weight=4,
    max_connections=5,
    messages_per_second=1.5,
    allowed_senders=["@example.com"],
    from_address="post@example.com",
    from_name="Post",
    subject_prefix="[x]",
)


async def test_a_server_comes_back_whole_but_for_its_password(author: Author) -> None:
    made = (await author.CreateMailServer(mail_server=FULL)).mail_server
    got = (await author.GetMailServer(id=made.id)).mail_server
    listed = (await author.ListMailServers()).mail_servers
    assert got == made
    assert list(listed) == [made]
    assert (made.tenant_id, made.has_password, made.password) == (ACME, True, "")
    assert b"s3cret-pass" not in made.SerializeToString()
    for field in ("id", "tenant_id", "has_password", "breaker", "create_time", "update_time"):
        made.ClearField(field)  # type: ignore[arg-type]
    made.password = "s3cret-pass"
    assert made == FULL


async def test_defaults_are_told(author: Author) -> None:
    made = (await author.CreateMailServer(mail_server=server())).mail_server
    assert (made.port, made.weight) == (587, 1)
    assert made.tls_mode == words.TLS_MODE_REQUIRED
    assert made.auth_mechanism == words.AUTH_MECHANISM_NONE
    assert made.state == words.MAIL_SERVER_STATE_ENABLED


async def test_the_breaker_is_told_as_this_process_knows_it(author: Author) -> None:
    breaker = (await author.CreateMailServer(mail_server=server())).mail_server.breaker
    assert (breaker.state, breaker.failure_count) == (words.BREAKER_STATE_OPEN, 5)
    assert breaker.phase == attempt_pb2.SMTP_PHASE_AUTH
    assert breaker.reopen_time.ToMilliseconds() == NOON + 30_000
    assert breaker.reply == "535 no  " + "x" * 504


async def test_what_was_read_can_be_written_back(author: Author) -> None:
    made = (await author.CreateMailServer(mail_server=FULL)).mail_server
    made.priority = 9
    changed = (await author.UpdateMailServer(mail_server=made)).mail_server
    assert (changed.priority, changed.has_password, changed.port) == (9, True, 2525)


async def test_a_mask_clears_what_it_names(author: Author) -> None:
    made = (await author.CreateMailServer(mail_server=FULL)).mail_server
    cleared = words.MailServer(id=made.id)
    mask = field_mask_pb2.FieldMask(
        paths=["password", "username", "auth_mechanism", "allowed_senders", "state"]
    )
    changed = (await author.UpdateMailServer(mail_server=cleared, update_mask=mask)).mail_server
    assert (changed.has_password, changed.username, list(changed.allowed_senders)) == (False, "", [])
    assert changed.state == words.MAIL_SERVER_STATE_ENABLED
    assert changed.auth_mechanism == words.AUTH_MECHANISM_NONE
    assert changed.priority == 3


async def test_all_violations_come_with_their_paths(author: Author) -> None:
    refused = await told(author.CreateMailServer(mail_server=server("", host="", port=-1)))
    newer = await told(author.CreateMailServer(mail_server=server(tls_mode=77)))
    plain = await told(author.CreateMailServer(mail_server=server(tls_mode=words.TLS_MODE_OFF)))
    assert refused.fields == ["mail_server.name", "mail_server.host", "mail_server.port"]
    assert newer.fields == plain.fields == ["mail_server.tls_mode"]


async def test_e2_e3_e4_others_keep_out(author: Author) -> None:
    made = (await author.CreateMailServer(mail_server=server())).mail_server
    foreign = await told(author.GetMailServer("stranger", id=made.id))
    named = await told(author.GetMailServer("stranger", id=made.id, tenant_id=ACME))
    unscoped = await told(author.GetMailServer("sender", id=made.id))
    platform = await told(author.CreateMailServer(mail_server=server(), tenant_id=0))
    assert (foreign.code, foreign.reason) == ("NOT_FOUND", "MAIL_SERVER_NOT_FOUND")
    assert (named.reason, unscoped.reason) == ("TENANT_FORBIDDEN", "SCOPE_MISSING")
    assert platform.reason == "TENANT_FORBIDDEN"
    operated = (await author.GetMailServer("operator", id=made.id, tenant_id=ACME)).mail_server
    assert operated == made


async def test_a_deleted_server_is_gone(author: Author) -> None:
    made = (await author.CreateMailServer(mail_server=server())).mail_server
    await author.DeleteMailServer(id=made.id)
    assert (await told(author.DeleteMailServer(id=made.id))).reason == "MAIL_SERVER_NOT_FOUND"
    assert (await author.ListMailServers()).total_size == 0
