"""`manage.py save_provider_credential`: an application's account with a push network, checked with it and then kept."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import HouseError
from apps.providers.credentials import save_credential
from apps.providers.registry import needs_of
from apps.tenants.models import Application
from apps.tenants.queries import find_application
from apps.tenants.scope import tenant_scope


class Command(BaseCommand):
    help = "Keep an application's account with a push network, after asking the network about it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--application-id", required=True, help="the application's decimal id")
        parser.add_argument("--provider", required=True, help="delivery route, such as apns, fcm, webpush, webhook")
        parser.add_argument("--name", required=True, help="what people call this account")
        parser.add_argument(
            "--value", action="append", default=[], metavar="FIELD=TEXT", help="a field; TEXT may be @FILE or - (input)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        record = find_application(application_id=options["application_id"])
        if record is None:
            raise CommandError("There is no such application.")
        with tenant_scope(record.tenant_id):
            application = Application.objects.select_related("tenant").get(pk=record.application_pk)
        try:
            saved = save_credential(
                tenant=application.tenant, application=application, provider=options["provider"],
                name=options["name"], values=dict(map(_field, options["value"])),
            )  # fmt: skip
        except HouseError as error:
            raise CommandError(_sentence(error, options["provider"])) from None
        self.stdout.write(json.dumps({"id": saved.public_id, "provider": saved.provider, "shown": saved.shown}))


def _field(pair: str) -> tuple[str, str]:
    name, separator, text = pair.partition("=")
    if not separator:
        raise CommandError(f"--value {name}: write FIELD=TEXT")
    if text == "-":
        return name, sys.stdin.read()
    try:
        return name, Path(text[1:]).read_text() if text.startswith("@") else text
    except OSError as error:
        raise CommandError(f"--value {name}: {error}") from None


def _sentence(error: HouseError, provider: str) -> str:
    lines = [f"{error.code}: {error.message}"]
    lines += [f"{name}: {' '.join(map(str, said))}" for name, said in error.fields.items()]
    if error.code == "provider_credential_fields":
        lines.append("fields: " + ", ".join(field.name for field in needs_of(provider).fields))
    return "\n".join(lines)
