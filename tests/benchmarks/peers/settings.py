"""As `startproject` writes them, on the product's own database settings: as durable, as quick."""

import os

from hubadmin.env import database_from

PEER = os.environ["PEER"]
HUBSPOT_URL = os.environ["HUBSPOT_URL"]
HUBSPOT_TOKEN = "sandbox"

SECRET_KEY = "benchmarks-only"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "tests.benchmarks.peers.urls"
LOGIN_URL = "/admin/login/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

TEST_FILE = os.environ["TEST_FILE"]
DATABASES = {
    "default": database_from(os.environ.get("TEST_DATABASE_URL", f"sqlite:///{TEST_FILE}"))
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": TEST_FILE}
# The tables as the models have them: there is nothing here to migrate from.
MIGRATION_MODULES = dict.fromkeys(["auth", "contenttypes", "sessions", "auditlog"])

ADDED_APPS = {"auditlog": ["auditlog"], "simple_history": ["simple_history"]}
ADDED_MIDDLEWARE = {
    "auditlog": ["auditlog.middleware.AuditlogMiddleware"],
    "simple_history": ["simple_history.middleware.HistoryRequestMiddleware"],
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    *ADDED_APPS.get(PEER, []),
    "tests.benchmarks.peers",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    *ADDED_MIDDLEWARE.get(PEER, []),
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "/static/"
