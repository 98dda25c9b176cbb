"""The look at the finished bytes."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroom_server.message.compose import Letter, UnsafeContent, check_finished, compose
from postroom_server.message.unsafe import check_text

_LETTER = Letter(
    "1@x.example",
    0,
    "a@b.co",
    "Acme 商店",
    ("c@d.co",),
    ("e@f.co",),
    subject="您好",
    text="hi\n",
    headers=(("List-Unsubscribe", "<https://x.example/?x=0Abc>"),),
)
_MESSAGE = compose(_LETTER).message


def test_a2_a_sound_message_passes() -> None:
    check_finished(_MESSAGE, _LETTER)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject:", b"Bcc: v@x.example\r\nSubject:"),
        (b"Subject:", b"X-More: 1\r\nSubject:"),
        (b"Cc: e@f.co\r\n", b""),
        (b"Cc: e@f.co\r\n", b"Cc: e@f.co\r\nCc: g@h.co\r\n"),
        (b"Cc:", b"Reply-To:"),
        (b"To: c@d.co\r\n", b"To: c@d.co\r\n\r\n"),
        (b"\r\n\r\nhi", b"\r\nhi"),
        (b"\r\n\r\nhi", b"\r\nBcc: v\r\n\r\nhi"),
        (b"hi", b"h\ni"),
        (b"hi", b"h\ri"),
        (b"hi", b"h\r\r\ni"),
        (b"hi", b"h\n\ri"),
        (b"hi\r\n", b"hi\r"),
        (b"hi\r\n", b"hi"),
        (b"hi", b"h\0i"),
        (b"hi", b"h\xc3\xa9"),
        (b"hi", b"x" * 999),
        (b"To: c@d.co", b"To: c@d.co" + b" " * 990),
        (b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?q?x=0D=0ABcc:_v?="),
        (b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?q?x=0aBcc:_v?="),
        (b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?b?DQpCY2M6IHY=?="),
        (b"=?utf-8?b?5oKo5aW9?=", b"=?iso-8859-1?q?x=0D=0ABcc:_v?="),
        (b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?Q?x?="),
        (b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?q?broken"),
        (b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?b?5oKo5?="),
        (b"Subject: =?utf-8?b?5oKo5aW9?=", b"Subject"),
        (b"<https://x.example/?x=0Abc>", b"=?utf-8?q?=1B?="),
        (b"<https://x.example/?x=0Abc>", b"=?utf-8?b?x?="),
    ],
)
def test_a2_a_message_that_says_more_or_less_is_refused(old: bytes, new: bytes) -> None:
    broken = _MESSAGE.replace(old, new, 1)
    assert broken != _MESSAGE

    with pytest.raises(UnsafeContent):
        check_finished(broken, _LETTER)


@pytest.mark.parametrize("length", [1, 2, 75, 998])
def test_a2_lines_up_to_998_octets_pass(length: int) -> None:
    check_finished(_MESSAGE.replace(b"hi\r\n", (b"x" * length + b"\r\n") * 40), _LETTER)


def test_a5_recipients_of_another_copy_are_not_expected() -> None:
    with pytest.raises(UnsafeContent):
        check_finished(_MESSAGE, Letter("1@x.example", 0, "a@b.co", to=("c@d.co",), text="hi\n"))


_FULL = Letter(
    "1@x.example",
    0,
    "a@b.co",
    "Acme 商店",
    ("c@d.co", "c2@d.co"),
    ("e@f.co",),
    ("r@s.co",),
    subject="您好",
    text="hi\n",
)
_PLAIN = dataclasses.replace(_FULL, from_name="Acme, Inc.", subject="Order 1 is on its way", to=())


@pytest.mark.parametrize(
    ("letter", "old", "new", "field"),
    [
        (_FULL, b"From: =?utf-8?b?QWNtZSDllYblupc=?=", b"From: Acme", "from_name"),
        (_FULL, b"=?utf-8?b?QWNtZSDllYblupc=?= <a@b.co>", b"a@b.co", "from_name"),
        (_FULL, b"=?utf-8?b?QWNtZSDllYblupc=?=", b"=?utf-8?b?QWNtZSDllYY=?=", "from_name"),
        (_FULL, b"<a@b.co>", b"<a@b.com>", "from_address"),
        (_FULL, b"<a@b.co>", b"<v@x.co> <a@b.co>", "from_address"),
        (_FULL, b"<a@b.co>", b"<a@b.co>, v@x.co", "from_address"),
        (_FULL, b"<a@b.co>", b"<a@b.co> (v)", "from_address"),
        (_FULL, b"To: c@d.co", b"To: v@x.co", "to"),
        (_FULL, b"To: c@d.co, c2@d.co", b"To: c2@d.co, c@d.co", "to"),
        (_FULL, b"To: c@d.co, c2@d.co", b"To: c@d.co", "to"),
        (_FULL, b"To: c@d.co, c2@d.co", b"To: c@d.co, c2@d.co,\r\n v@x.co", "to"),
        (_FULL, b"To: c@d.co, c2@d.co", b"To: undisclosed-recipients:;", "to"),
        (_FULL, b"To: c@d.co, c2@d.co", b"To: c@d.co; c2@d.co", "to"),
        (_FULL, b"To: c@d.co", b"To: C <c@d.co>", "to"),
        (_FULL, b"To: c@d.co", b"To: =?utf-8?q?v=40x=2Eco=2C?= c@d.co", "to"),
        (_FULL, b"Cc: e@f.co", b"Cc: e@f.co, v@x.co", "cc"),
        (_FULL, b"Cc: e@f.co", b"Cc: ", "cc"),
        (_FULL, b"Reply-To: r@s.co", b"Reply-To: v@x.co", "reply_to"),
        (_FULL, b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?b?5oKo?=", "subject"),
        (_FULL, b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?b?5oKo?= x =?utf-8?b?5aW9?=", "subject"),
        (_FULL, b"=?utf-8?b?5oKo5aW9?=", b"Re: =?utf-8?b?5oKo5aW9?=", "subject"),
        (_FULL, b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?b?5oKo5aW9?= x", "subject"),
        (_FULL, b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?b?5oKo5aW9?==?utf-8?q??=", "subject"),
        (_FULL, b"=?utf-8?b?5oKo5aW9?=", b"", "subject"),
        (_PLAIN, b'"Acme, Inc."', b"Acme Inc", "from_name"),
        (_PLAIN, b'"Acme, Inc."', b"=?utf-8?q?Acme_Inc?=", "from_name"),
        (_PLAIN, b'"Acme, Inc."', b"Acme, Inc.", "from_address"),
        (_PLAIN, b'"Acme, Inc."', b'"=?utf-8?q?Acme?="', "from_address"),
        (_PLAIN, b"undisclosed-recipients:;", b"v@x.co", "to"),
        (_PLAIN, b"undisclosed-recipients:;", b"undisclosed-recipients: v@x.co;", "to"),
        (_PLAIN, b"undisclosed-recipients:;", b"", "to"),
        (_PLAIN, b"Order 1 is", b"Order 2 is", "subject"),
        (_PLAIN, b"Order 1 is", b"Order 1\r\n  is", "subject"),
        (_PLAIN, b"Order 1 is", b"Order =?utf-8?q?2?= is", "subject"),
        (_PLAIN, b"its way", b"its way ", "subject"),
    ],
)
def test_a2_a_head_that_reads_differently_is_refused(
    letter: Letter, old: bytes, new: bytes, field: str
) -> None:
    message = compose(letter).message
    check_finished(message, letter)
    broken = message.replace(old, new, 1)
    assert broken != message

    with pytest.raises(UnsafeContent) as refused:
        check_finished(broken, letter)

    assert refused.value.field == field


def test_a2_other_spellings_of_the_same_head_pass() -> None:
    message = compose(_FULL).message
    message = message.replace(b"=?utf-8?b?5oKo5aW9?=", b"=?utf-8?b?5oKo?=\r\n\t=?utf-8?q?=E5=A5=BD?=")
    message = message.replace(b"c@d.co, c2", b"c@d.co,\r\n c2")

    check_finished(message, _FULL)


def test_a2_a_head_that_is_not_utf_8_is_refused() -> None:
    letter = dataclasses.replace(_FULL, cc=("李雷@f.co",))
    message = compose(letter).message
    check_finished(message, letter)

    with pytest.raises(UnsafeContent):
        check_finished(message.replace("李".encode(), b"\xe6\x9d"), letter)


_ODD = st.sampled_from(
    [
        "您好",
        "😀",
        "👨‍👩‍👧",
        "=?",
        "?=",
        "=?utf-8?q?x?=",
        '"',
        "\\",
        ",",
        "<v@x.co>",
        "(c)",
        ":",
        "  ",
        " ",
        "é",
        "x" * 70,
    ]
)
_TEXT = (st.text(max_size=100) | st.lists(_ODD, max_size=40).map("".join)).filter(
    lambda text: check_text(text) is None
)
_ADDRESS = st.sampled_from(["a@b.co", "o'neil+x@sub.example.org", "y" * 64 + "@example.com", "李雷@b.co"])


@given(
    st.builds(
        Letter,
        message_id=st.just("1@x.example"),
        date=st.integers(0, 4_000_000_000_000),
        from_address=_ADDRESS,
        from_name=_TEXT,
        to=st.lists(_ADDRESS, max_size=20).map(tuple),
        cc=st.lists(_ADDRESS, max_size=3).map(tuple),
        reply_to=st.lists(_ADDRESS, max_size=3).map(tuple),
        subject=_TEXT,
        text=st.just("hi\n"),
        headers=st.lists(
            st.tuples(
                st.sampled_from(["X-Note", "Comments"]), _TEXT.filter(lambda text: text.strip(" ") != "")
            ),
            max_size=2,
        ).map(
            lambda headers: tuple((name, value[:900]) for name, value in headers if value[:900].strip(" "))
        ),
    )
)
@example(dataclasses.replace(_FULL, subject="word " * 150 + "end", from_name="Acme " * 40 + "Ltd"))
@example(dataclasses.replace(_FULL, subject="您好，世界 " * 60, from_name="商" * 80))
@example(dataclasses.replace(_FULL, subject=" ", from_name=" "))
@example(dataclasses.replace(_FULL, subject="", from_name=""))
@example(dataclasses.replace(_FULL, subject="x" * 998, from_name="=?"))
def test_a2_every_letter_that_is_written_passes(letter: Letter) -> None:
    check_finished(compose(letter).message, letter)
