from django.urls import path, register_converter
from django.urls.converters import IntConverter

from .views.link import link
from .views.requests import audit_log, my_requests, request_detail


class EntryIdConverter(IntConverter):
    """No more digits than a database takes for an id."""

    regex = "[0-9]{1,18}"


register_converter(EntryIdConverter, "entry_id")

urlpatterns = [
    path("", link, name="link"),
    path("requests/", my_requests, name="my_requests"),
    path("requests/<entry_id:pk>/", request_detail, name="request"),
    path("audit/", audit_log, name="audit_log"),
]
