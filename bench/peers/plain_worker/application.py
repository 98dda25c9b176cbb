"""The application's side of the plain worker: it inserts a row for each mail it wants sent.

    python application.py DATABASE

Each line of JSON names a range of mails; the answer says when the first row was begun (time.perf_counter).
"""

from __future__ import annotations

import json
import sys
import time

import rows


def main() -> None:
    rows.connect(sys.argv[1])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        pattern, first, mails = asked["pattern"], asked["first"], asked["mails"]
        began = time.perf_counter()
        for number in range(first, first + mails):
            rows.Mail.create(
                recipient=pattern["to"].replace("{number}", str(number)),
                subject=pattern["subject"].replace("{number}", str(number)),
                text=pattern["text"].replace("{number}", str(number)),
                html=pattern["html"].replace("{number}", str(number)),
            )
        print(json.dumps({"began": began, "mails": mails}), flush=True)


if __name__ == "__main__":
    main()
