"""SendEmail requests as drafts: what the wire can carry and a field cannot mean, and the fingerprint."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON
from postroom.v1 import attachment_pb2, audience_pb2, email_pb2, email_service_pb2
from postroom_server.mail.audience import Audience, AudienceType
from postroom_server.mail.checks import check
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.rpc.convert import email_in
from postroom_server.rpc.convert.email_in import draft_of, fingerprint, timeout_of

Request = email_service_pb2.SendEmailRequest
CUSTOM = email_service_pb2.CustomBody(text="Hello")
PLAIN = Request(to=["ann@example.com"], subject="Hi", custom=CUSTOM)


def request(**fields: Any) -> Request:
    made = Request()
    made.CopyFrom(PLAIN)
    made.MergeFrom(Request(**fields))
    return made


def refused(made: Request) -> list[str]:
    return [violation.field for violation in check(draft_of(made), Limits(), NOON)[1]]


def on_the_wire(made: Request, *more: bytes) -> Request:
    """The request with more fields, given as bytes: enums beyond the contract among them."""
    return Request.FromString(made.SerializeToString() + b"".join(more))


def varint(field: int, number: int) -> bytes:
    def bare(n: int) -> bytes:
        out = b""
        while n > 0x7F:
            out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
        return out + bytes([n])

    return bare(field << 3) + bare(number & (2**64 - 1))


COPY_MODE, GUARANTEE = (Request.DESCRIPTOR.fields_by_name[name].number for name in ("copy_mode", "guarantee"))


def test_every_field_has_its_place() -> None:
    made = draft_of(
        Request(
            request_id="r",
            tenant_id=0,
            sender_user_id=0,
            out_id="o",
            biz_key="B",
            language="en",
            subject="s",
            from_address="f@x.test",
            from_name="F",
            reply_to=["r@x.test"],
            to=["t@x.test"],
            cc=["c@x.test"],
            bcc=["b@x.test"],
            audience=audience_pb2.Audience(),
            custom=email_service_pb2.CustomBody(html="h", text="t"),
            attachments=[
                attachment_pb2.Attachment(name="a", content=b"", content_type="a/b", content_id="i"),
                attachment_pb2.Attachment(name="u", url="https://x.test/u"),
                attachment_pb2.Attachment(name="n"),
            ],
            schedule_time=Timestamp(seconds=1, nanos=2_999_999),
            expire_time=Timestamp(seconds=-1, nanos=1_000_000),
            urgent=True,
            copy_mode=email_pb2.COPY_MODE_SHARED,
            guarantee=email_pb2.GUARANTEE_AT_MOST_ONCE,
            labels={"l": "1"},
            headers={"X-H": "2"},
            validate_only=True,
            ignore_suppression=True,
        )
    )
    assert made.body == CustomBody("h", "t")
    assert (made.tenant_id, made.sender_user_id) == (0, 0)
    assert (made.schedule_time, made.expire_time) == (1002, -999)
    assert [(file.content, file.url) for file in made.files] == [
        (b"", ""), (None, "https://x.test/u"), (None, ""),
    ]  # fmt: skip
    assert (made.copy_mode, made.at_most_once) == (CopyMode.SHARED, True)
    # An audience beside To addresses is ignored.
    assert not made.has_audience
    assert len(made.fingerprint) == 32


def test_what_is_unset_is_not_zero() -> None:
    made = draft_of(Request(audience=audience_pb2.Audience()))
    assert made.audience == Audience(None)
    assert (made.body, made.tenant_id, made.sender_user_id) == (None, None, None)
    assert (made.schedule_time, made.expire_time, made.has_audience) == (None, None, True)
    assert (made.copy_mode, made.at_most_once, made.fingerprint) == (CopyMode.SEPARATE, False, b"")
    assert draft_of(Request(template=email_service_pb2.TemplateBody())).body == TemplateBody()
    assert draft_of(Request()) == Draft(body=None)


def test_an_audience_is_read_with_its_ids_and_codes() -> None:
    asked = audience_pb2.Audience(
        type=audience_pb2.AUDIENCE_TYPE_TO_POLICY, object_ids=[7, 7, -1], policy_codes=["P", ""]
    )
    assert draft_of(Request(audience=asked)).audience == Audience(
        AudienceType.TO_POLICY, (7, 7, -1), ("P", "")
    )
    types = [
        draft_of(Request(audience=audience_pb2.Audience(type=number))).audience
        for number in (*audience_pb2.AudienceType.values(), 99)
    ]
    assert [one and one.type for one in types] == [None, *AudienceType, None]


@pytest.mark.parametrize("number", [3, 99, -1, 2**31 - 1, -(2**31)])
def test_enum_numbers_that_nobody_knows_are_refused_naming_the_field(number: int) -> None:
    made = on_the_wire(PLAIN, varint(COPY_MODE, number), varint(GUARANTEE, number))
    assert refused(made) == ["copy_mode", "guarantee"]
    assert str(number) in check(draft_of(made), Limits(), NOON)[1][0].description


@pytest.mark.parametrize(
    "stamp",
    [
        Timestamp(seconds=2**63 - 1),
        Timestamp(seconds=-(2**63)),
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=-62_135_596_801),
        Timestamp(seconds=1, nanos=-1),
        Timestamp(seconds=1, nanos=1_000_000_000),
        Timestamp(seconds=1, nanos=-(2**31)),
    ],
    ids=lambda stamp: f"{stamp.seconds}.{stamp.nanos}",
)
def test_times_outside_of_all_calendars_are_refused_naming_the_field(stamp: Timestamp) -> None:
    assert refused(request(schedule_time=stamp, expire_time=stamp)) == ["schedule_time", "expire_time"]


def test_the_first_and_the_last_time_are_read() -> None:
    first, last = Timestamp(seconds=-62_135_596_800), Timestamp(seconds=253_402_300_799, nanos=999_999_999)
    made = draft_of(request(schedule_time=first, expire_time=last))
    assert (made.unreadable, made.schedule_time) == ((), -62_135_596_800_000)
    assert refused(request(schedule_time=first, expire_time=last)) == []
    assert refused(request(schedule_time=last)) == ["schedule_time"]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused_by_name(number: float) -> None:
    params = Struct()
    params.fields["n"].number_value = number
    params.fields["deep"].list_value.values.add().struct_value.fields["x"].number_value = number
    template = email_service_pb2.TemplateBody(invoke_name="w", params=params)
    made = Request(to=["ann@example.com"], template=template)
    assert sorted(refused(made)) == ["template.params.deep", "template.params.n"]


def nested(depth: int) -> email_service_pb2.SendEmailRequest:
    """Parameters with a value that is an object in an object …, `depth` of them."""
    made = Request(to=["ann@example.com"])
    inside = made.template.params.fields["a"]
    for _ in range(depth - 1):
        inside = inside.struct_value.fields["a"]
    inside.struct_value.SetInParent()
    made.template.invoke_name = "w"
    return made


def test_b2_parameters_nest_sixteen_levels_deep() -> None:
    assert refused(nested(16)) == []
    assert refused(nested(17)) == ["template.params.a"]
    lists = nested(15)
    inside = lists.template.params.fields["b"]
    for _ in range(17):
        inside = inside.list_value.values.add()
    assert refused(lists) == ["template.params.b"]


def test_f3_what_nests_deeper_than_messages_may_is_no_message() -> None:
    read = [Request.FromString(nested(depth).SerializeToString()) for depth in (20, 30)]
    assert [refused(made) for made in read] == [["template.params.a"]] * 2
    with pytest.raises(DecodeError):
        Request.FromString(nested(60).SerializeToString())


def test_a_value_of_no_kind_is_null() -> None:
    params = Struct()
    params.fields["n"].SetInParent()
    made = draft_of(Request(template=email_service_pb2.TemplateBody(invoke_name="w", params=params)))
    assert made.body == TemplateBody("w", {"n": None})


def test_nul_in_parameters_is_kept_as_text() -> None:
    params = Struct()
    params.update({"a": "x\0y", "b\0": "z"})
    template = email_service_pb2.TemplateBody(invoke_name="w", params=params)
    checked, found = check(draft_of(Request(to=["a@x.test"], template=template)), Limits(), NOON)
    assert checked is not None, found
    # PostgreSQL stores no NUL: as JSON it is an escape.
    assert checked.params_json == '{"a":"x\\u0000y","b\\u0000":"z"}'


@pytest.mark.parametrize(
    ("duration", "milliseconds"),
    [
        (None, None),
        (Duration(), 0),
        (Duration(seconds=1, nanos=500_000_000), 1500),
        (Duration(seconds=-1, nanos=-1), -1001),
        (Duration(seconds=2**63 - 1), (2**63 - 1) * 1000),
    ],
)
def test_a_timeout_is_read_as_it_stands(duration: Duration | None, milliseconds: int | None) -> None:
    assert timeout_of(email_service_pb2.SendTestEmailRequest(timeout=duration)) == milliseconds


# The fingerprint: the request as received, and nothing else.

FULL = Request(
    request_id="r",
    tenant_id=7,
    sender_user_id=3,
    out_id="o",
    biz_key="B",
    language="en",
    subject="s",
    from_address="f@x.test",
    from_name="F",
    reply_to=["r@x.test"],
    to=["t@x.test", "u@x.test"],
    cc=["c@x.test"],
    bcc=["b@x.test"],
    audience=audience_pb2.Audience(),
    custom=CUSTOM,
    attachments=[attachment_pb2.Attachment(name="a", content=b"x")],
    verification=email_service_pb2.Verification(validity=Duration(seconds=60)),
    schedule_time=Timestamp(seconds=1),
    expire_time=Timestamp(seconds=2),
    urgent=True,
    copy_mode=email_pb2.COPY_MODE_SHARED,
    guarantee=email_pb2.GUARANTEE_AT_MOST_ONCE,
    labels={"l": "1"},
    headers={"X-H": "2"},
    validate_only=True,
    ignore_suppression=True,
)


def test_the_request_id_is_not_part_of_the_fingerprint() -> None:
    other = Request()
    other.CopyFrom(FULL)
    other.request_id = "another"
    assert fingerprint(other) == fingerprint(FULL)


def test_each_other_field_is_part_of_the_fingerprint() -> None:
    whole = fingerprint(FULL)
    set_ = {field.name for field, _ in FULL.ListFields()}
    assert set_ == {field.name for field in Request.DESCRIPTOR.fields} - {"template"}
    for name in sorted(set_ - {"request_id"}):
        other = Request()
        other.CopyFrom(FULL)
        other.ClearField(name)  # type: ignore[arg-type]
        assert fingerprint(other) != whole, name


def test_a_default_that_is_spelt_out_is_another_request() -> None:
    assert fingerprint(request(copy_mode=email_pb2.COPY_MODE_SEPARATE)) != fingerprint(PLAIN)
    assert fingerprint(request(tenant_id=0)) != fingerprint(PLAIN)
    assert fingerprint(request(schedule_time=Timestamp())) != fingerprint(PLAIN)


def test_what_this_release_does_not_know_is_not_part_of_the_fingerprint() -> None:
    assert fingerprint(on_the_wire(PLAIN, varint(9999, 1))) == fingerprint(PLAIN)
    # Inside messages, too: field 9999 of the custom body, which is merged with the one that is there.
    inside = varint(9999, 1)
    body = Request.DESCRIPTOR.fields_by_name["custom"].number
    tagged = varint(body, 0)[:-1]
    tagged = bytes([tagged[0] & 0xF8 | 2]) + tagged[1:] + bytes([len(inside)]) + inside
    made = on_the_wire(PLAIN, tagged)
    assert made.SerializeToString() != PLAIN.SerializeToString()
    assert fingerprint(made) == fingerprint(PLAIN)
    assert fingerprint(on_the_wire(PLAIN, varint(COPY_MODE, 99))) != fingerprint(PLAIN)


def _shuffled(order: list[str]) -> Request:
    made = request()
    for name in order:
        made.labels[name] = f"v{name}"
        made.headers[f"X-{name}"] = "v"
    return made


@given(st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=12), st.randoms())
def test_the_order_of_maps_does_not_change_the_fingerprint(names: list[str], random: Any) -> None:
    other = list(names)
    random.shuffle(other)
    assert fingerprint(_shuffled(names)) == fingerprint(_shuffled(other))
    read = Request.FromString(_shuffled(other).SerializeToString())
    assert fingerprint(read) == fingerprint(_shuffled(names))
    # Headers make the bytes of the message.
    assert list(draft_of(_shuffled(other)).headers) == sorted(f"X-{name}" for name in names)
    assert list(draft_of(_shuffled(other)).labels) == sorted(names)


def test_reading_a_request_does_not_change_it() -> None:
    before = FULL.SerializeToString(deterministic=True)
    draft_of(FULL)
    assert FULL.SerializeToString(deterministic=True) == before


@given(st.binary(max_size=300))
def test_f3_whatever_parses_is_read_and_checked(data: bytes) -> None:
    _read_and_check(data, Request.FromString)


def _read_and_check(data: bytes, parse: Callable[[bytes], Request]) -> None:
    try:
        made = parse(data)
    except DecodeError:
        return
    checked, found = check(draft_of(made), Limits(), NOON)
    assert (checked is None) is bool(found)


def test_every_field_of_the_request_has_its_reader() -> None:
    fields = {field.name for field in Request.DESCRIPTOR.fields}
    assert fields == email_in._AS_THEY_ARE | email_in._READ.keys()
    plain = {field.name for field in dataclasses.fields(Draft)}
    assert plain >= email_in._AS_THEY_ARE
