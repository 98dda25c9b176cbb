"""The attachments of accepted mail: bytes stored once per tenant, addresses left to be fetched."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator

from postroom_server.mail.draft import File
from postroom_server.store.models import Attachment, Blob
from postroom_server.store.statement import Statement, bind, insert

_ATTACHMENT = insert(Attachment)
_BLOB = insert(Blob, suffix='ON CONFLICT ("tenant_id", "sha256") DO NOTHING')
_FIND_BLOB = Statement(
    lambda: Blob.select(Blob.id).where(
        (Blob.tenant_id == bind("tenant_id")) & (Blob.sha256 == bind("sha256"))
    )
)
# How many ids `rows` takes for each file.
IDS_EACH = 2


@dataclasses.dataclass(frozen=True, slots=True)
class FileRow:
    """A file with the ids of its rows. Without content it waits to be fetched from its URL."""

    tenant_id: int
    email_id: int
    position: int
    attachment_id: int
    blob_id: int
    sha256: bytes
    file: File


def rows(tenant_id: int, email_id: int, files: Iterable[File], ids: Iterator[int]) -> list[FileRow]:
    return [
        FileRow(
            tenant_id,
            email_id,
            position,
            next(ids),
            next(ids),
            b"" if file.content is None else hashlib.sha256(file.content).digest(),
            file,
        )
        for position, file in enumerate(files)
    ]


def store(files: Iterable[FileRow]) -> None:
    # In one order: two units that bring the same bytes then wait for each other instead of dead-locking.
    for row in sorted(files, key=lambda row: (row.tenant_id, row.sha256)):
        blob_id = None if row.file.content is None else _store_blob(row, row.file.content)
        file = row.file
        _ATTACHMENT.many(
            [
                (
                    row.attachment_id,
                    row.tenant_id,
                    row.email_id,
                    row.position,
                    file.name,
                    file.media_type,
                    file.content_id or None,
                    file.url or None,
                    blob_id,
                )
            ]
        )


def _store_blob(row: FileRow, content: bytes) -> int:
    _BLOB.many([(row.blob_id, row.tenant_id, row.sha256, len(content), content)])
    # Another email of the tenant may have brought the same bytes before.
    return int(_FIND_BLOB.rows(tenant_id=row.tenant_id, sha256=row.sha256)[0][0])
