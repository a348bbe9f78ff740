"""All settings, from the environment alone. A wrong value stops the start with a hint (`docs/operating.md`)."""

import re
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import embedded
from config.logs import LOGGING  # noqa: F401 - Django reads it from here

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()


def refuse(name: str, problem: str, hint: str) -> None:
    raise ImproperlyConfigured(f"{name}: {problem} {hint}")


def seconds(name: str, default: int, least: int) -> int:
    """A whole number of seconds, at least `least`."""
    text = env.str(name, str(default))
    if not text.isdigit() or int(text) < least:
        refuse(name, f"{text!r} is no whole number of seconds from {least} on.", f"Leave it out for {default}.")
    return int(text)


def switch(name: str) -> bool:
    text = env.str(name, "0").lower()
    if text not in {"0", "1", "true", "false", ""}:
        refuse(name, f"{text!r} is neither 1 nor 0.", "Leave it out for 0.")
    return text in {"1", "true"}


def secret(name: str) -> str:
    """A key of at least 40 characters. On loopback it may be left out: one is made, and kept in the installation."""
    key = env.str(name, "")
    if not key and LOOPBACK:
        key = embedded.kept_secret(name.lower())
    if len(key) < 40:
        refuse(name, "it is missing or shorter than 40 characters.", f"Such as {secrets.token_urlsafe(40)}")
    return key


def bounce_address(name: str) -> str:
    """An address that mails are returned to; each mail gets its own by +<number>, 35 characters, before the @."""
    address = env.str(name, "")
    local, _at, domain = address.partition("@")
    if address and not (re.fullmatch(r"[A-Za-z0-9._-]{1,29}", local) and re.fullmatch(r"[A-Za-z0-9.-]+\.[a-z]+", domain)):
        refuse(name, f"{address!r} cannot be used.", "Write it like bounces@shop.example: up to 29 characters, no +.")
    return address.lower()


def bounce_mailbox(name: str) -> str:
    """Where returned mails arrive: an IMAP folder, or a Maildir or mbox file of this machine."""
    address = env.str(name, "")
    parts = urlsplit(address)
    remote = parts.scheme in {"imap", "imaps"} and parts.hostname and parts.username and parts.password
    local = parts.scheme in {"maildir", "mbox"} and not parts.netloc and parts.path.startswith("/")
    if address and not (address.isascii() and (remote or local)):
        hint = "Write imaps://user:password@host/INBOX (special characters as %40), maildir:///path or mbox:///path."
        refuse(name, "it names no mailbox.", hint)
    return address


DEBUG = switch("DEBUG")
DEMO = switch("DEMO")

PUBLIC_BASE_URL = env.str("PUBLIC_BASE_URL", "http://localhost:8000").rstrip("/")
_public = urlsplit(PUBLIC_BASE_URL)
LOOPBACK = _public.hostname in {"localhost", "127.0.0.1", "::1"}
if _public.scheme not in {"http", "https"} or not _public.hostname or _public.path:
    refuse("PUBLIC_BASE_URL", f"{PUBLIC_BASE_URL!r} is no address.", "Write it like https://crm.example.com.")
if _public.scheme == "http" and not LOOPBACK:
    refuse("PUBLIC_BASE_URL", "links in mails must be https.", "Only a loopback address may be http.")

for _name, _on in (("DEBUG", DEBUG), ("DEMO", DEMO)):
    if _on and not LOOPBACK:
        refuse(_name, "it shows more than strangers may see.", "Only with a loopback PUBLIC_BASE_URL.")

SECRET_KEY = secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Signs the links in mails and hashes suppressed addresses. The last fallback is the oldest key and never goes away.
LINK_KEY = secret("LINK_KEY")
LINK_KEY_FALLBACKS = env.list("LINK_KEY_FALLBACKS", default=[])
# Seals what bookkeeping must keep about erased persons. Former keys stay as fallbacks until everything is sealed anew.
SEAL_KEY = secret("SEAL_KEY")
SEAL_KEY_FALLBACKS = env.list("SEAL_KEY_FALLBACKS", default=[])
# Where erasures are also written down, outside the database, to be repeated after a backup was restored.
ERASURE_LOG = env.str("ERASURE_LOG", "")
RECEIPT_SECRET = env.str("RECEIPT_SECRET", "")
if RECEIPT_SECRET and len(RECEIPT_SECRET) < 32:
    refuse("RECEIPT_SECRET", "it is shorter than 32 characters.", f"Such as {secrets.token_urlsafe(32)}")
DEPLOYMENT_ID = env.str("DEPLOYMENT_ID", "")

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[_public.hostname] + (["localhost", "127.0.0.1"] if LOOPBACK else []))
if "*" in ALLOWED_HOSTS:
    refuse("ALLOWED_HOSTS", "* would accept any name.", "List the names under which the pages are served.")
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]
# Their X-Forwarded-For is believed where tries are counted (`crm.throttle`).
TRUSTED_PROXIES = [one.strip() for one in (env.str("TRUSTED_PROXIES", "") or "127.0.0.1").split(",")]

INSTALLED_APPS = [
    "campaigns",
    "loyalty",
    "crm",
    "django_cotton.apps.SimpleAppConfig",
    "template_partials.apps.SimpleAppConfig",
    "django_htmx",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_standardized_errors",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "anymail",
    "csp",
    "django_structlog",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "crm.middleware.Policy",
    "crm.middleware.PrivacyHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "crm.middleware.ShopDay",
    "crm.labels.OwnWords",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "crm.context.shell",
            ],
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "crm.templating.Loader",
                            [
                                "django_cotton.cotton_loader.Loader",
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "builtins": [
                "django_cotton.templatetags.cotton",
                "crm.templatetags.components",
                "template_partials.templatetags.partials",
            ],
        },
    }
]
FORM_RENDERER = "crm.forms.Renderer"

DATABASE_ROLE = env.str("DATABASE_ROLE", "app")
if DATABASE_ROLE == "owner" and env.str("DATABASE_OWNER_URL", ""):
    _database = env.db("DATABASE_OWNER_URL")
elif env.str("DATABASE_URL", ""):
    _database = env.db("DATABASE_URL")
else:
    _database = env.db_url_config(embedded.database_url(DATABASE_ROLE))
if "postgresql" not in _database["ENGINE"]:
    refuse("DATABASE_URL", "only PostgreSQL 15 to 18 is supported.", "Write postgres://user:password@host/name.")
DATABASES = {
    "default": _database
    | {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": False,
        "OPTIONS": _database.get("OPTIONS", {}) | {"options": "-c timezone=UTC -c jit=off"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", "") or embedded.redis_url()
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.str("REDIS_URL", "") or embedded.redis_cache_url(),
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _public.scheme == "https"
SESSION_COOKIE_NAME = "__Host-session" if SESSION_COOKIE_SECURE else "session"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
if _public.scheme == "https":
    SECURE_HSTS_SECONDS = 365 * 86400
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "media-src": [SELF],
        "manifest-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

AUTH_USER_MODEL = "crm.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "today"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "crm.accounts.StaffAdapter"
ACCOUNT_FORMS = {"login": "crm.accounts.LoginForm"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300  # seconds: what crm.step_up asks of an export, an erasure, a sealed record
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = "Stammkunde"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LOOPBACK

LANGUAGE_CODE = "de"
LANGUAGES = [("de", _("German")), ("en", _("English"))]
# The second one: formal German for what django-allauth says informally.
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "locale" / "allauth"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = True
FORMAT_MODULE_PATH = ["crm.formats"]

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static-collected"
# Files are served from there once they have been collected; collecting them writes the names they are served under.
_collected = STATIC_ROOT.exists() or "collectstatic" in sys.argv
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _collected
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not _collected
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["crm.api.keys.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["crm.api.keys.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["crm.api.json.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["crm.api.json.JsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "crm.api.json.JsonNegotiation",
    "DEFAULT_SCHEMA_CLASS": "crm.api.errors.ErrorsSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
_documented = ["400", "401", "403", "404", "405", "406", "415", "500"]
DRF_STANDARDIZED_ERRORS = {
    "ALLOWED_ERROR_STATUS_CODES": _documented,
    "ERROR_SCHEMAS": {code: "crm.api.errors.ErrorsShape" for code in (*_documented, "409", "413", "422", "429")},
}
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # an address is personal data
SPECTACULAR_SETTINGS = {
    "TITLE": "Stammkunde",
    "VERSION": "1",
    "DESCRIPTION": "Sync shop data and read what follows from it. Batches answer row by row.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": None,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
}

if env.str("ANYMAIL_ESP", ""):
    EMAIL_BACKEND = f"anymail.backends.{env.str('ANYMAIL_ESP')}.EmailBackend"
    ANYMAIL = {
        k.removeprefix("ANYMAIL_"): v for k, v in env.ENVIRON.items() if k.startswith("ANYMAIL_") and k != "ANYMAIL_ESP"
    }
    # Not every provider signs its reports, so all of them have to bring a user and a password.
    ANYMAIL["WEBHOOK_SECRET"] = env.list("ANYMAIL_WEBHOOK_SECRET", default=[])
    if not ANYMAIL["WEBHOOK_SECRET"] or any(
        len(one) < 32 or not all(one.partition(":")) for one in ANYMAIL["WEBHOOK_SECRET"]
    ):
        refuse(
            "ANYMAIL_WEBHOOK_SECRET",
            "without user:password of at least 32 characters, anybody could report mails as returned.",
            f"Such as mail:{secrets.token_urlsafe(32)}",
        )
else:
    vars().update(env.email("EMAIL_URL", default="smtp://127.0.0.1:1025"))
EMAIL_TIMEOUT = 60
# For the look at mail authentication: selectors of the DKIM keys, and other DNS servers (host:port) than the machine's.
DKIM_SELECTORS = env.list("DKIM_SELECTORS", default=[])
DNS_SERVERS = env.list("DNS_SERVERS", default=[])
BOUNCE_ADDRESS = bounce_address("BOUNCE_ADDRESS")
BOUNCE_MAILBOX = bounce_mailbox("BOUNCE_MAILBOX")
SEND_LEASE_S = seconds("SEND_LEASE_S", 60, 1)
SEND_GRACE_S = seconds("SEND_GRACE_S", 900, 0)

CELERY = {
    "broker_url": REDIS_URL,
    "result_backend": None,
    "task_ignore_result": True,
    "task_acks_late": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "worker_prefetch_multiplier": 1,
    # A broker that is away, however long and whatever it says when it is back, never ends a worker.
    "broker_connection_retry": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_channel_error_retry": True,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_transport_options": {"visibility_timeout": 300},
    "result_backend_transport_options": {"visibility_timeout": 300},
    "visibility_timeout": 300,
    "timezone": "UTC",
    "task_default_queue": "stammkunde",
}
