"""Emails that wait for attachments, put into the tables row by row, and what has become of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from fakes import NOON
from postroom_server.store.models import Attachment, Blob, Delivery, Email, Recipient, bound
from postroom_server.store.statement import is_postgresql
from stored_mail import new_id, put_email

URL = "https://files.example.com/f"


def put_waiting(
    *,
    urls: Sequence[str] = (URL,),
    contents: Sequence[bytes] = (),
    tenant_id: int = 1,
    lane: int = 1,
    fetch_time: int = NOON,
    tries: int = 0,
    **columns: Any,
) -> int:
    """Stores an email with files to fetch from `urls` and, before them, files whose bytes came with it."""
    delivery = {"state": "PREPARING", "lane": lane, **columns.pop("delivery", {})}
    email_id = put_email(tenant_id=tenant_id, delivery=delivery, **columns)
    sources: list[tuple[str | None, int | None]] = [
        *((None, _put_blob(tenant_id, content)) for content in contents),
        *((url, None) for url in urls),
    ]
    for position, (url, blob_id) in enumerate(sources):
        Attachment.insert(
            id=new_id(),
            tenant_id=tenant_id,
            email_id=email_id,
            position=position,
            name=f"f{position}.bin",
            content_type="application/octet-stream",
            url=url,
            blob_id=blob_id,
        ).execute()
    execute("INSERT INTO preparation VALUES (?, ?, ?, ?, ?)", email_id, tenant_id, lane, fetch_time, tries)
    return email_id


def _put_blob(tenant_id: int, content: bytes) -> int:
    blob_id = new_id()
    sha256 = hashlib.sha256(content).digest()
    Blob.insert(id=blob_id, tenant_id=tenant_id, sha256=sha256, size=len(content), content=content).execute()
    return blob_id


def execute(sql: str, *values: Any) -> Any:
    return bound.connection().execute(sql.replace("?", "%s") if is_postgresql() else sql, values)


def waits(email_id: int) -> tuple[int, int] | None:
    """When the email is taken up next, and how often it has failed."""
    query = "SELECT fetch_time, tries FROM preparation WHERE email_id = ?"
    row = execute(query, email_id).fetchone()
    return None if row is None else (row[0], row[1])


def files(email_id: int) -> list[bytes | None]:
    """The contents of the email's files, None for what is missing."""
    found = Attachment.select().where(Attachment.email_id == email_id).order_by(Attachment.position)
    return [None if a.blob_id is None else bytes(Blob.get_by_id(a.blob_id).content) for a in found]


def states(email_id: int) -> tuple[str, str | None, set[str], set[str]]:
    """The email's state and failure, its deliveries' states and its recipients' states."""
    email = Email.get_by_id(email_id)
    deliveries = Delivery.select().where(Delivery.email_id == email_id)
    recipients = Recipient.select().where(Recipient.email_id == email_id)
    return (
        email.state,
        email.failure_reason,
        {delivery.state for delivery in deliveries},
        {recipient.state for recipient in recipients},
    )


READY = ("PENDING", None, {"READY"}, {"OPEN"})
PREPARING = ("PENDING", None, {"PREPARING"}, {"OPEN"})
FAILED = ("FAILURE", "ATTACHMENT", {"DONE"}, {"EXPIRED"})
