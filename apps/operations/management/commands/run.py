"""`manage.py run`: everything on one machine, under one supervisor, on one port. `make run` ends here."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.embedded import EngineFailed
from apps.operations.errors import StartRefused
from apps.operations.run import Run
from pushsaas import env


class Command(BaseCommand):
    help = "Start the engines, migrate, and keep web+gateway, worker and beat running until Ctrl-C or SIGTERM."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=env.text("HOST", "127.0.0.1"))
        parser.add_argument("--port", type=int, default=None, help="default: the variable PORT, else 8000")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            Run(host=options["host"], port=options["port"] or env.port()).forever()
        except (StartRefused, EngineFailed) as error:
            raise CommandError(f"pushsaas: {error}") from error
