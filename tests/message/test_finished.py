"""The look at the finished bytes."""

from __future__ import annotations

import pytest

from postroom_server.message.compose import Letter, UnsafeContent, check_finished, compose

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
