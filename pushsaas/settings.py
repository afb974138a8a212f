"""The one settings file. Everything that differs between installations comes from `env.py`."""

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from pushsaas import env

BASE_DIR = env.ROOT
HOME: Path = env.home()
_secrets = env.load_secrets()

SECRET_KEY = _secrets.secret_key
ID_KEY: bytes = bytes.fromhex(_secrets.id_key)
SEALING_KEYS: tuple[bytes, ...] = tuple(bytes.fromhex(key) for key in _secrets.sealing_keys)

DEBUG = env.flag("DEBUG")
#: A development installation may seed the demo tenant and speak plain http.
PRODUCTION = env.flag("PRODUCTION")
PUBLIC_URL = env.text("PUBLIC_URL").rstrip("/")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("TRUSTED_ORIGINS")
#: How many proxies in front of us may be believed about the client's address (0 = none).
TRUSTED_HOPS = env.number("TRUSTED_HOPS", 0)
#: The region this process runs in, and where each region's engines are. One region today.
HOME_REGION = env.text("REGION", "local")
VALKEY_URLS = {HOME_REGION: env.valkey_url()}
#: Open realtime connections of one process before it answers 4100; 0 = as many as come.
GATEWAY_MAX_CONNECTIONS = env.number("GATEWAY_MAX_CONNECTIONS", 0)
#: Beyond these a gateway takes no newcomers: megabytes of memory (0 = no bound), seconds that its loop comes late.
GATEWAY_MAX_MEMORY = env.number("GATEWAY_MAX_MEMORY", 0)
GATEWAY_MAX_LOOP_LAG = 1.0
#: Which role this process plays: web, gateway, worker, beat, manage. It chooses the database role.
PROCESS_ROLE = env.text("ROLE", "manage")

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "django.contrib.postgres",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_otp",
    "django_htmx",
    "csp",
    "axes",
    "apps.core",
    "apps.accounts",
    "apps.tenants",
    "apps.realtime",
    "apps.webhooks",
    "apps.audience",
    "apps.billing",
    "apps.providers",
    "apps.messaging",
    "apps.campaigns",
    "apps.dashboard",
    "apps.api",
    "apps.operations",
]

MIDDLEWARE = [
    "apps.api.middleware.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "apps.dashboard.middleware.PersonalLanguage",
    "apps.dashboard.middleware.ToastsForHtmx",
    "apps.dashboard.middleware.HouseErrorPages",
]

ROOT_URLCONF = "pushsaas.urls"
ASGI_APPLICATION = "pushsaas.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "apps.dashboard.context.shell",
            ],
        },
    },
]
FORM_RENDERER = "apps.dashboard.forms.HouseRenderer"
CSRF_FAILURE_VIEW = "apps.dashboard.failures.csrf_failed"

# --- PostgreSQL: one database, seen through roles. `default` serves and is bound by row-level security; `owner` only
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

# --- People who sign in
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "apps.accounts.validators.ContextWordsValidator", "OPTIONS": {"words": ("pushsaas",)}},
]
LOGIN_URL = "dashboard:sign-in"
LOGIN_REDIRECT_URL = "dashboard:overview"
LOGOUT_REDIRECT_URL = "dashboard:sign-in"
PASSWORD_RESET_TIMEOUT = 3600
SESSION_ENGINE = "apps.accounts.session_store"
#: The store itself ends a session earlier when it idles; see apps/accounts/models/sessions.py.
SESSION_COOKIE_AGE = int(timedelta(days=7).total_seconds())
SESSION_SAVE_EVERY_REQUEST = False
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
if PRODUCTION:
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_SSL_REDIRECT = not env.flag("PLAIN_HTTP")
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_HOPS else None
SECURE_REFERRER_POLICY = "strict-origin-when-cross-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
#: Django's signals call the e-mail address `username`; with axes' own default it would count under no name at all.
AXES_USERNAME_FORM_FIELD = "username"
#: Axes keeps the fields of a failed form; none of these may lie in a table.
AXES_SENSITIVE_PARAMETERS = [
    "username", "ip_address", "email", "password", "current_password", "new_password", "csrfmiddlewaretoken",
]  # fmt: skip
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "apps.dashboard.accounts.lockout.locked_out"
AXES_CLIENT_IP_CALLABLE = "apps.core.addresses.client_ip"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF, "ws:", "wss:"] if not PRODUCTION else [SELF, "wss:"],
        "worker-src": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

# --- Languages
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["pushsaas.formats"]
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files: served by the web role itself, far-future cached under hashed names
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static", ("sdk", BASE_DIR / "sdk" / "js")]
STATIC_ROOT = HOME / "static"
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(HOME / "uploads")},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS, FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o600, 0o700
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

EMAIL_BACKEND = env.text("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST, EMAIL_PORT = env.text("EMAIL_HOST", "localhost"), env.number("EMAIL_PORT", 25)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env.text("EMAIL_USER"), env.text("EMAIL_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_TLS")
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "pushsaas <noreply@localhost>")

# --- Calls to the outside
#: Origins (`https://127.0.0.1:8443`) that may be called although they are not public, and a PEM file of CAs to trust.
EGRESS_ALLOW = frozenset(env.words("EGRESS_ALLOW"))
EGRESS_CA = env.text("EGRESS_CA")
#: A proxy for calls to push networks. It resolves names itself, so it must refuse inner addresses itself.
EGRESS_PROXY = env.text("EGRESS_PROXY")

#: Where the networks are. apps/providers/counterparts has stand-ins, to try the product without accounts.
APNS_URLS = {
    "production": env.text("APNS_URL", "https://api.push.apple.com"),
    "sandbox": env.text("APNS_SANDBOX_URL", "https://api.sandbox.push.apple.com"),
}
#: Where the stand-ins of the push networks on this machine show what they took, and their push service for browsers.
#: Set by `make run`, empty where nobody started them.
STAND_INS_URL, STAND_INS_PUSH_URL = env.text("STAND_INS_URL"), env.text("STAND_INS_PUSH_URL")
FCM_URL = env.text("FCM_URL", "https://fcm.googleapis.com")
GOOGLE_TOKEN_URL = env.text("GOOGLE_TOKEN_URL", "https://oauth2.googleapis.com/token")
#: The phone makers' channels, and where the two with OAuth give their tokens.
VENDOR_URLS = {
    "huawei": env.text("HUAWEI_URL", "https://push-api.cloud.huawei.com"),
    "huawei_token": env.text("HUAWEI_TOKEN_URL", "https://oauth-login.cloud.huawei.com/oauth2/v3/token"),
    "harmony": env.text("HUAWEI_URL", "https://push-api.cloud.huawei.com"),
    "honor": env.text("HONOR_URL", "https://push-api.cloud.honor.com"),
    "honor_token": env.text("HONOR_TOKEN_URL", "https://iam.developer.honor.com/auth/token"),
    "xiaomi": env.text("XIAOMI_URL", "https://api.xmpush.xiaomi.com"),
    "oppo": env.text("OPPO_URL", "https://api.push.oppomobile.com"),
    "vivo": env.text("VIVO_URL", "https://api-push.vivo.com.cn"),
    "meizu": env.text("MEIZU_URL", "https://server-api-push.meizu.com"),
}

# --- REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
#: Token buckets of the REST API: capacity in requests, refill per second. The tenant's holds all its keys together.
API_RATE_LIMITS = {"key": (600, 60), "tenant": (1_200, 120)}
#: The same for `/api/oauth/`: of one client from one network, and of a network with all clients it names.
OAUTH_RATE_LIMITS = {"client": (30, 0.5), "network": (120, 2)}
#: Of the doors for clients without a key (receipts, inbox), for each network they come from.
CLIENT_RATE_LIMIT = (3_000, 300)
SPECTACULAR_SETTINGS = {
    "TITLE": "pushsaas REST API",
    "VERSION": "1",
    "DESCRIPTION": (
        "Every call carries `Authorization: Bearer <API key or OAuth 2.0 access token>`, and speaks for the "
        "application of that key or client. "
        "Errors are problem+json with a stable `code`. Lists are pages: pass `next` as `cursor`. "
        "A POST with an `Idempotency-Key` is done once, however often it is repeated."
    ),
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.api.schema.add_security_schemes",
    ],
}

# --- Celery: an envelope carrier. Business time lives in PostgreSQL, so a lost or repeated task is harmless.
CELERY_BROKER_URL = VALKEY_URLS[HOME_REGION].replace("unix://", "redis+socket://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT, CELERY_TASK_SOFT_TIME_LIMIT = 90, 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 45.0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_CREATE_MISSING_QUEUES = True
#: The shortest visibility timeout of all apps on one broker wins, so it is set in every place that has one.
CELERY_VISIBILITY_TIMEOUT = 300
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_timeout": 30,
    "socket_keepalive": not VALKEY_URLS[HOME_REGION].startswith("unix://"),
    "health_check_interval": 25,
    "unacked_restore_throttle": 1,
    "global_keyprefix": "celery:",
}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": 300}

#: Beat only rings; any number of beats may. What is due stands in PostgreSQL. A ring that nobody heard in time expires.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "campaigns.tick": {"task": "campaigns.tick", "schedule": 1.0, "options": {"expires": 1}},
    "campaigns.watch": {"task": "campaigns.watch", "schedule": 1.0, "options": {"expires": 1}},
    "billing.ingest": {"task": "billing.ingest", "schedule": 1.0, "options": {"expires": 1}},
    "billing.count_calls": {"task": "billing.count_calls", "schedule": 5.0, "options": {"expires": 5}},
    "billing.watch": {"task": "billing.watch", "schedule": 5.0, "options": {"expires": 5}},
    "billing.month_end": {"task": "billing.month_end", "schedule": 15.0, "options": {"expires": 15}},
    "billing.open_months": {"task": "billing.open_months", "schedule": 3600.0, "options": {"expires": 3600}},
    "billing.forget": {"task": "billing.forget", "schedule": 3600.0, "options": {"expires": 3600}},
    "messaging.tick": {"task": "messaging.tick", "schedule": 1.0, "options": {"expires": 1}},
    "messaging.count_reached": {"task": "messaging.count_reached", "schedule": 15.0, "options": {"expires": 15}},
    "messaging.sweep_inboxes": {"task": "messaging.sweep_inboxes", "schedule": 10.0, "options": {"expires": 10}},
    "messaging.withdraw_pushes": {"task": "messaging.withdraw_pushes", "schedule": 5.0, "options": {"expires": 5}},
    "messaging.attribute_conversions": {
        "task": "messaging.attribute_conversions",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "messaging.fold_tallies": {"task": "messaging.fold_tallies", "schedule": 10.0, "options": {"expires": 10}},
    "webhooks.collect": {"task": "webhooks.collect", "schedule": 1.0, "options": {"expires": 1}},
    "webhooks.deliver": {"task": "webhooks.deliver", "schedule": 1.0, "options": {"expires": 1}},
    "webhooks.tidy": {"task": "webhooks.tidy", "schedule": 60.0, "options": {"expires": 60}},
    "operations.measure": {"task": "operations.measure", "schedule": 5.0, "options": {"expires": 5}},
    "audience.wake_imports": {"task": "audience.wake_imports", "schedule": 10.0, "options": {"expires": 10}},
    "audience.take_socket_events": {
        "task": "audience.take_socket_events",
        "schedule": 2.0,
        "options": {"expires": 2},
    },
    "audience.forget_old_events": {
        "task": "audience.forget_old_events",
        "schedule": 900.0,
        "options": {"expires": 900},
    },
    "accounts.deliver_mail": {"task": "accounts.deliver_mail", "schedule": 30.0, "options": {"expires": 30}},
    "api.forget_idempotency_keys": {
        "task": "api.forget_idempotency_keys",
        "schedule": 900.0,
        "options": {"expires": 900},
    },
    "tenants.forget_expired_tokens": {
        "task": "tenants.forget_expired_tokens",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "providers.warn_of_ends": {
        "task": "providers.warn_of_ends",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600},
    },
    "accounts.sweep": {"task": "accounts.sweep", "schedule": 3600.0, "options": {"expires": 3600}},
}

#: What collects invoices: the path of a class with the shape of `apps.billing.payments.PaymentAdapter`.
PAYMENT_ADAPTER = env.text("PAYMENT_ADAPTER", "apps.billing.payments.Manual")
#: For the adapter `apps.billing.processors.stripe.Stripe`. api: where Stripe is, empty for the real one.
STRIPE = {
    "key": env.text("STRIPE_KEY"),
    "webhook_secret": env.text("STRIPE_WEBHOOK_SECRET"),
    "api": env.text("STRIPE_API"),
}
if STRIPE["key"]:  # the button “Pay” sends the browser on to Stripe's page
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"].append("https://checkout.stripe.com")
#: What is done about an unpaid invoice, and how many days after it was due. A plan may say otherwise.
DUNNING = env.text(
    "DUNNING",
    "collect:0 remind:1 collect:7 remind:7 remind:14 restrict:21 suspend:30 uncollectible:60",
)
#: Kind of a letter -> who makes what hangs on it: the path of a function of the letter's facts.
MAIL_ATTACHMENTS = dict.fromkeys(
    ("invoice", "invoice_reminder", "invoice_restricted", "invoice_suspended"),
    "apps.billing.attachments.invoice_attachment",
)
#: Who sends the invoices, as they print it.
INVOICE_SELLER = {
    "name": env.text("INVOICE_SELLER_NAME", "pushsaas"),
    "address": env.text("INVOICE_SELLER_ADDRESS").replace("\\n", "\n"),
    "tax_id": env.text("INVOICE_SELLER_TAX_ID"),
}

#: Seconds a worker may hold a chunk without renewing; longer than any provider's deadline. After a crash the deliveries
#: in flight wait that long to be called unknown.
SENDING_LEASE = env.number("SENDING_LEASE", 30)
#: How many whole months of behaviour events are kept beside the current one.
EVENT_MONTHS = env.number("EVENT_MONTHS", 13)
#: Delivery providers of this installation's own: `name=package.module:callable`.
PROVIDERS = env.words("PROVIDERS")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.db.backends": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "oauthlib": {"level": "WARNING"},  # below that it writes tokens down
    },
}
SILENCED_SYSTEM_CHECKS: list[str] = []
