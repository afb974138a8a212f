"""What Django is made of here: apps, middleware, languages, files, logs."""

from pathlib import Path

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
