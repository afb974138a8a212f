"""`manage.py prepare_database`: roles, database and migrations, once per release."""

from __future__ import annotations

from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError

from apps.operations.database import prepare_database


class Command(BaseCommand):
    help = "Make the database roles and the database where they are missing, then migrate. Safe to repeat."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prepare_database(verbosity=options["verbosity"])
        except psycopg.OperationalError as error:
            raise CommandError(f"PostgreSQL does not answer: {error}") from error
