"""The addresses of the whole project."""

from django.urls import include, path

from hubadmin.sso import views as sso
from hubadmin.web import views
from hubadmin.web.language import choose_language

urlpatterns = [
    path("", include("associations.urls")),
    path("sign-in", sso.sign_in, name="sign_in"),
    path("sign-in/start", sso.start_sign_in, name="start_sign_in"),
    path("sign-in/callback", sso.finish_sign_in, name="sign_in_callback"),
    path("signed-in", sso.signed_in, name="signed_in"),
    path("no-access", sso.no_access, name="no_access"),
    path("sign-out", sso.sign_out, name="sign_out"),
    path("sign-out/back-channel", sso.sign_out_by_provider, name="back_channel_logout"),
    path("language", choose_language, name="language"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
]

handler400 = "hubadmin.web.views.bad_request"
handler403 = "hubadmin.web.views.permission_denied"
handler404 = "hubadmin.web.views.not_found"
handler500 = "hubadmin.web.views.server_error"
