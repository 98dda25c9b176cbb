"""The limits of a draft's fields, each at its most and one past it (security.md E6)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from checking import LIMITS, LONG, draft, fields, files, names, numbered, templated, violations
from fakes import NOON
from postroom_server.clock import DAY
from postroom_server.mail.draft import CustomBody, File, TemplateBody


def typed(kind: str, subtype: str) -> tuple[File, ...]:
    return (File("a.bin", f"{kind}/{subtype}", content=b"x"),)


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
    ("files", typed("a" * 127, "b" * 127), typed("a" * 127, "b" * 128), "attachments[0].content_type"),
    ("files", typed("a" * 127, "b" * 127), typed("a" * 128, "b" * 127), "attachments[0].content_type"),
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
        ({"params": names(500)}, {"params": names(501)}, "template.params"),
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
    mine = {"ann@example.com": names(501)}
    assert fields(templated(recipient_params=mine)) == ["template.recipient_params['ann@example.com']"]


def test_e6_there_are_parameters_for_at_most_as_many_recipients_as_an_email_has() -> None:
    many = {address: {"a": "b"} for address in numbered(501)}
    assert fields(templated(recipient_params=many)) == ["template.recipient_params"]
    body = TemplateBody("welcome", recipient_params=dict(list(many.items())[:500]))
    assert fields(draft(to=numbered(500), subject="", body=body)) == []


def test_e6_recipients_are_counted_in_each_role() -> None:
    people = numbered(500)
    assert fields(draft(to=people, cc=people, bcc=people)) == []
    too_many = (*people, "last@example.com")
    assert fields(draft(to=too_many, cc=people, bcc=too_many)) == ["to", "bcc"]
    assert fields(draft(to=people, cc=too_many)) == ["cc"]


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
