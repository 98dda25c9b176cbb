"""A worker as people write it: polls a table, builds an EmailMessage, sends it with aiosmtplib, one by one.

    python worker.py DATABASE PORT RETRY_SECONDS SENDER NAME

The connection is kept, which is kinder than most such workers are.
"""

from __future__ import annotations

import asyncio
import sys
import time
from email.headerregistry import Address
from email.message import EmailMessage

import aiosmtplib
import rows


def message(mail: rows.Mail, sender: Address) -> EmailMessage:
    made = EmailMessage()
    made["From"] = sender
    made["To"] = mail.recipient
    made["Subject"] = mail.subject
    made.set_content(mail.text)
    made.add_alternative(mail.html, subtype="html")
    return made


async def work(port: int, retry_seconds: float, sender: Address) -> None:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False)
    await client.connect()
    while True:
        due = rows.Mail.select().where(rows.Mail.state == "new", rows.Mail.due <= time.time())
        mails = list(due.order_by(rows.Mail.id).limit(100))
        for mail in mails:
            try:
                await client.send_message(message(mail, sender))
                mail.state = "sent"
            except aiosmtplib.SMTPResponseException as refused:
                if refused.code >= 500:
                    raise
                mail.due = time.time() + retry_seconds
            except aiosmtplib.SMTPRecipientsRefused:
                mail.due = time.time() + retry_seconds
            mail.save()
        if not mails:
            await asyncio.sleep(0.1)


def main() -> None:
    path, port, retry_seconds, sender, name = sys.argv[1:]
    rows.connect(path)
    asyncio.run(work(int(port), float(retry_seconds), Address(name, addr_spec=sender)))


if __name__ == "__main__":
    main()
