"""What a refusal looks like on the wire, and that it always fits."""

from __future__ import annotations

import urllib.parse
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from postroom_server.refusals import Code, Reason, Refusal, Violation
from postroom_server.rpc import status
from postroom_server.rpc.status import RichStatus

from .conftest import World, failure_of


def unpacked(rich: RichStatus) -> tuple[status_pb2.Status, dict[str, Any]]:
    proto = status_pb2.Status.FromString(dict(rich.trailing_metadata)["grpc-status-details-bin"])
    details = {}
    for packed in proto.details:
        kind = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])()
        assert packed.Unpack(kind)
        details[packed.TypeName().rpartition(".")[2]] = kind
    return proto, details


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_canonical_code_and_error_info(reason: Reason) -> None:
    rich = status.of_refusal(Refusal(reason, "no", metadata={"limit": "3"}))
    proto, details = unpacked(rich)
    assert rich.code is grpc.StatusCode[reason.code]
    assert (proto.code, proto.message) == (code_pb2.Code.Value(reason.code), "no")
    info = details["ErrorInfo"]
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "postroom", {"limit": "3"})
    assert set(details) == {"ErrorInfo"}


def test_every_code_is_one_of_grpcs() -> None:
    assert {code.value for code in Code} <= {code.name for code in grpc.StatusCode}


def test_violations_and_waiting_stand_beside_error_info() -> None:
    refusal = Refusal(
        Reason.UNSAFE_CONTENT,
        "no",
        violations=[Violation("subject", "has a line break", Reason.UNSAFE_CONTENT)],
        retry_after=timedelta(milliseconds=1500),
    )
    _, details = unpacked(status.of_refusal(refusal))
    assert set(details) == {"ErrorInfo", "BadRequest", "RetryInfo"}
    assert details["RetryInfo"].retry_delay.ToTimedelta() == timedelta(milliseconds=1500)
    (violation,) = details["BadRequest"].field_violations
    assert (violation.field, violation.reason) == ("subject", "UNSAFE_CONTENT")


def test_of_too_many_violations_the_first_are_shown_and_all_are_counted() -> None:
    violations = [Violation(f"to[{n}]", f"{'ü' * 20} is not an address") for n in range(500)]
    rich = status.of_refusal(Refusal(Reason.INVALID_FIELD, "字" * 5000, violations=violations))
    _, details = unpacked(rich)
    shown = [violation.field for violation in details["BadRequest"].field_violations]
    assert 50 < len(shown) < 500
    assert shown == [f"to[{n}]" for n in range(len(shown))]
    assert dict(details["ErrorInfo"].metadata) == {
        "violations": "500",
        "violations_shown": str(len(shown)),
    }
    assert len(rich.trailing_metadata[0][1]) + len(urllib.parse.quote(rich.details)) <= 7600


def test_a_hundred_short_violations_are_all_shown() -> None:
    violations = [Violation(f"to[{n}]", "is not an address") for n in range(100)]
    _, details = unpacked(status.of_refusal(Refusal(Reason.INVALID_FIELD, "no", violations=violations)))
    assert len(details["BadRequest"].field_violations) == 100
    assert not details["ErrorInfo"].metadata


async def test_the_biggest_answer_gets_through_to_a_client_with_default_limits(world: World) -> None:
    # Beyond 8 KiB clients would drop some of these at random.
    for _ in range(40):
        answer = await failure_of(world.stub.say("refuse-much"))
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        assert answer.metadata["violations"] == "500"
