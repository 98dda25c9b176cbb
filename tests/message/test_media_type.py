"""Media types by file name, the same on every machine and every Python."""

from __future__ import annotations

import pytest

from postroom_server.message import media_type


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("report.pdf", "application/pdf"),
        ("REPORT.PDF", "application/pdf"),
        ("a.b.csv", "text/csv"),
        (".png", "image/png"),
        ("photo.JPeG", "image/jpeg"),
        ("合同.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("page.js", "text/javascript"),
        ("notes.md", "text/markdown"),
        ("picture.webp", "image/webp"),
        ("backup.tar.gz", "application/gzip"),
        ("README", "application/octet-stream"),
        ("pdf", "application/octet-stream"),
        ("a.pdf.", "application/octet-stream"),
        ("a.ＰＤＦ", "application/octet-stream"),
        ("mail.eml", "application/octet-stream"),
        ("page.mht", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_the_ending_tells_the_type(name: str, expected: str) -> None:
    assert media_type.guess(name) == expected


def test_no_type_is_one_that_may_not_be_attached() -> None:
    assert not [kind for kind in media_type._TYPES.values() if kind.startswith(("multipart/", "message/"))]
    assert all(kind.count("/") == 1 and kind.islower() for kind in media_type._TYPES.values())
