"""People who sign in to the dashboard, what proves them, and where they are signed in."""

from apps.accounts.models.factors import Authenticator, RecoveryCode
from apps.accounts.models.mail import OutgoingMail
from apps.accounts.models.sessions import Session
from apps.accounts.models.users import User

__all__ = ["Authenticator", "OutgoingMail", "RecoveryCode", "Session", "User"]
