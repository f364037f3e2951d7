"""The settings of `manage.py demo`: plain http on loopback, two demo people, the sandbox.

The command sets the DEMO_… variables for the server it starts. Without them nothing here serves, so
that the demo's sign-in can never stand open by mistake.
"""

import os
import re
import sys
from pathlib import Path

os.environ["ENV_FILE"] = ""  # a stray .env must not lead the demo to another HubSpot
_OWN = re.compile(
    r"DATABASE_URL|WEB_(WORKERS|THREADS)|TRUSTED_PROXY_COUNT|DEBUG|(WORKER|BULK|NOTICE)_\w+"
)
for name in filter(_OWN.fullmatch, [*os.environ]):
    del os.environ[name]  # the demo has its own, whatever is exported

from hubadmin.env import database_from, env, number
from hubadmin.receivers import receivers
from hubadmin.settings import *  # noqa: F403 - settings are layered whole
from hubadmin.settings import DEMO_DIR, LOGGING

DEMO = True
DEMO_DIR = Path(env.str("DEMO_DIR", default=str(DEMO_DIR)))
IS_SERVER = "DEMO_PARENT" in os.environ  # the server learns from the command, which has the option
REAL_HUBSPOT_IN_DEMO = env.bool("DEMO_REAL_HUBSPOT") if IS_SERVER else "--real-hubspot" in sys.argv

ROOT_URLCONF = "hubadmin.demo.urls"
LOGIN_URL = "demo_sign_in"
SSO_MODE = "demo"
PROBLEMS = []
SSO_SUPPORT_GROUPS = ["support"]
SSO_ADMIN_GROUPS = ["admin"]

SECRET_KEY = env.str("DEMO_SECRET_KEY", default="")
SECRET_KEY_FALLBACKS = []
AUDIT_SIGNING_KEY = env.str("DEMO_AUDIT_KEY", default="")
AUDIT_PUBLIC_KEYS = []
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = []
TRUSTED_PROXY_COUNT = 0
SECURE_PROXY_SSL_HEADER = None
# What happened in a real account stays apart from what was only played.
DATABASE_NAME = "real-hubspot" if REAL_HUBSPOT_IN_DEMO else "hubadmin"
DATABASES = {"default": database_from(f"sqlite:///{DEMO_DIR}/{DATABASE_NAME}.sqlite3")}
TIME_ZONE = "UTC"
# To see how runs are approved.
BULK_APPROVAL_ROWS = number("DEMO_APPROVAL_ROWS", 0)

# To see who is told what, on this machine alone.
NOTICE_RECEIVERS = receivers(env.str("DEMO_NOTICE_RECEIVERS", default=""))
NOTICE_PRIVATE_RECEIVERS = [each.name for each in NOTICE_RECEIVERS]
NOTICE_SIGNING_SECRET = "of the demo, no secret"  # noqa: S105
SITE_URL, EMAIL_HOST = "http://127.0.0.1:8000", ""

# Nobody collects it, and the terminal stays readable.
LOGGING["loggers"].pop("hubadmin.audit")
LOGGING["loggers"]["hubadmin.runs"] = {"level": "ERROR"}
LOGGING["root"]["level"] = "WARNING"

# It is http on loopback: no Secure cookies, and no names that promise them.
SESSION_COOKIE_NAME = "sessionid"
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_NAME = "csrftoken"
CSRF_COOKIE_SECURE = False
LANGUAGE_COOKIE_SECURE = False
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 0
SILENCED_SYSTEM_CHECKS = [f"security.W{number:03}" for number in (4, 8, 12, 16)]

if not REAL_HUBSPOT_IN_DEMO:
    HUBSPOT_API_BASE_URL = HUBSPOT_UI_URL = env.str("DEMO_SANDBOX_URL", default="")
    HUBSPOT_ACCESS_TOKEN = "sandbox"  # noqa: S105
    HUBSPOT_API_VERSION = "v4"
    HUBSPOT_PROXY_URL = HUBSPOT_CA_BUNDLE = CA_BUNDLE = ""
    HUBSPOT_PORTAL_ID = "4242"
    HUBSPOT_CALLS_PER_10_SECONDS, HUBSPOT_CALLS_FOR_PEOPLE = 190, 40  # the sandbox takes as many
