"""The application's side: it queues mails with post_office's own `mail.send`, as a view does.

    python application.py DATABASE PORT RETRY_SECONDS

Each line of JSON names a range of mails; the answer says when the first was begun (time.perf_counter).
"""

from __future__ import annotations

import json
import sys
import time
from email.headerregistry import Address

import project

project.set_up(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))

from django.core.management import call_command  # noqa: E402 - needs the settings
from post_office import mail  # noqa: E402


def main() -> None:
    call_command("migrate", verbosity=0)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        pattern, first, mails = asked["pattern"], asked["first"], asked["mails"]
        sender = str(Address(pattern["from_name"], addr_spec=pattern["from"]))
        began = time.perf_counter()
        for number in range(first, first + mails):
            mail.send(
                pattern["to"].replace("{number}", str(number)),
                sender,
                subject=pattern["subject"].replace("{number}", str(number)),
                message=pattern["text"].replace("{number}", str(number)),
                html_message=pattern["html"].replace("{number}", str(number)),
            )
        print(json.dumps({"began": began, "mails": mails}), flush=True)


if __name__ == "__main__":
    main()
