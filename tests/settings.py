"""The product's settings in a home of the test process's own, whatever the developer's environment says.

Each pytest worker imports this once, so parallel workers share neither PostgreSQL nor Valkey nor secrets.
"""

import atexit
import os
import shutil
import tempfile

for _name in [name for name in os.environ if name.startswith("PUSHSAAS_")]:
    del os.environ[_name]
_home = tempfile.mkdtemp(prefix="pushsaas-test-")
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.environ["PUSHSAAS_HOME"] = _home
os.mkdir(os.path.join(_home, "static"))  # else whitenoise warns that nothing was collected
os.environ["PUSHSAAS_SECRET_KEY"] = "fixed, so that public ids in test names are the same in every worker"
os.environ["PUSHSAAS_DATABASE_NAME"] = "pushsaas_test"
os.environ.setdefault("XDG_RUNTIME_DIR", _home)  # else platformdirs warns, and warnings are errors

from pushsaas.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # argon2 is slow on purpose
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
