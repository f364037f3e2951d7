"""The addresses of the whole project."""

from django.urls import include, path

from . import views
from .language import choose_language
from .sso import views as sso

urlpatterns = [
    path("", include("associations.urls")),
    path("sign-in", sso.sign_in, name="sign_in"),
    path("sign-in/start", sso.start_sign_in, name="start_sign_in"),
    path("sign-in/callback", sso.finish_sign_in, name="sign_in_callback"),
    path("no-access", sso.no_access, name="no_access"),
    path("sign-out", sso.sign_out, name="sign_out"),
    path("language", choose_language, name="language"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
]

handler400 = "hubadmin.views.bad_request"
handler403 = "hubadmin.views.permission_denied"
handler404 = "hubadmin.views.not_found"
handler500 = "hubadmin.views.server_error"
