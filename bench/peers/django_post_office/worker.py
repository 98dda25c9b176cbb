"""django-post-office's own sender, asked again as soon as it is done: `send_queued` with its threads.

python worker.py DATABASE PORT RETRY_SECONDS
"""

from __future__ import annotations

import sys
import time

import project

project.set_up(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))

from post_office.mail import send_queued  # noqa: E402 - needs the settings


def main() -> None:
    while True:
        sent, _failed, _requeued = send_queued(processes=1)
        if not sent:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
