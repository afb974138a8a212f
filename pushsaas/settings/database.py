"""One PostgreSQL database, seen through roles."""

from pushsaas import env
from pushsaas.settings.base import PROCESS_ROLE, SECRET_KEY

# `default` serves and is bound by row-level security; `owner` only
# migrates. See apps/tenants/rls.py.
_database = env.database()
#: An ASGI server answers each request on a thread of its own: kept connections would die with it, so they are pooled.
_pooled = PROCESS_ROLE in {"web", "gateway"}
_serving_role = "pushsaas_worker" if PROCESS_ROLE in {"worker", "beat"} else "pushsaas_app"


def _connection(role: str, password: str) -> dict[str, object]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.name,
        "HOST": _database.host,
        "PORT": _database.port,
        "USER": role,
        "PASSWORD": "" if _database.embedded else password,
        "OPTIONS": {
            "application_name": f"pushsaas-{PROCESS_ROLE}",
            **({"pool": {"min_size": 1, "max_size": 20, "timeout": 5}} if _pooled else {}),
            **_database.options,
        },
        "CONN_MAX_AGE": 0 if _pooled else 60,
        "CONN_HEALTH_CHECKS": not _pooled,
        "DISABLE_SERVER_SIDE_CURSORS": False,
    }


DATABASES = {
    "default": _connection(_serving_role, env.role_password(SECRET_KEY, _serving_role)),
    "owner": {
        **_connection("pushsaas_owner", env.role_password(SECRET_KEY, "pushsaas_owner")),
        "CONN_MAX_AGE": 0,
        "TEST": {"MIRROR": "default"},
    },
}
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
