"""The page of links that are not what they were when they were made."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from associations.hubspot.sanitizing import keyed
from associations.models import AssociationCheck
from associations.sweep import findings
from hubadmin.web.http import AuthenticatedHttpRequest


@require_safe
def changed(request: AuthenticatedHttpRequest) -> HttpResponse:
    return page(request)


@require_safe
def changed_alike(request: AuthenticatedHttpRequest, pk: int) -> HttpResponse:
    """All that was found together with one finding."""
    rows = findings.rows_like(request.user, finding_or_404(request, pk))
    group = {"groups": findings.shown(rows), "count": rows.count(), "first": rows.first()}
    return render(request, "sweep/alike.html", group)


def page(request: AuthenticatedHttpRequest, status: int = 200, **facts: Any) -> HttpResponse:
    told = findings.last_told()
    facts |= {
        "groups": findings.groups_for(request.user),
        "told": told,
        "counts": keyed(told.facts) if told else {},
        "days": settings.SWEEP_DAYS,
        "is_off": settings.SWEEP_QUOTA_PERCENT <= 0,
    }
    return render(request, "sweep/changed.html", facts, status=status)


def finding_or_404(request: AuthenticatedHttpRequest, pk: int) -> AssociationCheck:
    check = findings.found(request.user).filter(pk=pk).first()
    if check is None:
        raise Http404
    return check
