"""`manage.py create_operator`: somebody who may open `/operator/`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import HouseError
from apps.operations.operators import dismiss_operator, make_operator


class Command(BaseCommand):
    help = (
        "Let somebody open /operator/: a new person, whose password is printed this once, or one who signs in "
        "already. They set up a second factor at the first sign-in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True, help="e-mail address they sign in with")
        parser.add_argument("--name", default="", help="their name, for a new person")
        parser.add_argument("--password", help="for a new person; drawn and printed when not given")
        parser.add_argument("--dismiss", action="store_true", help="take the right away instead")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["dismiss"]:
                dismiss_operator(email=options["email"])
                self.stdout.write(f"{options['email']} is no operator any more")
                return
            made = make_operator(email=options["email"], password=options["password"], name=options["name"])
        except HouseError as error:
            said = [str(sentence) for sentences in error.fields.values() for sentence in sentences]
            raise CommandError(" ".join([f"{error.code}:", *(said or [str(error.message)])])) from None
        self.stdout.write(f"operator  {made.email}")
        if made.password and not options["password"]:
            self.stdout.write(f"password  {made.password}")
