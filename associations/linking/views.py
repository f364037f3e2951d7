"""Pages of the one flow: the form, its preview, the answer, one's own requests."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from associations.audit import recorder
from associations.audit.entry_details import support_bundle, timeline
from associations.audit.integrity.names import erased_on
from associations.audit.recorder import ENTRY_BODY_LENGTH, LogUnavailableError, request_meta
from associations.audit.throttling import ThrottledError
from associations.finding.finder import Found
from associations.gateway import rate_limiter
from associations.gateway.account import form_options, offered_to
from associations.hubspot.record_references import SIDES
from associations.linking import services
from associations.linking.after import (
    REPEATED,
    address_after,
    fields_of_rest,
    latest_of,
    status_of,
    together_url,
)
from associations.linking.boxes import Answer, boxes_of, find_side, find_unknown, understood
from associations.linking.forms import AssociationForm, fields_of
from associations.linking.opening import note_as_sent, opened
from associations.linking.preview import Preview, preview, records_of
from associations.linking.seen import FIELD, PAIR_FIELD, seen_in
from associations.linking.several import Sent, Stop, create_associations
from associations.linking.sides import sides_of
from associations.linking.undo import undo_context
from associations.models import AssociationRequest
from associations.models.readable import read_rows, readable_or_404
from associations.texts.lookup_errors import looks_used_up, reasons_of
from associations.texts.outcomes import explain
from associations.texts.remedies import TRY, advice_on
from hubadmin.web import drafts
from hubadmin.web.access import is_still_in, watch
from hubadmin.web.addresses import words_in_address
from hubadmin.web.http import AuthenticatedHttpRequest, admin_required

if TYPE_CHECKING:
    from hubadmin.models import User


# In an address the fields go by these names as well, and take what the boxes take.
BY_ADDRESS = {name: name for name in AssociationForm.TYPED_FIELDS} | {
    "from": "from_object_id",
    "to": "to_object_id",
}
CHECK = "check"  # the button that only shows what would be linked, for browsers without script
REFRESH_SECONDS = 3
OF_THE_PAIR = 5  # earlier and later entries, each
CHECKS_SHOWN = 20
DETAILS = "entry-details"  # the cookie of who wants them open
DETAILS_SECONDS = 365 * 24 * 60 * 60


@words_in_address(BY_ADDRESS)
@drafts.kept(*AssociationForm.TYPED_FIELDS, "submit_token")
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: AuthenticatedHttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _submit(request)
    if "new" in request.GET:
        drafts.drop(request)
    recorder.close_abandoned_now_and_then()
    form, facts = opened(request, _options(request.user))
    return _page(request, form, **facts)


def _submit(request: AuthenticatedHttpRequest) -> HttpResponse:
    form = AssociationForm(request.POST, **_options(request.user))
    if CHECK in request.POST or not (form.is_valid() and form.is_as_named()):
        return _looked_over(request, form)
    sent = create_associations(
        user=request.user,
        associations=form.associations(),
        meta=request_meta(request),
        seen=seen_in(request.POST.getlist(FIELD)),
        is_still_in=watch(partial(is_still_in, request)),
        pair_token=request.POST.get(PAIR_FIELD, ""),
    )
    if not sent.entries:
        return _nothing_sent(request, form, sent)
    response = _rest(request, sent) if sent.left else redirect(address_after(sent))
    note_as_sent(request, response, form.cleaned_data["submit_token"])
    return response


def _nothing_sent(
    request: AuthenticatedHttpRequest, form: AssociationForm, sent: Sent
) -> HttpResponse:
    if isinstance(sent.stop, ThrottledError):
        return _too_many(request, form, sent.stop.wait_seconds)
    return _page(request, form, status=503, notice="log_unavailable")


def _rest(request: AuthenticatedHttpRequest, sent: Sent) -> HttpResponse:
    """What was not sent, in the form again, with the same one-time token."""
    if sent.stop == Stop.LEFT:
        return redirect(address_after(sent))
    fields = fields_of_rest(sent)
    rest = AssociationForm.prefilled(fields, fields["submit_token"], **_options(request.user))
    facts: dict[str, Any] = {"sent": sent, "together_url": together_url(sent.entries)}
    response = _page(request, rest, status=status_of(sent), notice="not_all_sent", **facts)
    if isinstance(sent.stop, ThrottledError):
        response["Retry-After"] = str(sent.stop.wait_seconds)
    return response


def _looked_over(request: AuthenticatedHttpRequest, form: AssociationForm) -> HttpResponse:
    """The form with what was posted: found records as cards, or to be chosen among.

    Nothing is sent, not even where all could be understood: nobody has seen the records yet.
    """
    is_looked_up = CHECK in request.POST
    found = find_unknown(form, user=request.user, meta=request_meta(request))
    unknown = {side: each for side, each in found.items() if not each.chosen}
    fields, options = understood(form, found), _options(request.user)
    form = AssociationForm(fields, found=unknown, is_looked_up=is_looked_up, **options)
    notice = "" if is_looked_up or form.errors else "found"
    is_seen = is_looked_up or found or not form.errors
    shown = preview_context(form, request.user) if is_seen else {}
    shown["typed"] = {side: each.typed for side, each in found.items()}
    status = 422 if form.errors else 200
    return _page(request, form, status=status, notice=notice, found=unknown, **shown)


def _options(user: "User") -> dict[str, Any]:
    """What the form has to know of the account, and of the types that this person uses."""
    options = form_options()
    return options | {"offered": offered_to(user, options["types"])}


def _too_many(
    request: AuthenticatedHttpRequest, form: AssociationForm, wait_seconds: int
) -> HttpResponse:
    limit = settings.SUBMITS_PER_PERSON_PER_MINUTE
    facts: dict[str, Any] = {"wait_seconds": wait_seconds, "submits_per_minute": limit}
    response = _page(request, form, status=429, notice="too_many_submits", **facts)
    response["Retry-After"] = str(wait_seconds)
    return response


def _page(
    request: AuthenticatedHttpRequest,
    form: AssociationForm,
    *,
    status: int = 200,
    notice: str = "",
    found: Mapping[str, Found] | None = None,
    **facts: Any,
) -> HttpResponse:
    if not (notice or form.errors):
        form.focus_first_empty()
    context = facts | {
        "form": form,
        "boxes": boxes_of(
            form, preview=facts.get("preview"), found=found, typed=facts.get("typed")
        ),
        "notice": notice,
        **latest_of(request.user),
    }
    return render(request, "linking/link.html", context, status=status)


@drafts.kept(*AssociationForm.TYPED_FIELDS, "submit_token", for_page="link")
@require_POST
def link_find(request: AuthenticatedHttpRequest) -> HttpResponse:
    """What the text in one box means, for the script of the form. Asked by POST: it is personal."""
    form, side = AssociationForm(request.POST, **_options(request.user)), request.POST.get("side")
    if side not in SIDES or "HX-Request" not in request.headers:
        return _looked_over(request, form)
    found = find_side(form, side, user=request.user, meta=request_meta(request))
    return render(request, "linking/found.html", {"answer": Answer(side, found, form.offered)})


@drafts.kept(*AssociationForm.TYPED_FIELDS, "submit_token", for_page="link")
@require_POST
def link_preview(request: AuthenticatedHttpRequest) -> HttpResponse:
    """What HubSpot has of the records in the form's fields now: their cards, and of the two."""
    form = AssociationForm(request.POST, **_options(request.user))
    if "HX-Request" not in request.headers:
        return _looked_over(request, form)
    shown = preview_context(form, request.user)
    return render(
        request,
        "linking/previewed.html",
        shown | {"boxes": boxes_of(form, preview=shown["preview"])},
    )


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
    shown = preview(form.pair.from_, form.pair.to, form.further)
    advice = advice_on(shown.remedies, is_admin=user.is_admin)
    return {"preview": shown, "reasons": reasons_of(shown.errors), "advice": advice}


@require_safe
def request_records(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """An entry's two records once more, with what HubSpot calls them now."""
    entry = _entry(request, pk)
    if wait := rate_limiter.look_wait(request.user.pk):
        context = {"sides": sides_of(entry), "bound": looks_used_up(wait)}
    else:
        context = {"sides": sides_of(entry, records_of(entry))}
    return render(request, "linking/records.html", context)


@require_safe
def request_detail(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """One entry as a person wants it; while it is under way the page refreshes itself."""
    recorder.close_abandoned_now_and_then()
    return _entry_page(request, _entry(request, pk))


@require_http_methods(["GET", "HEAD", "POST"])
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


@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def request_details(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """Remember on this browser whether the details of entries are open; back to the entry.

    Whoever had to sign in first comes back by a GET, which leads there as well.
    """
    response = redirect(_entry(request, pk))
    if request.method == "POST":
        is_open = "open" in request.POST
        kept = ("open", DETAILS_SECONDS) if is_open else ("", 0)
        is_secure = settings.SESSION_COOKIE_SECURE  # the demo speaks plain HTTP
        response.set_cookie(DETAILS, *kept, secure=is_secure, httponly=True, samesite="Lax")
    return response


@require_safe
@admin_required
def request_bundle(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """What HubSpot's support needs of one entry, as a file."""
    entry = readable_or_404(AssociationRequest.objects.all(), pk)
    recorder.record_download(request, "support-bundle.txt", entry=entry.pk)
    text = support_bundle(entry, settings.HUBSPOT_API_BASE_URL)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="hubadmin-entry-{pk}.txt"'
    return response


def _entry(request: AuthenticatedHttpRequest, pk: int) -> AssociationRequest:
    entries = AssociationRequest.objects.visible_to(request.user).select_related("names")
    return readable_or_404(entries, pk)


def _entry_page(
    request: AuthenticatedHttpRequest, entry: AssociationRequest, *, status: int = 200, **facts: Any
) -> HttpResponse:
    context = facts | {
        "entry": entry,
        "sides": sides_of(entry),
        "explanation": explain(entry, is_admin=request.user.is_admin),
        "attempts": entry.read_attempts,
        "batch": entry.read_batch,
        "checks": read_rows(entry.checks.reverse()[:CHECKS_SHOWN]),
        "is_just_checked": "checked" in request.GET,
        "body_cut": len(entry.body) == ENTRY_BODY_LENGTH,
        "anew": _anew(request, entry),
        **undo_context(entry, request.user),
        "erased": erased_on(entry) if entry.lacks_a_name else {},
    }
    if request.user.is_admin:
        context |= _for_admins(entry)
        context["details_open"] = request.COOKIES.get(DETAILS) == "open"
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
