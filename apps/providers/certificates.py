"""When the certificates in a credential end. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from cryptography import x509

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def end_of_certificates(values: Mapping[str, str]) -> datetime | None:
    """The earliest end of the PEM certificates in the fields; None without any. What cannot be read is passed over."""
    return earliest(*(_end_of(found) for text in values.values() for found in _PEM.findall(text)))


def earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _end_of(pem: str) -> datetime | None:
    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    except ValueError:
        return None
