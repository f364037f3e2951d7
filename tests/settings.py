"""The settings of `manage.py test`: no file, no HubSpot but the sandbox, a database of its own."""

import os

os.environ["ENV_FILE"] = ""  # a stray .env must not lead a test to a real HubSpot
os.environ.pop("DATABASE_URL", None)
for name in [name for name in os.environ if name.startswith("SSO_")]:
    del os.environ[name]  # what is exported for a server of one's own is no test's

from hubadmin.settings import *  # noqa: F403 - settings are layered whole
from hubadmin.settings import BASE_DIR, LOGGING, database_from, env

SECRET_KEY = "tests-only"
SECRET_KEY_FALLBACKS = []
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = []
TRUSTED_PROXY_COUNT = 0
SECURE_PROXY_SSL_HEADER = None
DEBUG = False
PROBLEMS = []
TIME_ZONE = "UTC"

# TEST_DATABASE_URL, and not DATABASE_URL: that one may be somebody's real database.
# A file even for SQLite: threads and other processes take part. Each run has one of its own, which
# the processes that it starts know by the environment.
TEST_FILE = os.environ.setdefault("TEST_FILE", str(BASE_DIR / f".test.sqlite3-{os.getpid()}"))
DATABASES = {"default": database_from(env.str("TEST_DATABASE_URL", f"sqlite:///{TEST_FILE}"))}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": DATABASES["default"]["NAME"]}

# Nobody listens there. A test that wants HubSpot starts a sandbox and says so.
HUBSPOT_API_BASE_URL = "http://127.0.0.1:9"
HUBSPOT_ACCESS_TOKEN = "sandbox"
HUBSPOT_API_VERSION = "v4"
HUBSPOT_PROXY_URL = HUBSPOT_CA_BUNDLE = ""
HUBSPOT_UI_URL = "https://app.hubspot.com"
HUBSPOT_PORTAL_ID = "4242"
AUDIT_SIGNING_KEY = "dGhlIHRlc3RzIHNpZ24gd2l0aCB0aGlzIG9uZSBrZXk="
AUDIT_PUBLIC_KEYS = []
AUDIT_TSA_URL = AUDIT_TSA_CA = AUDIT_TSA_SINCE = AUDIT_HEADS_FILE = ""
AUDIT_TSA_USER = AUDIT_TSA_PASSWORD = ""
SSO_MODE = "oidc"
SSO_ISSUER = "https://id.example.com"
SSO_CLIENT_ID, SSO_CLIENT_SECRET = "hubadmin", "client-secret"
SSO_DISCOVERY_URL = "http://127.0.0.1:9/.well-known/openid-configuration"
SUBMITS_PER_PERSON_PER_MINUTE = 60
FINDS_PER_PERSON_PER_HOUR = 300
HUBSPOT_SEARCHES_PER_SECOND = 3
HUBSPOT_CALLS_PER_10_SECONDS = 0  # a test that is about the limit says so
BULK_APPROVAL_ROWS = 0
SITE_URL, NOTICE_RECEIVERS, NOTICE_PRIVATE_RECEIVERS = "", [], []
NOTICE_SIGNING_SECRET = EMAIL_HOST = EMAIL_FROM = ""
METRICS_TOKEN = ""
SSO_SUPPORT_GROUPS = ["support"]
SSO_ADMIN_GROUPS = ["admin"]

# There is no such folder. A test that wants something kept has one of its own.
SPOOL_DIR = "/dev/null/spool"

LOGGING = LOGGING | {"handlers": {"stderr": {"class": "logging.NullHandler"}}}

TEST_RUNNER = "tests.runner.Runner"
