"""A Django project with nothing but django-post-office: SQLite, synced, its own way of asking SMTP."""

from __future__ import annotations

import datetime
import logging

import django
from django.conf import settings


def set_up(path: str, port: int, retry_seconds: float) -> None:
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": path,
                "OPTIONS": {
                    "timeout": 60,
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
                },
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
        EMAIL_BACKEND="post_office.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        USE_TZ=True,
        POST_OFFICE={
            "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"},
            "MAX_RETRIES": 4,
            "RETRY_INTERVAL": datetime.timedelta(seconds=retry_seconds),
            "LOG_LEVEL": 1,
            "BATCH_SIZE": 500,
        },
        LOGGING_CONFIG=None,
    )
    django.setup()
    logging.disable(logging.INFO)  # a line for each look at the queue
