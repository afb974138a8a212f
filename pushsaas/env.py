"""Reads the environment once: every `PUSHSAAS_*` variable the project knows is named in this file.

Answers for: where state lives, where the engines are, the installation's secrets. It does no I/O but creating
`PUSHSAAS_HOME` and reading or writing `secrets.json` in it.
"""

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
#: Linux refuses a socket path of 108 bytes or more; the longest name we put below is ".s.PGSQL.5432".
_SOCKET_PATH_LIMIT = 90


def text(name: str, default: str = "") -> str:
    return os.environ.get(f"PUSHSAAS_{name}", default)


def flag(name: str, default: bool = False) -> bool:
    value = text(name).strip().lower()
    return default if not value else value in {"1", "true", "yes", "on"}


def number(name: str, default: int) -> int:
    value = text(name).strip()
    if not value:
        return default
    try:
        return int(value)
    except ValueError:
        raise SystemExit(f"PUSHSAAS_{name} must be a whole number, not {value!r}") from None


def port() -> int:
    """`PORT`, as platforms set it, else 8000."""
    value = os.environ.get("PORT", "").strip() or "8000"
    if not value.isdigit():
        raise SystemExit(f"pushsaas: PORT must be a whole number, not {value!r}")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def home() -> Path:
    """The directory that holds all state of an embedded run."""
    return Path(text("HOME") or ROOT / "var").expanduser().absolute()


def socket_directory() -> Path:
    """Where the embedded engines put their sockets: below home, or in a short temporary path when home is deep."""
    inside = home() / "run"
    if len(str(inside)) <= _SOCKET_PATH_LIMIT:
        return inside
    digest = hashlib.sha256(str(home()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pushsaas-{digest}"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an installation must never lose: with another value public ids change and sealed columns stay shut.

    secret_key: Django's signing key. id_key: 16 bytes, hex; turns row numbers into public ids.
    sealing_keys: 32 bytes each, hex; the first seals, all open.
    """

    secret_key: str
    id_key: str
    sealing_keys: tuple[str, ...]


def load_secrets() -> Secrets:
    """From the environment, else from `secrets.json` in home, which is made on first use (mode 0600)."""
    if text("SECRET_KEY"):
        secret_key = text("SECRET_KEY")

        def derived(purpose: str) -> bytes:
            return hmac.digest(secret_key.encode(), purpose.encode(), "sha256")

        sealing = tuple(words("SEALING_KEYS")) or (derived("sealing").hex(),)
        return Secrets(secret_key, text("ID_KEY") or derived("public-id").hex()[:32], sealing)
    path = home() / "secrets.json"
    try:
        stored = _read_secrets(path) if path.exists() else _create_secrets(path)
    except OSError as error:
        raise SystemExit(
            f"pushsaas: cannot write to {home()} ({error.strerror}). "
            "Choose another place with PUSHSAAS_HOME=/some/directory."
        ) from None
    return stored


def _read_secrets(path: Path) -> Secrets:
    stored = json.loads(path.read_text())
    return Secrets(stored["secret_key"], stored["id_key"], tuple(stored["sealing_keys"]))


def _create_secrets(path: Path) -> Secrets:
    fresh = Secrets(secrets.token_urlsafe(48), secrets.token_hex(16), (secrets.token_hex(32),))
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(fresh), file)
    try:
        os.link(draft, path)  # unlike rename, link fails when another process was first
    except FileExistsError:
        fresh = _read_secrets(path)
    finally:
        draft.unlink()
    return fresh


@dataclass(frozen=True, slots=True)
class Database:
    """Where PostgreSQL is. `user` owns the database; the serving roles are made beside it at start."""

    name: str
    host: str
    port: str
    user: str
    password: str
    options: dict[str, str]
    embedded: bool


def database() -> Database:
    url = text("DATABASE_URL")
    if not url:
        return Database(
            text("DATABASE_NAME", "pushsaas"),
            str(socket_directory()),
            "5432",
            "postgres",
            "",
            {},
            embedded=True,
        )
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise SystemExit("PUSHSAAS_DATABASE_URL must look like postgresql://user:password@host:5432/name")
    options = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    return Database(
        name=unquote(parts.path.lstrip("/")),
        host=unquote(options.pop("host", parts.hostname or "")),
        port=str(parts.port or 5432),
        user=unquote(parts.username or "postgres"),
        password=unquote(parts.password or ""),
        options={key: unquote(value) for key, value in options.items()},
        embedded=False,
    )


def valkey_url() -> str:
    """A redis-py URL. The embedded server listens on a Unix socket only."""
    return text("VALKEY_URL") or f"unix://{quote(str(socket_directory() / 'valkey.sock'))}"


def valkey_is_embedded() -> bool:
    return not text("VALKEY_URL")


def role_password(secret_key: str, role: str) -> str:
    """The password of a serving role on an external PostgreSQL (the embedded one trusts its private socket)."""
    return hmac.digest(secret_key.encode(), f"postgresql:{role}".encode(), "sha256").hex()
