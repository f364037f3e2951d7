"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from hubadmin.web.sending import paced

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hubadmin.settings")

application = paced(get_wsgi_application())
