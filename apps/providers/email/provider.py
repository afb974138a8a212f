"""The provider `email`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext_lazy as _

from apps.core import clock
from apps.core.egress import AddressRefused, read_mail_server, resolve
from apps.providers.base import CredentialField, Needs, Outcome, Push, Result, Scope, Sender
from apps.providers.email.answers import Said, outcome_of
from apps.providers.email.mails import mail_for
from apps.providers.email.sending import deliver, try_login
from apps.providers.email.server import MailServer
from apps.providers.errors import CredentialInvalid, NetworkSilent

MAILBOX = "mailbox"


class EmailProvider:
    needs: ClassVar[Needs] = Needs(
        fields=(
            CredentialField("from", _("Sender, as in Shop <news@shop.example>"), is_secret=False),
            CredentialField("server", _("Mail server, as in smtp.shop.example:587"), is_secret=False),
            CredentialField("username", _("User name"), is_secret=False, is_required=False),
            CredentialField("password", _("Password"), is_required=False),
        ),
        reaches="devices",
        platforms=("email",),
        unsubscribes=True,
    )

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    def check(self) -> None:
        """Signs in at the mail server. Also asks whether this installation can make links for unsubscribing at all."""
        values = self.sender.credentials[0].values
        try:
            if not values["from"].isprintable():
                raise ValidationError("control characters")
            validate_email(parseaddr(values["from"])[1])
        except ValidationError:
            raise CredentialInvalid("from", _("Give an address, with or without a name before it.")) from None
        if not settings.PUBLIC_URL:
            raise CredentialInvalid("__all__", _("Mails need an unsubscribe link: set PUSHSAAS_PUBLIC_URL first."))
        try:
            refusal = try_login(self._server(values))
        except AddressRefused as refused:
            raise CredentialInvalid("server", refused.message) from None
        if isinstance(refusal, Said):
            problem = _("The mail server refuses this sign-in: %(reason)s.") % {"reason": refusal.reason}
            raise CredentialInvalid("__all__", problem)
        if refusal is not None:
            raise NetworkSilent

    def send(self, pushes: Sequence[Push]) -> list[Outcome]:
        if not self.sender.credentials:
            return [Outcome(push.id, Result.REJECTED, Scope.CREDENTIAL, "no_credential") for push in pushes]
        values = self.sender.credentials[0].values
        try:
            server = self._server(values)
        except AddressRefused as refused:
            reason, unsure = f"address_refused:{refused.reason}", refused.reason == "unresolved"
            result, scope = (Result.UNAVAILABLE, Scope.PROVIDER) if unsure else (Result.REJECTED, Scope.CREDENTIAL)
            return [Outcome(push.id, result, scope, reason) for push in pushes]
        domain = parseaddr(values["from"])[1].rpartition("@")[2]
        now = clock.now()
        outcomes: dict[str, Outcome] = {}
        mails = {}
        for push in pushes:
            refusal = _refusal(push)
            if refusal or push.endpoint is None:
                outcomes[push.id] = Outcome(push.id, Result.REJECTED, Scope.DEVICE, refusal or "no_mailbox")
            else:
                mails[push.id] = mail_for(push, sender=values["from"], domain=domain, to=push.endpoint.address)
        answers = deliver(server, list(mails.values()))
        outcomes |= {id: outcome_of(id, answer, now) for id, answer in zip(mails, answers, strict=True)}
        return [outcomes[push.id] for push in pushes]

    def _server(self, values: Mapping[str, str]) -> MailServer:
        """Raises AddressRefused."""
        place = read_mail_server(values["server"])
        owner = f"email:{self.sender.tenant_id}:{self.sender.credentials[0].id}"
        return MailServer(owner, place, resolve(place), values.get("username", ""), values.get("password", ""))


def _refusal(push: Push) -> str:
    if push.endpoint is None or push.endpoint.kind != MAILBOX:
        return "no_mailbox"
    try:
        validate_email(push.endpoint.address)
    except ValidationError:
        return "not_an_address"
    return ""
