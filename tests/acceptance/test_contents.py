"""What the receiver parses equals what was sent, or the call was refused naming the field."""

from __future__ import annotations

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct

from acceptance.world import World, mail, parsed, reading, unstuffed, until_received
from peers.smtp_peer import SmtpPeer
from postroom.v1 import (
    attachment_pb2,
    email_pb2,
    email_service_pb2,
    template_pb2,
    template_service_pb2,
)

Custom = email_service_pb2.CustomBody
LONG = "x" * 998
TRICK = "=?utf-8?q?v=0D=0ABcc:_x@example.com?="
TEXTS = [
    "plain\n",
    "您好，世界！\n第二行\n",
    "emoji 🎉👩‍👩‍👧‍👦 and ümläuts\n",
    f"{LONG}\n{'长' * 998}\nshort\n",
    ".\n..\n.leading\n\n.\n...\n",
    "=?utf-8?q?not a header?= =20 = and a trailing space \nFrom here\n\n\n",
    "tab\tand trailing \n spaces   \n",
    "no line end",
]


def text_of(message: Any, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def test_texts_arrive_as_they_were_sent(postroom: World, peer: SmtpPeer) -> None:
    for number, text in enumerate(TEXTS):
        await postroom.send(custom=Custom(text=text), subject=str(number))
    received = {message["Subject"]: text_of(message) for message in await until_received(peer, len(TEXTS))}
    assert [received[str(n)].rstrip("\n") for n in range(len(TEXTS))] == [text.rstrip("\n") for text in TEXTS]
    lines = [line for message in peer.messages for line in message.split(b"\r\n")]
    assert max(map(len, lines)) <= 998
    assert not {b"\r", b"\n"} & {bytes([byte]) for byte in b"".join(lines)}
    assert len(peer.messages) == len(TEXTS)


async def test_html_arrives_as_it_was_sent(postroom: World, peer: SmtpPeer) -> None:
    for number, text in enumerate(TEXTS):
        await postroom.send(custom=Custom(html=f"<p>{text}</p>", text="Hi"), subject=str(number))
    messages = {message["Subject"]: message for message in await until_received(peer, len(TEXTS))}
    received = [text_of(messages[str(n)], "html").rstrip("\n") for n in range(len(TEXTS))]
    assert received == [f"<p>{text}</p>" for text in TEXTS]
    assert {text_of(message).rstrip("\n") for message in messages.values()} == {"Hi"}


SUBJECTS = [
    "Hello",
    "您好，世界",
    "🎉 " * 40 + "end",
    "x" * 300,
    'a, b; c: <d> "e" (f)',
    "two  spaces",
    "长" * 300,
    TRICK,
]


async def test_subjects_and_names_arrive_as_they_were_sent(postroom: World, peer: SmtpPeer) -> None:
    for subject in SUBJECTS:
        await postroom.send(subject=subject, from_name="Zoë, 王 🎉", custom=Custom(text="Hi"))
    messages = await until_received(peer, len(SUBJECTS))
    assert {message["Subject"] for message in messages} == set(SUBJECTS)
    senders = [message["From"].addresses[0] for message in messages]
    assert {(s.display_name, s.addr_spec) for s in senders} == {("Zoë, 王 🎉", "noreply@example.com")}
    assert {message["To"].addresses[0].addr_spec for message in messages} == {"ann@example.com"}


async def test_the_subject_prefix_of_the_server_comes_first(world: World, peer: SmtpPeer) -> None:
    await world.add_server(peer.port, subject_prefix="[测试] ")
    await world.send(subject="Hello", custom=Custom(text="Hi"))
    (message,) = await until_received(peer, 1)
    assert message["Subject"] == "[测试] |Hello"


async def test_a_template_is_rendered_for_each_recipient_in_the_language_asked_for(
    postroom: World, peer: SmtpPeer
) -> None:
    await postroom.add_template()
    params, of_ann = Struct(), Struct()
    params.update({"name": "all <b>"})
    of_ann.update({"name": "Ann"})
    body = email_service_pb2.TemplateBody(
        invoke_name="welcome", params=params, recipient_params={"ann@example.com": of_ann}
    )
    email_id = await postroom.send(to=["ann@example.com", "bob@example.com"], template=body, language="zh")
    await until_received(peer, 2)
    found = {str(message["To"]): message for message in map(parsed, peer.messages)}
    assert found["ann@example.com"]["Subject"] == "您好 Ann"
    assert "Ann，您好 🎉" in text_of(found["ann@example.com"], "html")
    assert found["bob@example.com"]["Subject"] == "您好 all <b>"
    assert "all &lt;b&gt;，您好" in text_of(found["bob@example.com"], "html")
    email = await postroom.settled(email_id)
    assert (email.template_language, email.template_version, email.invoke_name) == ("zh-CN", 1, "welcome")


async def test_a_template_that_is_edited_changes_nothing_in_mail_that_waits(
    postroom: World, peer: SmtpPeer
) -> None:
    await postroom.add_template(html="<p>old %name%</p>")
    params = Struct()
    params.update({"name": "Ann"})
    body = email_service_pb2.TemplateBody(invoke_name="welcome", params=params)
    email_id = await postroom.send(template=body, schedule_time=postroom.at(3_600_000))
    await edit(postroom, "<p>new %name%</p>")
    await postroom.send(to=["bob@example.com"], template=body)
    assert "new Ann" in text_of((await until_received(peer, 1))[0], "html")
    postroom.clock.leap(3_600_000)
    assert "old Ann" in text_of((await until_received(peer, 2))[1], "html")
    assert (await postroom.settled(email_id)).template_version == 1


async def edit(postroom: World, html: str) -> None:
    variants = [template_pb2.Variant(language="en", subject="Hi %name%", html=html)]
    content = template_pb2.TemplateContent(default_language="en", variants=variants)
    request = template_service_pb2.UpdateTemplateRequest(
        template=template_pb2.Template(invoke_name="welcome", content=content),
        update_mask=FieldMask(paths=["content"]),
        expected_version=1,
    )
    await postroom.call("UpdateTemplate", request)


async def test_attachments_arrive_byte_for_byte(postroom: World, peer: SmtpPeer) -> None:
    every_byte = bytes(range(256)) * 40
    files = [
        attachment_pb2.Attachment(name="report 报告.bin", content=every_byte),
        attachment_pb2.Attachment(
            name="note.txt", content=".\r\n..\nä\n".encode(), content_type="text/plain"
        ),
        attachment_pb2.Attachment(
            name="logo.png", content=b"\x89PNG\r\n", content_type="image/png", content_id="logo"
        ),
        attachment_pb2.Attachment(name="empty", content=b""),
    ]
    html = '<p>Look: <img src="cid:logo"></p>'
    email_id = await postroom.send(custom=Custom(html=html), subject="Files", attachments=files)
    (message,) = await until_received(peer, 1)
    parts = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert {name: part.get_payload(decode=True) for name, part in parts.items()} == {
        file.name: file.content for file in files
    }
    assert parts["logo.png"]["Content-ID"] == "<logo>"
    assert parts["logo.png"].get_content_disposition() == "inline"
    assert parts["note.txt"].get_content_type() == "text/plain"
    assert parts["empty"].get_content_type() == "application/octet-stream"
    assert 'src="cid:logo"' in text_of(message, "html")
    stored = (await postroom.settled(email_id)).content.attachments
    assert [file.size_bytes for file in stored] == [len(file.content) for file in files]


def envelopes(peer: SmtpPeer) -> list[list[str]]:
    """The RCPT commands of each message."""
    found: list[list[str]] = []
    for command in peer.commands:
        if command.startswith("MAIL"):
            found.append([])
        elif command.startswith("RCPT"):
            found[-1].append(command.partition("<")[2].rstrip(">"))
    return found


async def test_separate_copies_name_only_their_own_recipient(postroom: World, peer: SmtpPeer) -> None:
    email_id = await postroom.send(
        to=["a@example.com", "b@example.com"], cc=["c@example.com"], bcc=["secret@example.com"],
        copy_mode=email_pb2.COPY_MODE_SEPARATE,
    )  # fmt: skip
    await postroom.settled(email_id)
    seen = {tuple(rcpt): parsed(body) for rcpt, body in zip(envelopes(peer), peer.messages, strict=True)}
    assert set(seen) == {("a@example.com", "c@example.com", "secret@example.com"), ("b@example.com",)}
    first, second = seen["a@example.com", "c@example.com", "secret@example.com"], seen[("b@example.com",)]
    assert (first["To"], first["Cc"], second["To"], second["Cc"]) == (
        "a@example.com", "c@example.com", "b@example.com", None
    )  # fmt: skip
    assert first["Message-ID"] != second["Message-ID"]
    assert all(b"secret" not in body for body in peer.messages)


async def test_a_shared_copy_is_one_message_to_all(postroom: World, peer: SmtpPeer) -> None:
    email_id = await postroom.send(
        to=["a@example.com", "b@example.com"], cc=["c@example.com"], bcc=["secret@example.com"],
        copy_mode=email_pb2.COPY_MODE_SHARED,
    )  # fmt: skip
    email = await postroom.settled(email_id)
    (message,) = await until_received(peer, 1)
    assert envelopes(peer) == [["a@example.com", "b@example.com", "c@example.com", "secret@example.com"]]
    assert (message["To"], message["Cc"], message["Bcc"]) == (
        "a@example.com, b@example.com",
        "c@example.com",
        None,
    )
    assert b"secret" not in peer.messages[0]
    assert list(email.bcc) == ["secret@example.com"]


FORGERIES: list[tuple[dict[str, Any], str]] = [
    ({"subject": "a\r\nBcc: x@example.com"}, "subject"),
    ({"subject": "a\nb"}, "subject"),
    ({"subject": "a\u2028b"}, "subject"),
    ({"from_name": "a\x00b"}, "from_name"),
    ({"to": ["ann@example.com\r\nRCPT TO:<x@example.com>"]}, "to[0]"),
    ({"to": ["ann@example.com", "a@x.com> NOTIFY=NEVER"]}, "to[1]"),
    ({"to": ['"a> ORCPT=x"@example.com']}, "to[0]"),
    ({"cc": ["a@example.com, b@example.com"]}, "cc[0]"),
    ({"reply_to": ["Bob <b@example.com>\n"]}, "reply_to[0]"),
    ({"headers": {"X-Note": "a\r\nBcc: x@example.com"}}, "headers['X-Note']"),
    ({"headers": {"Bcc": "x@example.com"}}, "headers['Bcc']"),
    ({"attachments": [attachment_pb2.Attachment(name="a\r\nb", content=b"x")]}, "attachments[0].name"),
    ({"custom": Custom(text="a\x00b"), "subject": "Hi"}, "custom.text"),
]


async def test_what_could_forge_a_mail_is_refused_naming_the_field(postroom: World, peer: SmtpPeer) -> None:
    refused = [await postroom.refused("SendEmail", mail(**fields)) for fields, _ in FORGERIES]
    assert [(one.code, list(one.fields)) for one in refused] == [
        ("INVALID_ARGUMENT", [path]) for _, path in FORGERIES
    ]
    assert (await postroom.events(), peer.sessions) == ([], [])


async def test_what_looks_like_an_encoded_word_arrives_as_mere_text(postroom: World, peer: SmtpPeer) -> None:
    await postroom.send(
        subject=TRICK, from_name=TRICK, custom=Custom(text="Hi"),
        attachments=[attachment_pb2.Attachment(name=TRICK, content=b"x")],
    )  # fmt: skip
    (message,) = await until_received(peer, 1)
    assert (message["Subject"], message["From"].addresses[0].display_name) == (TRICK, TRICK)
    assert [part.get_filename() for part in message.iter_attachments()] == [TRICK]
    assert message["Bcc"] is None
    assert envelopes(peer) == [["ann@example.com"]]


async def test_everything_wrong_is_told_at_once(postroom: World) -> None:
    refused = await postroom.refused(
        "SendEmail", mail(to=["no", "ann@example.com"], cc=["@"], subject="a\nb")
    )
    assert set(refused.fields) == {"to[0]", "cc[0]", "subject"}


async def test_a_preview_is_the_mail_to_the_byte_and_stores_nothing(postroom: World, peer: SmtpPeer) -> None:
    file = attachment_pb2.Attachment(name="a.bin", content=b"\x00\x01")
    request = mail(
        subject="您好", to=["a@example.com", "b@example.com"], attachments=[file], validate_only=True
    )
    first, second = [await postroom.call("SendEmail", request) for _ in range(2)]
    assert first.preview.SerializeToString(deterministic=True) == second.preview.SerializeToString(
        deterministic=True
    )
    assert [list(copy.recipients) for copy in first.preview.copies] == [["a@example.com"], ["b@example.com"]]
    shown = reading(first.preview.copies[0].message)
    assert shown["Subject"] == "您好"
    listed = await postroom.call("ListEmails", email_service_pb2.ListEmailsRequest())
    assert (list(listed.emails), await postroom.events(), peer.sessions) == ([], [], [])
    request.validate_only = False
    await postroom.settled((await postroom.call("SendEmail", request)).id)
    sent = [parsed(message) for message in peer.messages]
    assert {message["To"] for message in sent} == {"a@example.com", "b@example.com"}
    for message in sent:
        assert [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()] == [
            part.get_payload(decode=True) for part in shown.walk() if not part.is_multipart()
        ]
    assert unstuffed(peer.messages[0]).count(b"Message-ID:") == 1
