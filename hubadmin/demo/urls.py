"""The project's addresses, and the demo's sign-in beside them."""

from django.urls import path

from hubadmin.demo.sign_in import sign_in
from hubadmin.urls import (  # noqa: F401 - the handlers are found by name
    handler400,
    handler403,
    handler404,
    handler500,
    urlpatterns,
)

urlpatterns = [path("demo/sign-in", sign_in, name="demo_sign_in"), *urlpatterns]
