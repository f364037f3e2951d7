from django.urls import path, register_converter
from django.urls.converters import IntConverter, StringConverter

from associations.audit.exports_ import CONTENT_TYPES, export, exports
from associations.audit.integrity.views import integrity, seals
from associations.audit.views import audit_figures, audit_log, record_log
from associations.bulk.bulk_actions import (
    bulk_cancel,
    bulk_discard,
    bulk_go_on,
    bulk_pause,
    bulk_retry,
    bulk_start,
)
from associations.bulk.bulk_files import bulk_bad_rows, bulk_results
from associations.bulk.bulk_run import bulk_progress, bulk_run
from associations.bulk.views import bulk_runs, bulk_template
from associations.linking.preview_ import link_preview, request_records
from associations.linking.requests import my_requests, request_bundle, request_check, request_detail
from associations.linking.views import link
from associations.status.views import status, status_times


class EntryIdConverter(IntConverter):
    """No more digits than a database takes for an id."""

    regex = "[0-9]{1,18}"


class RunIdConverter(EntryIdConverter):
    """The same for a bulk run."""


class FileFormatConverter(StringConverter):
    regex = "|".join(CONTENT_TYPES)


register_converter(EntryIdConverter, "entry_id")
register_converter(RunIdConverter, "run_id")
register_converter(FileFormatConverter, "file_format")

urlpatterns = [
    path("", link, name="link"),
    path("preview/", link_preview, name="link_preview"),
    path("requests/", my_requests, name="my_requests"),
    path("requests/<entry_id:pk>/", request_detail, name="request"),
    path("requests/<entry_id:pk>/check/", request_check, name="request_check"),
    path("requests/<entry_id:pk>/records/", request_records, name="request_records"),
    path("requests/<entry_id:pk>/support-bundle.txt", request_bundle, name="request_bundle"),
    path("bulk/", bulk_runs, name="bulk_runs"),
    path("bulk/template.csv", bulk_template, name="bulk_template"),
    path("bulk/<run_id:pk>/", bulk_run, name="bulk_run"),
    path("bulk/<run_id:pk>/progress/", bulk_progress, name="bulk_progress"),
    path("bulk/<run_id:pk>/start/", bulk_start, name="bulk_start"),
    path("bulk/<run_id:pk>/pause/", bulk_pause, name="bulk_pause"),
    path("bulk/<run_id:pk>/go-on/", bulk_go_on, name="bulk_go_on"),
    path("bulk/<run_id:pk>/cancel/", bulk_cancel, name="bulk_cancel"),
    path("bulk/<run_id:pk>/discard/", bulk_discard, name="bulk_discard"),
    path("bulk/<run_id:pk>/retry/", bulk_retry, name="bulk_retry"),
    path("bulk/<run_id:pk>/bad-rows.csv", bulk_bad_rows, name="bulk_bad_rows"),
    path("bulk/<run_id:pk>/results.csv", bulk_results, name="bulk_results"),
    path("audit/", audit_log, name="audit_log"),
    path("audit/figures/", audit_figures, name="audit_figures"),
    path("audit/records/<str:object_type>/<str:object_id>/", record_log, name="record_log"),
    path("audit/export.<file_format:file_format>", export, name="export"),
    path("audit/exports/", exports, name="exports"),
    path("audit/integrity/", integrity, name="integrity"),
    path("audit/integrity/seals.jsonl", seals, name="seals"),
    path("status/", status, name="status"),
    path("status/times/", status_times, name="status_times"),
]
