"""The demo's stand-in for company SSO: choose who you are. It exists in the demo only."""

from typing import TypedDict

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from hubadmin.models import User
from hubadmin.sso import sessions
from hubadmin.sso.common import record_sign_in
from hubadmin.sso.responses import safe_next
from hubadmin.sso.users import provision


class Person(TypedDict):
    name: str
    email: str
    groups: list[str]


PEOPLE: dict[str, Person] = {
    "support": {"name": "Mina Sato", "email": "mina@example.com", "groups": ["support"]},
    "admin": {"name": "Noah Berg", "email": "noah@example.com", "groups": ["admin"]},
}


def provision_person(person: str, request: HttpRequest | None = None) -> User:
    return provision(request, issuer="demo", subject=person, **PEOPLE[person])


@require_http_methods(["GET", "HEAD", "POST"])
@login_not_required
def sign_in(request: HttpRequest) -> HttpResponse:
    if not settings.DEMO or request.META["REMOTE_ADDR"] not in ("127.0.0.1", "::1"):
        raise PermissionDenied
    next_page = safe_next(request, request.POST.get("next", request.GET.get("next", "")))
    if request.method == "POST" and (person := request.POST.get("person")) in PEOPLE:
        user = provision_person(person, request)
        record_sign_in(request, user)
        sessions.start(request, user)
        return redirect(next_page)
    status = 400 if request.method == "POST" else 200
    context = {"people": PEOPLE, "next": next_page}
    return render(request, "demo/sign_in.html", context, status=status)
