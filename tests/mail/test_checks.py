"""The rules of a draft: each at its limit and one past it, with the contract's paths (A1, A4, A7, E6)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import NOON
from postroom_server.clock import DAY, SECOND
from postroom_server.mail.checks import Checked, check
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, File, TemplateBody
from postroom_server.mail.limits import Limits
from postroom_server.refusals import Reason, Violation

LIMITS = Limits()
TEXT = CustomBody(text="Hello")
LONG = ".".join(["x" * 63] * 3)


def draft(**changes: Any) -> Draft:
    return Draft(**{"body": TEXT, "subject": "Hi", "to": ("ann@example.com",), **changes})


def templated(**changes: Any) -> Draft:
    return draft(subject="", body=TemplateBody(**{"invoke_name": "welcome", **changes}))


def violations(made: Draft, limits: Limits = LIMITS) -> list[Violation]:
    checked, found = check(made, limits, NOON)
    assert (checked is None) is bool(found)
    return found


def fields(made: Draft, limits: Limits = LIMITS) -> list[str]:
    return [violation.field for violation in violations(made, limits)]


def checked(made: Draft) -> Checked:
    result, found = check(made, LIMITS, NOON)
    assert result is not None, found
    return result


def numbered(count: int) -> tuple[str, ...]:
    return tuple(f"user{n}@example.com" for n in range(count))


def names(count: int) -> dict[str, str]:
    return {f"n{i}": "v" for i in range(count)}


def files(count: int, size: int = 1) -> tuple[File, ...]:
    return tuple(File(f"{n}.bin", content=b"x" * size) for n in range(count))


# Each field: the most it may be, then one past it with the path that is named.
LIMITED: Sequence[tuple[str, Any, Any, str]] = [
    ("request_id", "r" * 255, "r" * 256, "request_id"),
    ("out_id", "o" * 80, "o" * 81, "out_id"),
    ("subject", "字" * 998, "字" * 999, "subject"),
    ("from_name", "n" * 200, "n" * 201, "from_name"),
    ("biz_key", "A" + "_" * 63, "A" + "_" * 64, "biz_key"),
    ("language", "en" + "-aaaaaaaa" * 3 + "-aaaaa", "en" + "-aaaaaaaa" * 3 + "-aaaaaa", "language"),
    ("reply_to", numbered(10), numbered(11), "reply_to"),
    ("to", numbered(500), numbered(501), "to"),
    ("from_address", f"{'a' * 64}@example.com", f"{'a' * 65}@example.com", "from_address"),
    ("from_address", f"a@{LONG}.{'x' * 60}", f"a@{LONG}.{'x' * 61}", "from_address"),
    ("labels", names(16), names(17), "labels"),
    ("labels", {"l" * 63: "v"}, {"l" * 64: "v"}, f"labels['{'l' * 64}']"),
    ("labels", {"a": "v" * 256}, {"a": "v" * 257}, "labels['a']"),
    ("headers", {f"X-{n}": "v" for n in range(32)}, {f"X-{n}": "v" for n in range(33)}, "headers"),
    ("headers", {"X-A": "v" * 998}, {"X-A": "v" * 999}, "headers['X-A']"),
    ("files", files(10), files(11), "attachments"),
    ("files", (File("n" * 200, content=b""),), (File("n" * 201, content=b""),), "attachments[0].name"),
    ("body", CustomBody(html="字" * 200_000), CustomBody(html="字" * 200_001), "custom.html"),
    ("body", CustomBody(text="字" * 200_000), CustomBody(text="字" * 200_001), "custom.text"),
    ("schedule_time", NOON + 366 * DAY, NOON + 366 * DAY + 1, "schedule_time"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "most", "more", "path"), LIMITED, ids=lambda value: str(value)[:20])
def test_e6_a_field_may_be_what_its_limit_says_and_no_more(
    field: str, most: Any, more: Any, path: str
) -> None:
    assert fields(draft(**{field: most})) == []
    assert fields(draft(**{field: more})) == [path]


@pytest.mark.parametrize(
    ("most", "more", "path"),
    [
        ({"params": names(256)}, {"params": names(257)}, "template.params"),
        # {"a":"…"} is 8 bytes around the value, and 字 is three.
        ({"params": {"a": "x" * 65_528}}, {"params": {"a": "x" * 65_529}}, "template.params"),
        ({"params": {"a": "字" * 21_842}}, {"params": {"a": "字" * 21_843}}, "template.params"),
        ({"invoke_name": "n" * 64}, {"invoke_name": "n" * 65}, "template.invoke_name"),
    ],
)
def test_e6_parameters_are_limited_in_names_and_bytes(
    most: dict[str, Any], more: dict[str, Any], path: str
) -> None:
    assert fields(templated(**most)) == []
    assert fields(templated(**more)) == [path]


def test_e6_each_recipients_parameters_are_limited_like_those_of_all() -> None:
    mine = {"ann@example.com": names(257)}
    assert fields(templated(recipient_params=mine)) == ["template.recipient_params['ann@example.com']"]


def test_e6_there_are_parameters_for_at_most_as_many_recipients_as_an_email_has() -> None:
    many = {address: {"a": "b"} for address in numbered(501)}
    assert fields(templated(recipient_params=many)) == ["template.recipient_params"]
    body = TemplateBody("welcome", recipient_params=dict(list(many.items())[:500]))
    assert fields(draft(to=numbered(500), subject="", body=body)) == []


def test_e6_recipients_are_counted_over_all_roles() -> None:
    people = numbered(500)
    assert fields(draft(to=people[:498], cc=people[498:499], bcc=people[499:])) == []
    assert fields(draft(to=people[:498], cc=people[498:], bcc=("last@example.com",))) == ["to"]


def test_e6_files_are_limited_each_and_together() -> None:
    limits = dataclasses.replace(LIMITS, attachment_bytes=100, attachments_bytes=150)
    assert fields(draft(files=files(1, 100)), limits) == []
    assert fields(draft(files=files(1, 101)), limits) == ["attachments[0].content"]
    assert fields(draft(files=files(2, 75)), limits) == []
    assert fields(draft(files=files(2, 76)), limits) == ["attachments"]


def test_e6_what_is_too_much_is_one_violation_of_a_readable_length() -> None:
    endless = "L" * 1_000_000
    assert [v.field for v in violations(draft(labels=names(100_000)))] == ["labels"]
    (label,) = violations(draft(labels={endless: "v"}))
    (header,) = violations(draft(headers={endless: "v"}))
    (params,) = violations(templated(recipient_params={endless: {}}))
    assert max(len(v.field) for v in (label, header, params)) < 300


def test_every_violation_is_told_at_once() -> None:
    made = draft(
        to=("ann@example.com", "bad"),
        cc=("also bad",),
        bcc=("a@b",),
        request_id="r" * 256,
        out_id="a\nb",
        biz_key="lower",
        language="!",
        subject="a\r\nBcc: v",
        from_address="x",
        from_name="\0",
        reply_to=("ok@example.com", "no"),
        schedule_time=NOON + 400 * DAY,
        expire_time=NOON,
        labels={"BAD": "v", "fine": "\x07"},
        headers={"Bcc": "v@example.com", "X-Fine": "v"},
        files=(File("", content=b""), File("a", "no type", "<>", b""), File("b")),
        body=CustomBody(html="\0"),
        unreadable=(Violation("copy_mode", "9 is no value that this server knows"),),
    )
    assert fields(made) == [
        "copy_mode",
        "to[1]",
        "cc[0]",
        "bcc[0]",
        "from_address",
        "reply_to[1]",
        "request_id",
        "out_id",
        "subject",
        "from_name",
        "biz_key",
        "schedule_time",
        "labels['BAD']",
        "labels['fine']",
        "headers['Bcc']",
        "attachments[0].name",
        "attachments[1].content_type",
        "attachments[1].content_id",
        "attachments[2]",
        "custom.html",
        "language",
        "expire_time",
    ]


def test_an_empty_request_says_all_that_it_lacks() -> None:
    assert [(v.field, v.reason) for v in violations(Draft(body=None))] == [
        ("to", Reason.NO_RECIPIENTS),
        ("body", Reason.INVALID_FIELD),
    ]
    assert [v.field for v in violations(Draft(body=CustomBody()))] == ["to", "subject", "custom"]
    assert [(v.field, v.reason) for v in violations(Draft(body=TemplateBody(), to=("a@example.com",)))] == [
        ("biz_key", Reason.BIZ_KEY_REQUIRED)
    ]


def test_an_address_counts_once_where_it_stands_first() -> None:
    made = checked(
        draft(
            to=("Ann@Example.COM", "bob@example.com", "Ann@example.com"),
            cc=("bob@EXAMPLE.com", "cc@example.com"),
            bcc=("cc@example.com", "ann@example.com", "Ann@example.com"),
        )
    )
    assert made.to == ("Ann@example.com", "bob@example.com")
    assert made.cc == ("cc@example.com",)
    # Whether two spellings of a local part are one mailbox only their server knows.
    assert made.bcc == ("ann@example.com",)
    assert made.recipient_count == 4


def test_cc_or_bcc_alone_are_recipients_enough() -> None:
    assert fields(draft(to=(), cc=("a@example.com",))) == []
    assert fields(draft(to=(), bcc=("a@example.com",))) == []


def test_an_audience_is_refused_by_this_release() -> None:
    assert fields(draft(to=(), has_audience=True)) == ["audience"]


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\t"])
@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("request_id", "request_id"),
        ("out_id", "out_id"),
        ("subject", "subject"),
        ("from_name", "from_name"),
        ("language", "language"),
        ("biz_key", "biz_key"),
        ("from_address", "from_address"),
    ],
)
def test_a1_control_characters_are_refused_naming_the_field(field: str, path: str, bad: str) -> None:
    sound = {"language": "en", "biz_key": "SIGNUP", "from_address": "a@example.com"}.get(field, "text")
    assert fields(draft(**{field: sound})) == []
    assert fields(draft(**{field: f"{sound[:2]}{bad}{sound[2:]}"})) == [path]
    assert fields(draft(**{field: sound + bad})) == [path]


@pytest.mark.parametrize("bad", ["\r\n", "\n", "\0", "\u2028"])
def test_a1_control_characters_are_refused_in_lists_and_maps(bad: str) -> None:
    made = draft(
        to=(f"ann@example.com{bad}",),
        reply_to=(f"r{bad}@example.com",),
        labels={"a": f"v{bad}", f"b{bad}": "v"},
        headers={"X-A": f"v{bad}w", f"X-B{bad}": "v"},
        files=(File(f"a{bad}.txt", content=b""),),
    )
    assert fields(made) == [
        "to[0]",
        "reply_to[0]",
        "labels['a']",
        f"labels[{'b' + bad!r}]",
        "headers['X-A']",
        f"headers[{'X-B' + bad!r}]",
        "attachments[0].name",
    ]


@pytest.mark.parametrize(
    "name",
    ["Bcc", "bcc", "To", "From", "Subject", "Received", "Return-Path", "Content-Type", "X-Postroom-Id",
     "x-postroom-anything", "X Y", "X-A:", "", "DKIM-Signature"],
)  # fmt: skip
def test_a4_only_headers_of_the_list_may_be_set(name: str) -> None:
    assert fields(draft(headers={name: "v"})) == [f"headers[{name!r}]"]


def test_a4_a_header_is_given_once_whatever_its_case() -> None:
    assert fields(draft(headers={"X-A": "1", "x-a": "2", "X-B": "3"})) == ["headers['x-a']"]


@pytest.mark.parametrize(
    "text",
    ["", "ann", "Ann <ann@example.com>", "a@example.com, b@example.com", "a@example.com NOTIFY=NEVER",
     '"a> ORCPT=x"@example.com', "a@[127.0.0.1]", "a(c)@example.com", "a@example.com\nb@example.com"],
)  # fmt: skip
def test_a7_what_is_not_one_bare_address_is_refused_by_its_place(text: str) -> None:
    assert fields(draft(to=("ok@example.com", text))) == ["to[1]"]


def test_a_file_name_is_no_path() -> None:
    for name in ("/etc/passwd", "..\\x", "a/b.txt", "C:\\a"):
        assert fields(draft(files=(File(name, content=b""),))) == ["attachments[0].name"]


def test_a_file_comes_as_bytes() -> None:
    (refused,) = violations(draft(files=(File("a", url="https://example.com/a"),)))
    assert (refused.field, refused.reason) == ("attachments[0].url", Reason.ATTACHMENT_REFUSED)
    assert fields(draft(files=(File("a"),))) == ["attachments[0]"]


@pytest.mark.parametrize("type_", ["multipart/mixed", "Message/RFC822", "text", "a/b; c=d", "a/b/c", "a /b"])
def test_a_content_type_is_one_part_without_parameters(type_: str) -> None:
    assert fields(draft(files=(File("a", type_, content=b""),))) == ["attachments[0].content_type"]


def test_a_content_id_is_used_once() -> None:
    twice = (File("a", content_id="x@y", content=b""), File("b", content_id="x@y", content=b""))
    assert fields(draft(files=twice)) == ["attachments[1].content_id"]
    for bad in ("<x>", "a b", "@", "a@b@c", "é", "x" * 65):
        assert fields(draft(files=(File("a", content_id=bad, content=b""),))) == ["attachments[0].content_id"]


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("report.pdf", "application/pdf"),
        ("图.png", "image/png"),
        ("letter.eml", "application/octet-stream"),
        ("logs.tar.gz", "application/octet-stream"),
        ("data:text,x.html", "text/html"),
        ("nothing", "application/octet-stream"),
    ],
)
def test_a_missing_content_type_is_guessed_from_the_name(name: str, type_: str) -> None:
    assert File(name, content=b"").media_type == type_
    assert File(name, "a/b", content=b"").media_type == "a/b"


def test_times_are_compared_with_when_the_mail_is_due() -> None:
    assert fields(draft(schedule_time=NOON - 400 * DAY)) == []
    assert checked(draft(expire_time=NOON + 1)).overdue == ()
    later = NOON + DAY
    assert checked(draft(schedule_time=later, expire_time=later + 1)).overdue == ()


@pytest.mark.parametrize(("schedule", "expire"), [(None, NOON), (None, 0), (NOON + SECOND, NOON + SECOND)])
def test_what_time_has_overtaken_waits_for_the_look_at_what_was_answered_before(
    schedule: int | None, expire: int
) -> None:
    made = checked(draft(schedule_time=schedule, expire_time=expire))
    assert [violation.field for violation in made.overdue] == ["expire_time"]


@pytest.mark.parametrize(
    ("given", "stored"), [("zh_cn", "zh-CN"), ("EN", "en"), ("zh-hans-cn", "zh-Hans-CN"), ("", "")]
)
def test_a_language_is_stored_in_one_spelling(given: str, stored: str) -> None:
    assert checked(draft(language=given)).language == stored


def test_own_parameters_are_of_to_recipients_of_separate_copies() -> None:
    body = TemplateBody("welcome", recipient_params={"ANN@Example.com": {}, "ann@EXAMPLE.com": {"a": 1.0}})
    made = checked(draft(subject="", body=body, to=("ANN@example.com", "ann@example.com")))
    assert made.recipient_params == {"ANN@example.com": {}, "ann@example.com": {"a": 1.0}}
    stranger = {"bob@example.com": {}}
    assert fields(templated(recipient_params=stranger)) == ["template.recipient_params['bob@example.com']"]
    cc = draft(cc=("bob@example.com",), subject="", body=TemplateBody("welcome", recipient_params=stranger))
    assert fields(cc) == ["template.recipient_params['bob@example.com']"]
    twice = {"ann@example.com": {}, "ann@EXAMPLE.com": {}}
    assert fields(templated(recipient_params=twice)) == ["template.recipient_params['ann@EXAMPLE.com']"]
    shared = draft(
        copy_mode=CopyMode.SHARED,
        subject="",
        body=TemplateBody("w", recipient_params={"ann@example.com": {}}),
    )
    assert fields(shared) == ["template.recipient_params"]


def test_unreadable_recipients_do_not_make_their_parameters_wrong() -> None:
    made = draft(to=("bad",), subject="", body=TemplateBody("w", recipient_params={"ann@example.com": {}}))
    assert fields(made) == ["to[0]"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_parameters_are_finite_numbers_at_any_depth(number: float) -> None:
    params = {"fine": 1.0, "bad": number, "deep": {"list": [1.0, {"x": number}]}, "text": "NaN"}
    assert fields(templated(params=params)) == ["template.params.bad", "template.params.deep"]
    own = {"ann@example.com": {"n": number}}
    assert fields(templated(recipient_params=own)) == ["template.recipient_params['ann@example.com'].n"]


def test_a_subject_beside_a_template_is_optional_and_checked() -> None:
    assert fields(templated()) == []
    assert fields(dataclasses.replace(templated(), subject="a\nb")) == ["subject"]


_ANY = st.text(max_size=12) | st.sampled_from(["ann@example.com", "a@b.c", "X-A", "welcome", "SIGNUP", "en"])
_FINITE_OR_NOT = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_PARAMS = st.dictionaries(_ANY, _FINITE_OR_NOT, max_size=4)
_BODIES = (
    st.none()
    | st.builds(CustomBody, html=_ANY, text=_ANY)
    | st.builds(
        TemplateBody,
        invoke_name=_ANY,
        params=_PARAMS,
        recipient_params=st.dictionaries(_ANY, _PARAMS, max_size=3),
    )
)
_TIMES = st.none() | st.integers(-(2**63), 2**63)
_SEVERAL = st.lists(_ANY, max_size=4).map(tuple)


@given(
    st.builds(
        Draft,
        body=_BODIES,
        to=_SEVERAL,
        cc=_SEVERAL,
        bcc=_SEVERAL,
        reply_to=_SEVERAL,
        request_id=_ANY,
        out_id=_ANY,
        biz_key=_ANY,
        language=_ANY,
        subject=_ANY,
        from_address=_ANY,
        from_name=_ANY,
        files=st.lists(
            st.builds(
                File, name=_ANY, content_type=_ANY, content_id=_ANY, content=st.none() | st.binary(max_size=3)
            ),
            max_size=3,
        ).map(tuple),
        schedule_time=_TIMES,
        expire_time=_TIMES,
        copy_mode=st.sampled_from(CopyMode),
        labels=st.dictionaries(_ANY, _ANY, max_size=3),
        headers=st.dictionaries(_ANY, _ANY, max_size=3),
    )
)
def test_whatever_comes_is_checked_or_told_by_field(made: Draft) -> None:
    result, found = check(made, LIMITS, NOON)
    assert (result is None) is bool(found)
    assert all(violation.field and violation.description for violation in found)
