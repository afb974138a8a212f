"""A provider as somebody else would write it: carrier pigeons. docs/adding-a-provider.md walks through this file."""

from apps.providers.base import CredentialField, Limits, Needs, Outcome, Result, Scope
from apps.providers.errors import CredentialInvalid

LOFTS = {"north": 2, "south": 40}  # pigeons at home


class PigeonProvider:
    needs = Needs(
        fields=(CredentialField("loft", "Loft", is_secret=False), CredentialField("whistle", "Whistle")), withdraws=True
    )
    limits = Limits(per_day=42)

    def __init__(self, sender):
        self.sender = sender

    def check(self):
        if self.sender.credentials[0].values["loft"] not in LOFTS:
            raise CredentialInvalid("loft", "There is no such loft.")

    def send(self, pushes):
        if not self.sender.credentials:
            return [Outcome(push.id, Result.REJECTED, Scope.CREDENTIAL, "no_credential") for push in pushes]
        free = LOFTS[self.sender.credentials[0].values["loft"]]
        return [self._fly(push) if at < free else self._wait(push) for at, push in enumerate(pushes)]

    def _fly(self, push):
        if len(push.notification.body) > 100:
            return Outcome(push.id, Result.REJECTED, Scope.MESSAGE, "too_heavy")
        return Outcome(push.id, Result.ACCEPTED, provider_message_id=f"ring-{push.id[:6]}")

    def withdraw(self, names):
        return sum(name.startswith("ring-") for name in names)

    def _wait(self, push):
        return Outcome(push.id, Result.THROTTLED, Scope.PROVIDER, "no_pigeon_at_home", retry_after=3600)
