from django.urls import path, register_converter
from django.urls.converters import IntConverter, StringConverter

from associations.audit.event_views import event_export, security_events
from associations.audit.integrity.views import integrity, seals
from associations.audit.views import (
    CONTENT_TYPES,
    audit_figures,
    audit_log,
    export,
    export_history,
    record_log,
)
from associations.bulk.linking_again import link_again
from associations.bulk.views import (
    bulk_approve,
    bulk_ask,
    bulk_bad_rows,
    bulk_cancel,
    bulk_choose,
    bulk_columns,
    bulk_discard,
    bulk_go_on,
    bulk_pause,
    bulk_progress,
    bulk_refuse,
    bulk_results,
    bulk_retry,
    bulk_run,
    bulk_runs,
    bulk_start,
    bulk_take_over,
    bulk_template,
    bulk_template_workbook,
    bulk_undo,
    bulk_withdraw,
)
from associations.linking.after_views import bookmarklet, link_latest, together
from associations.linking.own_views import my_requests
from associations.linking.several import MOST
from associations.linking.undo_views import request_undo
from associations.linking.views import (
    link,
    link_find,
    link_preview,
    request_bundle,
    request_check,
    request_detail,
    request_details,
    request_records,
)
from associations.metrics.views import metrics
from associations.status.views import status, status_times
from associations.sweep.views import changed, changed_alike


class EntryIdConverter(IntConverter):
    """No more digits than a database takes for an id."""

    regex = "[0-9]{1,18}"


class EntryIdsConverter(StringConverter):
    """Several of these, as many as are sent together."""

    regex = f"{EntryIdConverter.regex}(?:-{EntryIdConverter.regex}){{0,{MOST - 1}}}"


class FileFormatConverter(StringConverter):
    regex = "|".join(CONTENT_TYPES)


register_converter(EntryIdConverter, "entry_id")
register_converter(EntryIdsConverter, "entry_ids")
register_converter(FileFormatConverter, "file_format")

urlpatterns = [
    path("", link, name="link"),
    path("find/", link_find, name="link_find"),
    path("preview/", link_preview, name="link_preview"),
    path("latest/", link_latest, name="link_latest"),
    path("bookmarklet/", bookmarklet, name="bookmarklet"),
    path("requests/", my_requests, name="my_requests"),
    path("requests/together/<entry_ids:key>/", together, name="together"),
    path("requests/<entry_id:pk>/", request_detail, name="request"),
    path("requests/<entry_id:pk>/check/", request_check, name="request_check"),
    path("requests/<entry_id:pk>/undo/", request_undo, name="request_undo"),
    path("requests/<entry_id:pk>/details/", request_details, name="request_details"),
    path("requests/<entry_id:pk>/records/", request_records, name="request_records"),
    path("requests/<entry_id:pk>/support-bundle.txt", request_bundle, name="request_bundle"),
    path("changed/", changed, name="changed"),
    path("changed/<entry_id:pk>/", changed_alike, name="changed_alike"),
    path("changed/<entry_id:pk>/again/", link_again, name="changed_again"),
    path("bulk/", bulk_runs, name="bulk_runs"),
    path("bulk/template.csv", bulk_template, name="bulk_template"),
    path("bulk/template.xlsx", bulk_template_workbook, name="bulk_template_workbook"),
    path("bulk/<entry_id:pk>/", bulk_run, name="bulk_run"),
    path("bulk/<entry_id:pk>/progress/", bulk_progress, name="bulk_progress"),
    path("bulk/<entry_id:pk>/columns/", bulk_columns, name="bulk_columns"),
    path("bulk/<entry_id:pk>/choices/", bulk_choose, name="bulk_choose"),
    path("bulk/<entry_id:pk>/start/", bulk_start, name="bulk_start"),
    path("bulk/<entry_id:pk>/ask/", bulk_ask, name="bulk_ask"),
    path("bulk/<entry_id:pk>/withdraw/", bulk_withdraw, name="bulk_withdraw"),
    path("bulk/<entry_id:pk>/approve/", bulk_approve, name="bulk_approve"),
    path("bulk/<entry_id:pk>/refuse/", bulk_refuse, name="bulk_refuse"),
    path("bulk/<entry_id:pk>/pause/", bulk_pause, name="bulk_pause"),
    path("bulk/<entry_id:pk>/go-on/", bulk_go_on, name="bulk_go_on"),
    path("bulk/<entry_id:pk>/take-over/", bulk_take_over, name="bulk_take_over"),
    path("bulk/<entry_id:pk>/cancel/", bulk_cancel, name="bulk_cancel"),
    path("bulk/<entry_id:pk>/discard/", bulk_discard, name="bulk_discard"),
    path("bulk/<entry_id:pk>/retry/", bulk_retry, name="bulk_retry"),
    path("bulk/<entry_id:pk>/undo/", bulk_undo, name="bulk_undo"),
    path("bulk/<entry_id:pk>/bad-rows.csv", bulk_bad_rows, name="bulk_bad_rows"),
    path("bulk/<entry_id:pk>/results.csv", bulk_results, name="bulk_results"),
    path("audit/", audit_log, name="audit_log"),
    path("audit/figures/", audit_figures, name="audit_figures"),
    path("audit/records/<str:object_type>/<str:object_id>/", record_log, name="record_log"),
    path("audit/export.<file_format:file_format>", export, name="export"),
    path("audit/exports/", export_history, name="exports"),
    path("audit/events/", security_events, name="security_events"),
    path("audit/events.<file_format:file_format>", event_export, name="event_export"),
    path("audit/integrity/", integrity, name="integrity"),
    path("audit/integrity/seals.jsonl", seals, name="seals"),
    path("metrics", metrics, name="metrics"),
    path("status/", status, name="status"),
    path("status/times/", status_times, name="status_times"),
]
