"""The rules of a draft, with the contract's paths (security.md A1, A4, A7)."""

from __future__ import annotations

import dataclasses

import pytest

from checking import checked, draft, fields, templated, violations
from fakes import NOON
from postroom_server.clock import DAY, SECOND
from postroom_server.mail.audience import Audience, AudienceType
from postroom_server.mail.draft import CopyMode, CustomBody, Draft, File, TemplateBody
from postroom_server.refusals import Reason, Violation


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


def test_an_audience_is_recipients_enough_and_has_rules_of_its_own() -> None:
    assert fields(draft(to=(), audience=Audience(AudienceType.ALL))) == []
    assert fields(draft(to=(), audience=Audience(AudienceType.DEPT))) == ["audience.object_ids"]


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


def test_a_file_comes_from_somewhere() -> None:
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
        ("logs.tar.gz", "application/gzip"),
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
