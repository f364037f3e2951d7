"""Pages of the one flow: the form, its preview, the answer, one's own requests."""

from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import Error as DBError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import trigger_client_event

from associations.audit import recorder
from associations.audit.entry_details import support_bundle, timeline
from associations.audit.pagination import page_context
from associations.audit.recorder import ENTRY_BODY_LENGTH, LogUnavailableError, request_meta
from associations.gateway import rate_limiter
from associations.gateway.account import form_options, offered_to
from associations.linking import services
from associations.linking.forms import AssociationForm, fields_of
from associations.linking.preview import Preview, preview, records_of
from associations.linking.throttling import ThrottledError
from associations.models import AssociationRequest
from associations.models.readable import UnreadableRow, read_rows, readable_or_404
from associations.texts.lookup_errors import looks_used_up, reasons_of
from associations.texts.outcomes import explain
from associations.texts.remedies import TRY, advice_on
from hubadmin.web import drafts
from hubadmin.web.access import is_still_in, watch
from hubadmin.web.http import AuthenticatedHttpRequest, admin_required
from hubadmin.web.sessions import change_now

if TYPE_CHECKING:
    from hubadmin.models import User


FILLED = "filled"
LATEST = 6
REPEATED = "repeated"  # leads to an entry from a submit that was sent, and ended, before
CHECK = "check"  # the button that only shows what would be linked, for browsers without script
REFRESH_SECONDS = 3
_SENT = "sent_token"
OF_THE_PAIR = 5  # earlier and later entries, each
CHECKS_SHOWN = 20


@drafts.kept(*AssociationForm.TYPED_FIELDS, "submit_token")
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: AuthenticatedHttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _submit(request)
    if "new" in request.GET:
        drafts.drop(request)
    recorder.close_abandoned()
    # An address with fields of its own goes before what was left behind.
    has_fields = any(name in request.GET for name in AssociationForm.TYPED_FIELDS)
    draft = None if has_fields else drafts.find(request)
    options = form_options()
    if draft is None:
        token = _sent_token(request)
        return _page(request, AssociationForm.prefilled(request.GET, token, **options))
    fields, why = draft
    token = fields.get("submit_token", "")
    return _page(request, AssociationForm.prefilled(fields, token, **options), notice=why)


def _submit(request: AuthenticatedHttpRequest) -> HttpResponse:
    options = form_options()
    form = AssociationForm(request.POST, **options)
    if not form.is_valid():
        checked = preview_context(form, request.user) if CHECK in request.POST else {}
        return _page(request, form, status=422, **checked)
    if CHECK in request.POST:
        checked = preview_context(form, request.user)
        return _page(request, _as_understood(form, options), **checked)
    try:
        entry = services.create_association(
            user=request.user,
            meta=request_meta(request),
            is_still_in=watch(partial(is_still_in, request)),
            **form.association(),
        )
    except LogUnavailableError:
        return _page(request, form, status=503, notice="log_unavailable")
    except ThrottledError as error:
        return _too_many(request, form, error.wait_seconds)
    except services.SentBeforeError as error:
        drafts.drop(request)
        return redirect(f"{error.entry.get_absolute_url()}?{REPEATED}")
    drafts.drop(request)
    change_now(request, lambda session: session.update({_SENT: form.cleaned_data["submit_token"]}))
    return redirect(entry)


def _sent_token(request: AuthenticatedHttpRequest) -> str:
    """Return the one-time token that was sent last, if somebody may have come here by Back.

    No browser keeps the page, but it fills in again what was typed: to send that once more is the
    same submit then, and is told as that. A visit by a click gets a fresh token. One by an address
    looks the same as Back to it, so it gets none; of browsers that do not tell each visit does.
    """
    told = request.headers
    is_click = told.get("Sec-Fetch-User") == "?1" and told.get("Sec-Fetch-Site") != "none"
    is_back = told.get("Sec-Fetch-Mode") == "navigate" and not is_click
    return request.session.get(_SENT, "") if is_back else ""


def _as_understood(form: AssociationForm, options: dict[str, Any]) -> AssociationForm:
    """The form as it was posted, with what an address stands for in place of the address."""
    fields = dict(form.data.items())
    for side, meant in form.filled().items():
        fields[f"{side}_object_type"] = meant["object_type"]
        fields[f"{side}_object_id"] = meant["object_id"]
    return AssociationForm.prefilled(fields, fields.get("submit_token", ""), **options)


def _too_many(
    request: AuthenticatedHttpRequest, form: AssociationForm, wait_seconds: int
) -> HttpResponse:
    limit = settings.SUBMITS_PER_PERSON_PER_MINUTE
    facts = {"wait_seconds": wait_seconds, "submits_per_minute": limit}
    response = _page(request, form, status=429, notice="too_many_submits", **facts)
    response["Retry-After"] = str(wait_seconds)
    return response


def _page(
    request: AuthenticatedHttpRequest,
    form: AssociationForm,
    *,
    status: int = 200,
    notice: str = "",
    **facts: Any,
) -> HttpResponse:
    context = facts | {
        "form": form,
        "notice": notice,
        "is_prefilled": any(form[name].value() for name in AssociationForm.TYPED_FIELDS),
        "latest": _latest(request.user),
        "object_types": offered_to(request.user, form.types),
    }
    return render(request, "linking/link.html", context, status=status)


def _latest(user: "User") -> list[AssociationRequest | UnreadableRow]:
    """The person's latest entries; none rather than no page if the log cannot be read."""
    try:
        return read_rows(AssociationRequest.objects.by_hand(user).for_list()[:LATEST])
    except DBError:
        return []


@drafts.kept(*AssociationForm.TYPED_FIELDS, "submit_token", for_page="link")
@require_safe
@never_cache
def link_preview(request: AuthenticatedHttpRequest) -> HttpResponse:
    """The panel, for what the form's fields hold now.

    What an address stands for goes back to the fields with it.
    """
    if "HX-Request" not in request.headers:
        return redirect(f"{reverse('link')}?{request.GET.urlencode()}")
    form = AssociationForm(request.GET, **form_options())
    response = render(request, "linking/preview.html", preview_context(form, request.user))
    return trigger_client_event(response, FILLED, form.filled())


def preview_context(form: AssociationForm, user: "User") -> dict[str, Any]:
    """What linking/preview.html shows.

    Each takes some of the calls that HubSpot allows, so nobody has them without end.
    """
    if wait := rate_limiter.look_wait(user.pk):
        return {
            "preview": Preview(),
            "reasons": [looks_used_up(wait)],
            "advice": advice_on([TRY], is_admin=user.is_admin),
        }
    shown = preview(form.pair.from_, form.pair.to)
    advice = advice_on(shown.remedies, is_admin=user.is_admin)
    return {"preview": shown, "reasons": reasons_of(shown.errors), "advice": advice}


@require_safe
@never_cache
def request_records(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """The names of an entry's two records, as HubSpot has them now."""
    entry = readable_or_404(AssociationRequest.objects.visible_to(request.user), pk)
    wait = rate_limiter.look_wait(request.user.pk)
    context = {"bound": looks_used_up(wait)} if wait else {"records": records_of(entry)}
    return render(request, "linking/records.html", context)


@require_safe
@never_cache
def request_detail(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """One entry as a person wants it; while it is under way the page refreshes itself."""
    recorder.close_abandoned()
    return _entry_page(request, _entry(request, pk))


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def request_check(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Look once more whether the records of an entry are linked.

    Whoever had to sign in first comes back by a GET, which leads to the entry.
    """
    entry = _entry(request, pk)
    if request.method != "POST" or entry.is_open:
        return redirect(entry)
    try:
        services.check_again(
            user=request.user,
            entry=entry,
            meta=request_meta(request),
            is_still_in=watch(partial(is_still_in, request)),
        )
    except LogUnavailableError:
        return _entry_page(request, entry, status=503, check_not_logged=True)
    except ThrottledError as error:
        wait = {"too_many_checks": True, "wait_seconds": error.wait_seconds}
        return _entry_page(request, entry, status=429, **wait)
    return redirect(f"{entry.get_absolute_url()}?checked")


@require_safe
@never_cache
@admin_required
def request_bundle(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """What HubSpot's support needs of one entry, as a file."""
    entry = readable_or_404(AssociationRequest.objects.all(), pk)
    recorder.record_download(request, "support-bundle.txt", entry=entry.pk)
    text = support_bundle(entry, settings.HUBSPOT_API_BASE_URL)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="hubadmin-entry-{pk}.txt"'
    return response


@require_safe
@never_cache
def my_requests(request: AuthenticatedHttpRequest) -> HttpResponse:
    recorder.close_abandoned()
    entries = AssociationRequest.objects.of(request.user).for_list()
    return render(request, "linking/my_requests.html", page_context(request, [entries]))


def _entry(request: AuthenticatedHttpRequest, pk: int) -> AssociationRequest:
    return readable_or_404(AssociationRequest.objects.visible_to(request.user), pk)


def _entry_page(
    request: AuthenticatedHttpRequest, entry: AssociationRequest, *, status: int = 200, **facts: Any
) -> HttpResponse:
    context = facts | {
        "entry": entry,
        "explanation": explain(entry, is_admin=request.user.is_admin),
        "attempts": entry.read_attempts,
        "batch": entry.read_batch,
        "checks": read_rows(entry.checks.reverse()[:CHECKS_SHOWN]),
        "is_just_checked": "checked" in request.GET,
        "body_cut": len(entry.body) == ENTRY_BODY_LENGTH,
        "anew": _anew(request, entry),
    }
    if request.user.is_admin:
        context |= _for_admins(entry)
    response = render(request, "linking/request.html", context, status=status)
    if entry.is_open:
        response["Refresh"] = f"{REFRESH_SECONDS}; url={request.path}?refresh"
    return response


def _anew(request: AuthenticatedHttpRequest, entry: AssociationRequest) -> AssociationForm | None:
    """The same request once more, with a token of its own, where it was not sent a second time."""
    is_ended = not (entry.is_open or entry.run_id)
    if REPEATED in request.GET and entry.user_id == request.user.pk and is_ended:
        return AssociationForm.prefilled(fields_of(entry))
    return None


def _for_admins(entry: AssociationRequest) -> dict[str, Any]:
    same_pair = AssociationRequest.objects.of_pair(entry).for_list()
    position = entry.created_at, entry.pk
    later = same_pair.newer_than(*position).order_by("created_at", "id")[:OF_THE_PAIR]
    bundle = support_bundle(entry, settings.HUBSPOT_API_BASE_URL)
    return {
        "timeline": timeline(entry),
        "bundle": bundle if len(bundle) <= ENTRY_BODY_LENGTH else "",
        "earlier": read_rows(same_pair.older_than(*position)[:OF_THE_PAIR]),
        "later": read_rows(later)[::-1],
    }
