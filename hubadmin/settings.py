"""Every setting, top to bottom. Each variable also stands in README's table; a test keeps it so.

Secrets are demanded when serving starts (see checks.py), not here: `test` and `migrate` need none.
"""

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF

from hubadmin.env import (
    BASE_DIR,
    database_from,
    env,
    log_level,
    mail_from,
    names,
    number,
    percent,
    secret,
    time_zone,
)
from hubadmin.env import PROBLEMS as PROBLEMS  # a setting as well: the checks tell them
from hubadmin.receivers import receivers

# Whatever a process makes (databases, archives, temporary files) is for its own account alone.
os.umask(0o077)

# --- Serving ------------------------------------------------------------------------------------

SECRET_KEY = secret("SECRET_KEY")
# Others whose signatures count as well, while the key is changed machine by machine.
SECRET_KEY_FALLBACKS = secret("SECRET_KEY_FALLBACKS").replace(",", " ").split()
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = names("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = names("CSRF_TRUSTED_ORIGINS")
# How many proxies of our own stand in front; each appends to X-Forwarded-For.
TRUSTED_PROXY_COUNT = number("TRUSTED_PROXY_COUNT", 0)

# For how long people may undo what they have linked; admins may at any time.
UNDO_HOURS = number("UNDO_HOURS", 24)
# Whom to tell of a weakness, as /.well-known/security.txt says to anybody; none: there is no such.
SECURITY_CONTACT = names("SECURITY_CONTACT")
# What one person may send, counted in the log and so by all machines together; 0 is no limit.
SUBMITS_PER_PERSON_PER_MINUTE = number("SUBMITS_PER_PERSON_PER_MINUTE", 60)
# What one person may find by words; whoever needs more wants a list, which HubSpot gives.
FINDS_PER_PERSON_PER_HOUR = number("FINDS_PER_PERSON_PER_HOUR", 300)

# Who may read /metrics, and the folder in which the processes of this machine count for it. Without
# the token there is no such page, and nothing is counted.
METRICS_TOKEN = secret("METRICS_TOKEN")
METRICS_DIR = env.str("METRICS_DIR", default=str(BASE_DIR / ".metrics"))

WEB_BIND = env.str("WEB_BIND", default="127.0.0.1:8000")
WEB_WORKERS = number("WEB_WORKERS", 2)
WEB_THREADS = number("WEB_THREADS", 32)

# Whom to trust to name a server by TLS, instead of those that certifi and the system know: for
# HubSpot, the identity provider and, where its address asks for `verify-full`, PostgreSQL.
CA_BUNDLE = env.str("CA_BUNDLE", default="")

# --- HubSpot ------------------------------------------------------------------------------------

HUBSPOT_API_BASE_URL = env.str("HUBSPOT_API_BASE_URL", default="https://api.hubapi.com")
HUBSPOT_ACCESS_TOKEN = secret("HUBSPOT_ACCESS_TOKEN")
HUBSPOT_API_VERSION = env.str("HUBSPOT_API_VERSION", default="v4")
HUBSPOT_PROXY_URL = env.str("HUBSPOT_PROXY_URL", default="")
HUBSPOT_CA_BUNDLE = env.str("HUBSPOT_CA_BUNDLE", default=CA_BUNDLE)
# Look before and after each request whether the records are linked: up to three calls more.
HUBSPOT_VERIFY = env.bool("HUBSPOT_VERIFY", default=True)
KEEP_RECORD_NAMES = env.bool("KEEP_RECORD_NAMES", default=True)
# The most calls within ten seconds, of all machines together (0: no limit is kept here); what
# HubSpot takes is learnt. So many of these no run may take from people at the form.
HUBSPOT_CALLS_PER_10_SECONDS = number("HUBSPOT_CALLS_PER_10_SECONDS", 190)
HUBSPOT_CALLS_FOR_PEOPLE = number("HUBSPOT_CALLS_FOR_PEOPLE", 40)
# HubSpot takes 5 searches a second, of this site and of whatever else searches in the account.
HUBSPOT_SEARCHES_PER_SECOND = number("HUBSPOT_SEARCHES_PER_SECOND", 3)
# Where people see records; without a portal id the pages leave these links out.
HUBSPOT_UI_URL = env.str("HUBSPOT_UI_URL", default="https://app.hubspot.com")
HUBSPOT_PORTAL_ID = env.str("HUBSPOT_PORTAL_ID", default="")

# --- People -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "hubadmin.User"
AUTHENTICATION_BACKENDS = ["hubadmin.sso.backend.SSOBackend"]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "link"

# Who says who a person is: `oidc`, `assertion` or `header`. Unset, nobody gets in.
SSO_MODE = env.str("SSO_MODE", default="")
# oidc, assertion: the issuer, to the letter. header: a name for the proxy, kept with each person.
SSO_ISSUER = env.str("SSO_ISSUER", default="")
# Groups of the identity provider that give each role; nobody gets in without one.
SSO_SUPPORT_GROUPS = names("SSO_SUPPORT_GROUPS")
SSO_ADMIN_GROUPS = names("SSO_ADMIN_GROUPS")
SSO_GROUPS_CLAIM = env.str("SSO_GROUPS_CLAIM", default="groups")
SSO_CONTACT = env.str("SSO_CONTACT", default="")
SSO_SIGN_OUT_URL = env.str("SSO_SIGN_OUT_URL", default="")

# oidc
SSO_CLIENT_ID = env.str("SSO_CLIENT_ID", default="")
SSO_CLIENT_SECRET = secret("SSO_CLIENT_SECRET")
SSO_SCOPES = env.str("SSO_SCOPES", default="openid profile email")
SSO_DISCOVERY_URL = env.str("SSO_DISCOVERY_URL", default="")
SSO_SESSION_SECONDS = number("SSO_SESSION_SECONDS", 8 * 60 * 60)
SSO_IDLE_SECONDS = number("SSO_IDLE_SECONDS", 60 * 60)
SSO_RECHECK_SECONDS = number("SSO_RECHECK_SECONDS", 15 * 60)

# assertion
SSO_ASSERTION_HEADER = env.str("SSO_ASSERTION_HEADER", default="")
SSO_AUDIENCE = env.str("SSO_AUDIENCE", default="")
SSO_KEYS_URL = env.str("SSO_KEYS_URL", default="")
SSO_ALGORITHM = env.str("SSO_ALGORITHM", default="RS256")
SSO_ALB_ARN = env.str("SSO_ALB_ARN", default="")

# header
SSO_HEADER_SECRET = secret("SSO_HEADER_SECRET")
SSO_SECRET_HEADER = env.str("SSO_SECRET_HEADER", default="X-SSO-Secret")
SSO_SUBJECT_HEADER = env.str("SSO_SUBJECT_HEADER", default="X-SSO-Subject")
SSO_EMAIL_HEADER = env.str("SSO_EMAIL_HEADER", default="X-SSO-Email")
SSO_NAME_HEADER = env.str("SSO_NAME_HEADER", default="X-SSO-Name")
SSO_GROUPS_HEADER = env.str("SSO_GROUPS_HEADER", default="X-SSO-Groups")
SSO_GROUPS_SEPARATOR = env.str("SSO_GROUPS_SEPARATOR", default=";")

# --- The audit log ------------------------------------------------------------------------------

# What seals the log signs with the first; whoever checks the seals needs only the public keys.
AUDIT_SIGNING_KEY = secret("AUDIT_SIGNING_KEY")
AUDIT_PUBLIC_KEYS = names("AUDIT_PUBLIC_KEYS")
# Where what HubSpot had answered waits while the log cannot be written; audit/spool.py says where
# else.
SPOOL_DIR = env.str("SPOOL_DIR", default="")
# A third party's time on the seals (RFC 3161): whom to ask, whom to believe, and since when.
AUDIT_TSA_URL = env.str("AUDIT_TSA_URL", default="")
AUDIT_TSA_CA = env.str("AUDIT_TSA_CA", default="")
AUDIT_TSA_SINCE = env.str("AUDIT_TSA_SINCE", default="")
AUDIT_TSA_USER = env.str("AUDIT_TSA_USER", default="")
AUDIT_TSA_PASSWORD = secret("AUDIT_TSA_PASSWORD")
# Where what seals writes the heads down, on a machine that is not the database's.
AUDIT_HEADS_FILE = env.str("AUDIT_HEADS_FILE", default="")

# --- Notices ------------------------------------------------------------------------------------

# Where this site is, as people see it: notices lead to its pages.
SITE_URL = env.str("SITE_URL", default="").rstrip("/")
NOTICE_RECEIVERS = receivers(secret("NOTICE_RECEIVERS"))
# Those that may be at an address inside: private, loopback, link-local.
NOTICE_PRIVATE_RECEIVERS = names("NOTICE_PRIVATE_RECEIVERS")
NOTICE_SIGNING_SECRET = secret("NOTICE_SIGNING_SECRET")
EMAIL_HOST = ""  # none, unless the address names one
vars().update(mail_from(secret("EMAIL_URL")))
EMAIL_TIMEOUT = 10
EMAIL_FROM = env.str("EMAIL_FROM", default="")

# --- Bulk runs ----------------------------------------------------------------------------------

# How rows go out unless somebody chooses otherwise: `batch` or `single`.
BULK_WAY = env.str("BULK_WAY", default="batch")
BULK_MAX_ROWS = number("BULK_MAX_ROWS", 100_000)
BULK_MAX_BYTES = number("BULK_MAX_BYTES", 20 * 1024 * 1024)
# After so many days what was uploaded and staged is deleted; what was sent stays in the log.
BULK_KEEP_DAYS = number("BULK_KEEP_DAYS", 7)
# A run of more pairs than that is started by somebody else than who uploaded it (0: nobody has to),
# who answers within so many hours.
BULK_APPROVAL_ROWS = number("BULK_APPROVAL_ROWS", 0)
BULK_APPROVAL_HOURS = number("BULK_APPROVAL_HOURS", 24)
# For so long a worker that says nothing is believed to be at work: longer than any call.
BULK_LEASE_SECONDS = number("BULK_LEASE_SECONDS", 60)
# A row that HubSpot does not answer, while it answers others, is given up after so long.
BULK_ROW_PATIENCE_SECONDS = number("BULK_ROW_PATIENCE_SECONDS", 300)
# Links of the last so many days are looked at once a day, by so many percent of the account's calls
# (0: they are not).
SWEEP_DAYS = number("SWEEP_DAYS", 30)
SWEEP_QUOTA_PERCENT = percent("SWEEP_QUOTA_PERCENT", 0.5)
# Processes of each `run_worker`, and where their tasks wait: in the database, or in Redis.
WORKER_PROCESSES = number("WORKER_PROCESSES", 2)
WORKER_BROKER_URL = secret("WORKER_BROKER_URL")

Q_CLUSTER = {
    "name": "hubadmin",
    "workers": WORKER_PROCESSES,
    # A task works for some seconds; the rows, not the tasks, hold what is left to do.
    "timeout": 120,
    "retry": 600,
    "queue_limit": 1,
    "ack_failures": True,
    "save_limit": -1,
    "recycle": 200,
    "poll": 0.5,
    "scheduler": False,
    "orm": "default",
    "redis": WORKER_BROKER_URL,
    "broker_class": "associations.bulk.worker."
    + ("redis_broker.RedisBroker" if WORKER_BROKER_URL else "broker.DatabaseBroker"),
}

# --- Database -----------------------------------------------------------------------------------

DATABASES = {
    "default": database_from(
        secret("DATABASE_URL") or f"sqlite:///{BASE_DIR / '.hubadmin.sqlite3'}", CA_BUNDLE
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# What HubSpot has shown, for moments, in each process. Of 300 entries, Django's own bound, a few
# people's names would push out each other's.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 5000},
    }
}

# --- The application ----------------------------------------------------------------------------

INSTALLED_APPS = [
    "hubadmin",
    "associations",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_q",
]

MIDDLEWARE = [
    "hubadmin.web.middleware.RequestLogMiddleware",
    # These four speak to the browser about every answer, so they stand around all that may answer.
    "csp.middleware.CSPMiddleware",
    "hubadmin.web.middleware.BrowserHeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "hubadmin.web.static_files.StaticFilesMiddleware",
    "hubadmin.web.middleware.NoStoreMiddleware",
    "hubadmin.web.compression.CompressionMiddleware",
    # It asks no session. Whatever answers from here on speaks the person's language.
    "hubadmin.web.language.LanguageMiddleware",
    "hubadmin.web.middleware.RequestSizeMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "hubadmin.sso.middleware.PersonMiddleware",
    "hubadmin.web.addresses.WordsInAddressMiddleware",
    "hubadmin.sso.middleware.SignInRequiredMiddleware",
    "hubadmin.web.middleware.ViewerTimeZoneMiddleware",
    "associations.audit.middleware.LogErrorMiddleware",
]

ROOT_URLCONF = "hubadmin.urls"
WSGI_APPLICATION = "hubadmin.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "hubadmin.web.context_processors.site",
                "associations.context_processors.associations",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "associations.templatetags.associations",
                "associations.templatetags.audit",
                "associations.templatetags.cells",
            ],
        },
    },
]

FORM_RENDERER = "hubadmin.web.form_renderer.FormRenderer"

STATIC_URL = "/static/"
STORAGES = {"staticfiles": {"BACKEND": "hubadmin.web.static_files.HashedNames"}}
WHITENOISE_USE_FINDERS = True  # serve from the source folders: no collectstatic step

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ja", "日本語")]  # each as its own readers call it
LOCALE_PATHS = [BASE_DIR / "associations" / "locale"]  # one catalogue for the whole project
FORMAT_MODULE_PATH = ["hubadmin.formats"]
TIME_ZONE = time_zone("TIME_ZONE", "UTC")

# --- Security -----------------------------------------------------------------------------------

SESSION_ENGINE = "hubadmin.web.sessions"
SESSION_COOKIE_NAME = "__Host-sessionid"
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_AGE = SSO_SESSION_SECONDS
CSRF_COOKIE_NAME = "__Host-csrftoken"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LANGUAGE_COOKIE_SECURE = True
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "hubadmin.web.views.csrf_failure"
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXY_COUNT else None
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "connect-src": [SELF],
        # Neither sign-in nor sign-out posts to the provider, so forms need go nowhere else.
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
# Bytes of a body; Django's own limit leaves out uploaded files and acts only once they are read.
MAX_REQUEST_BYTES = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_REQUEST_BYTES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000  # a filter may name everybody
FILE_UPLOAD_HANDLERS = [
    "hubadmin.web.uploads.InTurn",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DEFAULT_EXCEPTION_REPORTER_FILTER = "hubadmin.logging.ReporterFilter"

# --- Logs: one JSON line an event ---------------------------------------------------------------

LOG_LEVEL = log_level("LOG_LEVEL", "INFO")
# Takes tokens out of each line, whoever wrote it.
LOG_REDACTOR = "associations.hubspot.sanitizing.redact"
# Takes out of people's names what cannot be seen.
UNSEEN_REMOVER = "associations.hubspot.unseen.without_unseen"
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "hubadmin.logging.JSONFormatter"}},
    "handlers": {"stderr": {"class": "hubadmin.logging.NonBlockingHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # Django brings handlers of its own for these; every event goes one way here. `django.request`
    # repeats each 4xx that the request line already tells.
    "loggers": {
        # What a log collector is to have of the audit log, whatever else is logged.
        "hubadmin.audit": {"level": "INFO"},
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        "django.request": {"level": "ERROR"},
        # It tells of each task; what runs do is told by ours.
        "django-q": {"level": "WARNING"},
    },
}

# --- What `manage.py doctor` tries, side by side; told in this order ------------------------------

# Each is a title and a function that yields findings (hubadmin/web/doctor.py).
DOCTOR = [
    ("Settings", "hubadmin.doctor.in_settings"),
    ("Files", "hubadmin.doctor.in_files"),
    ("Database", "associations.status.doctor.database"),
    ("Audit log", "associations.status.doctor.audit_log"),
    ("Timestamps", "associations.status.doctor.timestamps"),
    ("Bulk runs", "associations.status.doctor.bulk_runs"),
    ("Redis", "associations.status.doctor.tasks_in_redis"),
    ("HubSpot", "associations.status.doctor.hubspot"),
    ("Sign-in", "hubadmin.sso.doctor.look"),
    ("Notices", "associations.notices.doctor.receivers"),
]
# What `manage.py setup` finds out of itself: settings, and why not all of them.
SETUP_FINDS = "associations.status.doctor.account_settings"

# --- Ours ---------------------------------------------------------------------------------------

DEMO = False
DEMO_DIR: Path = BASE_DIR / ".demo"
REAL_HUBSPOT_IN_DEMO = False
