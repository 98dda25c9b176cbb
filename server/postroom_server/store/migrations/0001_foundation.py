"""The first tables, indexes and triggers, as SQL that never changes again."""

from postroom_server.store.script import beside

up = beside(__file__)
