"""The rules of attachments that need no look at their content."""

from __future__ import annotations

import re
from collections.abc import Iterable

from postroom_server.fetch import Rules, check_url
from postroom_server.mail.draft import File
from postroom_server.mail.limits import Limits
from postroom_server.message.unsafe import check_text
from postroom_server.refusals import Reason, Violation

# RFC 6838 §4.2
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_CONTENT_ID = re.compile(r"[A-Za-z0-9_.+-]{1,64}(@[A-Za-z0-9_.-]{1,64})?")
_NAME_CHARACTERS = 200


def check_files(files: Iterable[File], limits: Limits, url_rules: Rules) -> list[Violation]:
    """What is wrong with the attachments of a draft; [] when nothing is."""
    found: list[Violation] = []
    listed = list(files)
    if len(listed) > limits.attachments:
        found.append(Violation("attachments", f"{len(listed)} files; at most {limits.attachments}"))
        return found
    total = 0
    content_ids: set[str] = set()
    for i, file in enumerate(listed):
        field = f"attachments[{i}]"
        if not file.name or len(file.name) > _NAME_CHARACTERS or check_text(file.name):
            found.append(Violation(f"{field}.name", f"1 to {_NAME_CHARACTERS} printable characters"))
        elif "/" in file.name or "\\" in file.name:
            found.append(Violation(f"{field}.name", "is a path; give the name alone"))
        if file.content_type and not _CONTENT_TYPE.fullmatch(file.content_type):
            found.append(
                Violation(f"{field}.content_type", "must look like type/subtype, without parameters")
            )
        if file.content_type.lower().startswith(("multipart/", "message/")):
            found.append(Violation(f"{field}.content_type", "composite types cannot be attached"))
        if file.content_id and not _CONTENT_ID.fullmatch(file.content_id):
            found.append(
                Violation(f"{field}.content_id", "letters, digits and _.+- only, optionally @ a host")
            )
        elif file.content_id and file.content_id in content_ids:
            found.append(Violation(f"{field}.content_id", "is used by another attachment"))
        content_ids.add(file.content_id)
        if file.url:
            if problem := check_url(file.url, url_rules):
                found.append(Violation(f"{field}.url", problem, Reason.ATTACHMENT_REFUSED))
        elif file.content is None:
            found.append(Violation(field, "needs content or url"))
        else:
            total += len(file.content)
            if len(file.content) > limits.attachment_bytes:
                found.append(
                    Violation(
                        f"{field}.content", f"{len(file.content)} bytes; at most {limits.attachment_bytes}"
                    )
                )
    if total > limits.attachments_bytes:
        found.append(Violation("attachments", f"{total} bytes together; at most {limits.attachments_bytes}"))
    return found
