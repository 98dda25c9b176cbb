"""Rows E6, F1, F5 on a whole server: the limits are the settings', and public plaintext does not start."""

from __future__ import annotations

from typing import Any

import grpc.aio
import pytest

from conftest import DATA_KEY
from postroom.v1 import attachment_pb2, email_service_pb2
from postroom_server import assembly
from postroom_server.rpc.endpoint import ConfigurationError
from postroom_server.settings import Settings
from serving import ACME, WITHOUT_PLATFORM, Served, Told, serving

CUSTOM = email_service_pb2.CustomBody(text="t")


async def prepared(served: Served) -> str:
    await served.add_server(ACME, from_address="noreply@acme.example")
    return await served.token("greedy", ACME, WITHOUT_PLATFORM)


async def send(served: Served, secret: str, **fields: Any) -> Told:
    wanted = {"to": ["x@example.com"], "subject": "s", "custom": CUSTOM, **fields}
    return await served.call("EmailService.SendEmail", secret, **wanted)


def people(count: int) -> list[str]:
    return [f"u{n}@example.com" for n in range(count)]


async def test_e6_the_settings_limits_are_in_force(database: str) -> None:
    limits = {
        "limit_recipients_per_email": 2,
        "limit_content_characters": 10,
        "limit_attachments": 1,
        "limit_attachment_bytes": 5,
        "limit_labels": 1,
        "limit_headers": 1,
        "limit_batch_items": 2,
    }
    async with serving(database, **limits) as served:
        secret = await prepared(served)
        file = attachment_pb2.Attachment(name="a", content=b"12345")
        fits = {
            "to": people(2), "custom": email_service_pb2.CustomBody(text="1234567890"), "attachments": [file],
            "labels": {"a": "1"}, "headers": {"X-A": "1"},
        }  # fmt: skip
        assert (await send(served, secret, **fits)).code == "OK"
        for more, path in (
            ({"to": people(3)}, "to"),
            ({"cc": people(3)}, "cc"),
            ({"custom": email_service_pb2.CustomBody(text="12345678901")}, "custom.text"),
            ({"attachments": [file, file]}, "attachments"),
            (
                {"attachments": [attachment_pb2.Attachment(name="a", content=b"123456")]},
                "attachments[0].content",
            ),
            ({"labels": {"a": "1", "b": "2"}}, "labels"),
            ({"headers": {"X-A": "1", "X-B": "2"}}, "headers"),
        ):
            told = await send(served, secret, **{**fits, **more})
            assert (told.code, told.fields) == ("INVALID_ARGUMENT", [path])
        item = email_service_pb2.SendEmailRequest(to=people(1), subject="s", custom=CUSTOM)
        for count, code in ((2, "OK"), (3, "INVALID_ARGUMENT"), (0, "INVALID_ARGUMENT")):
            told = await served.call("EmailService.BatchSendEmails", secret, items=[item] * count)
            assert told.code == code


async def test_e6_a_full_backlog_says_when_to_come_back(database: str) -> None:
    async with serving(database, limit_pending_per_tenant=1) as served:
        secret = await prepared(served)
        later = {"seconds": served.clock.now() // 1000 + 3600}
        assert (await send(served, secret, schedule_time=later, request_id="r")).code == "OK"
        told = await send(served, secret)
        assert (told.code, told.reason) == ("RESOURCE_EXHAUSTED", "BACKLOG_FULL")
        assert told.retry_after is not None
        again = await send(served, secret, schedule_time=later, request_id="r")
        assert again.message.replayed


async def test_e6_answers_to_hostile_batches_stay_below_four_mebibytes(database: str) -> None:
    async with serving(database) as served:
        secret = await prepared(served)
        hostile = email_service_pb2.SendEmailRequest(
            to=["bad"] * 5,
            headers={f"{n} {'x' * 250}": "v" for n in range(32)},
            labels={f"{n} {'字' * 250}": "v" for n in range(16)},
            custom=CUSTOM,
        )
        fine = email_service_pb2.SendEmailRequest(to=people(1), subject="s", custom=CUSTOM)
        items = [hostile] * 999 + [fine]
        for channel in (served.local, served.socket):
            told = await served.call("EmailService.BatchSendEmails", secret, items=items, channel=channel)
            results = told.message.results
            assert [result.WhichOneof("result") for result in results[998:]] == ["refusal", "accepted"]
            assert told.message.ByteSize() < 4 << 20
            first = results[0].refusal
            assert first.metadata["violations"] == "54"
            assert int(first.metadata["violations_shown"]) == len(first.violations) > 0


async def test_e6_a_refusal_of_everything_fits_into_trailers(database: str) -> None:
    async with serving(database) as served:
        secret = await prepared(served)
        request = email_service_pb2.SendEmailRequest(to=[f"bad {n}" for n in range(500)], custom=CUSTOM)
        for channel in (served.local, served.socket):
            told = await served.call("EmailService.SendEmail", secret, request, channel=channel)
            assert told.code == "INVALID_ARGUMENT"
            metadata = dict(told.metadata)
            assert metadata["violations"] == "501"
            assert int(metadata["violations_shown"]) == len(told.fields) > 10


def padded(size: int) -> bytes:
    """A request of so many bytes, most of them in a field that this release does not know."""
    head = email_service_pb2.SendEmailRequest(to=people(1), subject="s", custom=CUSTOM).SerializeToString()
    tag = b"\xfa\xff\x03"  # field 8191, length-delimited
    body = size - len(head) - len(tag) - 4
    length = bytes([body & 0x7F | 0x80, body >> 7 & 0x7F | 0x80, body >> 14 & 0x7F | 0x80, body >> 21])
    return head + tag + length + bytes(body)


async def test_f1_a_message_of_26_mebibytes_is_taken_and_one_byte_more_is_not(database: str) -> None:
    most = 26 << 20
    async with serving(database) as served:
        secret = await prepared(served)
        for channel in (served.local, served.socket):
            for size, code in ((most, "OK"), (most + 1, "RESOURCE_EXHAUSTED")):
                data = padded(size)
                assert len(data) == size
                told = await served.raw("EmailService.SendEmail", secret, data, channel=channel)
                assert told.code == code


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
async def test_f5_plaintext_on_a_public_interface_does_not_start(database: str, address: str) -> None:
    settings = Settings(
        database_url=database, data_key=DATA_KEY, grpc_address=address, http_address="", metrics_address=""
    )
    with pytest.raises(ConfigurationError, match="plaintext"):
        async with assembly.running(settings):
            raise AssertionError("it listens")


async def test_f5_plaintext_on_a_public_interface_starts_when_it_is_meant(database: str) -> None:
    settings = Settings(
        database_url=database, data_key=DATA_KEY, grpc_address="0.0.0.0:0", grpc_plaintext_ok=True,
        http_address="", metrics_address="",
    )  # fmt: skip
    async with assembly.running(settings) as running:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{running.grpc_port}")
        await channel.channel_ready()
        await channel.close()
