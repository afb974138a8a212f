"""`manage.py create_tenant`: a tenant, its owner, an application and an API key, ready to use."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from apps.core.errors import HouseError
from apps.operations.provisioning import provision_tenant


class Command(BaseCommand):
    help = (
        "Make a tenant with its owner, an application and an API key with every scope. The owner sets up a second "
        "factor at the first sign-in. Secrets are printed this once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="name of the tenant")
        parser.add_argument("--email", required=True, help="e-mail address of the owner, who signs in with it")
        parser.add_argument("--password", required=True, help="password of the owner")
        parser.add_argument("--application", required=True, help="name of the application")
        parser.add_argument("--application-id", help="1-20 digits; random when not given")
        parser.add_argument("--key", help="public key of the application; random when not given")
        parser.add_argument("--secret", help="secret of the application; random when not given")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = ("name", "email", "password", "application", "application_id", "key", "secret")
        try:
            made = provision_tenant(**{option: options[option] for option in wanted})
        except HouseError as error:
            raise CommandError(_sentence(error)) from None
        except OperationalError as error:
            raise CommandError(f"PostgreSQL does not answer (is the service running?): {error}") from None
        if options["json"]:
            self.stdout.write(json.dumps(asdict(made)))
            return
        for name, value in asdict(made).items():
            self.stdout.write(f"{name:<15} {value}")


def _sentence(error: HouseError) -> str:
    """`code: message`, then each field and what is wrong with it."""
    problems = [f"--{name.replace('_', '-')}: {' '.join(map(str, said))}" for name, said in error.fields.items()]
    return "\n".join([f"{error.code}: {error.message}" if error.message else error.code, *problems])
