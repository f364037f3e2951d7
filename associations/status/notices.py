"""Whether the receivers of notices get them."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Q
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from associations.models import Delivery
from associations.status.report import Item, Level, html, two_sentences
from associations.texts.labels import time_of

_WHY = {
    "no_connection": _("The last try found no connection."),
    "timed_out": _("The last try took too long."),
    "certificate": _("The last try did not trust the certificate."),
    "redirected": _("The last try was redirected, which is not followed: correct the address."),
    "inside": _("The address is within this network, which NOTICE_PRIVATE_RECEIVERS can allow."),
    "mail_password": _("The mail server did not take user and password (EMAIL_URL)."),
    "mail_refused": _("The mail server refused the last one."),
    "unusable": _("The address cannot be used."),
}
ANSWERED = "answered_"  # and the HTTP status
_IS_WAITING = Q(next_at__isnull=False)


def notice_lines() -> Iterator[Item]:
    if not settings.NOTICE_RECEIVERS:
        text = gettext("Nobody is told of what happens here: there is no receiver.")
        advice = gettext(
            "Set <code>NOTICE_RECEIVERS</code>, for example to <code>ops email "
            "ops@example.com</code>; then try it with <code>manage.py send_notices --test</code>."
        )
        yield Item(Level.WELL, text, html(advice))
        return
    found = Delivery.objects.values("receiver").annotate(
        last=Max("sent_at"),
        waiting=Count("pk", _IS_WAITING),
        failed=Count("pk", _IS_WAITING & Q(attempts__gt=0)),
        given_up=Count("pk", Q(given_up_at__isnull=False)),
        gave_up_at=Max("given_up_at"),
    )
    by_name: dict[str, Any] = {each["receiver"]: each for each in found.order_by()}
    for receiver in settings.NOTICE_RECEIVERS:
        yield _line(receiver.name, by_name.get(receiver.name))


def _line(name: str, told: dict[str, Any] | None) -> Item:
    if told is None:
        return Item(
            Level.WELL, html(gettext("Notices for {name}: none was to be sent yet."), name=name)
        )
    text = gettext("Notices for {name}: none was delivered yet.")
    if told["last"]:
        text = gettext("Notices for {name}: last delivered {moment}.")
    whole = html(text, name=name, moment=time_of(told["last"]) if told["last"] else "")
    if told["waiting"]:
        text = ngettext("{count} waits.", "{count} wait.", told["waiting"])
        whole = two_sentences(whole, text.format(count=told["waiting"]))
    if told["given_up"]:
        text = ngettext(
            "{count} was given up after three days.",
            "{count} were given up after three days.",
            told["given_up"],
        )
        whole = two_sentences(whole, text.format(count=told["given_up"]))
    is_lost = told["given_up"] and (not told["last"] or told["gave_up_at"] > told["last"])
    level = Level.WRONG if is_lost else Level.WARNING if told["failed"] else Level.WELL
    if level is Level.WELL:
        return Item(level, whole)
    advice = gettext("<code>manage.py send_notices --test {name}</code> tries it.")
    return Item(level, whole, two_sentences(why_not(_last_error(name)), html(advice, name=name)))


def _last_error(name: str) -> str:
    errors = Delivery.objects.filter(receiver=name).exclude(error="").order_by("-pk")
    return errors.values_list("error", flat=True).first() or ""


def why_not(error: str) -> str:
    """Return the sentence for why the last try failed, by its short name."""
    if error.startswith(ANSWERED):
        text = gettext("The last try was answered with HTTP {status}.")
        return html(text, status=error.removeprefix(ANSWERED))
    return str(_WHY.get(error, ""))
