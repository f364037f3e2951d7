"""/metrics, for whoever has its token."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

# By what the reader prefers; whoever names neither gets the first.
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"
FORMS = ["text/plain;version=0.0.4", OPEN_METRICS]


@require_safe
@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """How things stand and what was counted, as OpenMetrics or as Prometheus' own text."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not constant_time_compare(request.headers.get("Authorization", ""), _expected()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return _page(request.get_preferred_type(FORMS))


def _expected() -> str:
    return f"Bearer {settings.METRICS_TOKEN}"


def _page(form: str | None) -> HttpResponse:
    # Here, and not above: who has no token for it need not read any of this.
    from prometheus_client import CollectorRegistry, exposition
    from prometheus_client.openmetrics import exposition as open_metrics

    from associations.metrics.counted import CountedCollector
    from associations.metrics.state import collector

    registry = CollectorRegistry(auto_describe=False)
    for each in (collector, CountedCollector()):
        registry.register(each)
    if form == OPEN_METRICS:
        text = open_metrics.generate_latest(registry)
        content_type = open_metrics.CONTENT_TYPE_LATEST
    else:
        text = exposition.generate_latest(registry)
        content_type = exposition.CONTENT_TYPE_PLAIN_0_0_4
    return HttpResponse(text, content_type=content_type)
