"""Our SMTP client and aiosmtplib in a process that does nothing else, and measures itself."""

from __future__ import annotations

from bench import transmit
from bench.children import answer, questions

if __name__ == "__main__":
    answer("ready")
    for asked in questions():
        answer(transmit.measure(asked["name"], asked["port"], asked["mails"], asked["connections"]))
