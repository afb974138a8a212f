"""Row-level security on every tenant-owned table, seen as the role that serves."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, connection, transaction

pytestmark = pytest.mark.django_db


def test_tests_run_as_a_role_that_policies_bind() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("pushsaas_app", False, False)


def test_the_serving_role_may_not_borrow_dispatch() -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("SET LOCAL ROLE pushsaas_dispatch")
