"""Every page in every state that a demo can be brought to, in an order that lets each come about.

A new one is a line in STATES: its name, who sees it, how to get there, and words that show that
one has got there.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from playwright.sync_api import Page, Route, expect

from tests.browser.base import BrowserTestCase
from tests.browser.bulk import POLLED, archive, freeze, set_state, upload, uploaded_rows
from tests.demo import Person

Show = Callable[[BrowserTestCase, Page], object]
LOG_TABLE = "associations_associationrequest"
POSTED = {
    "from_object_type": "Contact",
    "from_object_id": "501",
    "to_object_type": "Company",
    "to_object_id": "902",
}
PAIR = tuple(POSTED.values())
REFUSED = {
    "status": "error",
    "category": "MISSING_SCOPES",
    "message": "This app hasn't been granted all required scopes to make this call.",
    "correlationId": "7c1c5b5e-2f3a-4d7c-9d26-0f5f2f4f9c11",
    "context": {"missingScopes": ["crm.objects.companies.write"]},
}
PARTLY = {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [REFUSED]}


class State(NamedTuple):
    name: str
    who: str  # a person of the demo; nobody if empty
    show: Show
    words: str


def at(address: str) -> Show:
    return lambda case, page: page.goto(address)


def filled(case: BrowserTestCase, page: Page) -> None:
    previewing(*PAIR)(case, page)
    expect(page.locator("#preview")).to_contain_text("linked")  # nothing is looked up any more


def typed(text: str, side: str = "from", kind: str = "") -> Show:
    """Type into one of the boxes, narrowed to a type if one is given."""

    def show(case: BrowserTestCase, page: Page) -> None:
        page.goto("/?new")
        page.select_option(f"#id_{side}_object_type", kind)
        page.fill(f"#id_{side}_object_id", text)

    return show


def to_choose_from(case: BrowserTestCase, page: Page) -> None:
    """Names that were sent as they are, as they can be without script."""
    page.goto("/?new")
    case.fill(page, "Tanaka", "", "Zzyzx", "")
    page.click(".link-form .primary")


def previewing(*association: str, **fault: object) -> Show:
    """Fill in two records and see what HubSpot has of them; with a fault it shows nothing."""

    def show(case: BrowserTestCase, page: Page) -> None:
        for method in ("GET", "POST") if fault else ():
            case.fault(method=method, times=None, **fault)
        page.goto("/?new")  # without what an earlier state has left typed
        case.fill(page, *association)
        page.focus("#id_reason")

    return show


def linked_already(case: BrowserTestCase, page: Page) -> None:
    case.linked_already("contacts", "501", "companies", "902")
    filled(case, page)


def foreseen(case: BrowserTestCase, page: Page) -> None:
    """A deal that may have one company, and has another one."""
    case.linked_already("deals", "701", "companies", "901")
    previewing("Deal", "701", "Company", "902")(case, page)


def checked(case: BrowserTestCase, page: Page) -> None:
    entry_of_the_strip(case, page)
    page.click("text=Check again")
    page.wait_for_url("**?checked")


def in_japanese(address: str) -> Show:
    def show(case: BrowserTestCase, page: Page) -> None:
        page.goto("/?new")
        page.click("button[lang=ja]")
        page.goto(address)

    return show


def linking(*association: str, **fault: object) -> Show:
    """Link two records, with a fault of the sandbox's if one is given."""

    def show(case: BrowserTestCase, page: Page) -> None:
        if fault:
            case.fault(**fault)
        page.goto("/?new")
        page.click("header a[href='/']")  # a visit by an address may be Back: the same submit
        case.fill(page, *(association or PAIR))
        page.click(".link-form .primary")
        page.wait_for_load_state()

    return show


def entry_of_the_strip(case: BrowserTestCase, page: Page) -> None:
    linking()(case, page)
    _strip_at_rest(page)
    page.click("text=Open the entry")


def _strip_at_rest(page: Page) -> None:
    """A click on what is just being replaced by what the look has shown goes nowhere."""
    page.wait_for_selector(".strip")
    page.wait_for_load_state("networkidle")


def undoing(company: str, *, label: str = "", then: str = "") -> Show:
    """Link a pair of its own, and go to undo it; then press what is named."""

    def show(case: BrowserTestCase, page: Page) -> None:
        linking("Contact", "503", "Company", company)(case, page)
        if label:
            case.linked_already("contacts", "503", "companies", company, label=label)
        _strip_at_rest(page)
        page.click(".strip >> text=Undo")
        if then:
            page.click(f"text={then}")
            page.wait_for_url("**/requests/*/")

    return show


def several(*also: str) -> Show:
    """Link one record to several others at once."""

    def show(case: BrowserTestCase, page: Page) -> None:
        page.goto("/?new")
        page.click("header a[href='/']")
        case.fill(page, *PAIR)
        page.click("summary >> text=Paste further records")
        page.fill("#id_also", "\n".join(also))
        page.click("text=Link records")
        page.wait_for_load_state("networkidle")

    return show


def signed_out(case: BrowserTestCase, page: Page) -> None:
    filled(case, page)
    page.context.clear_cookies(name="sessionid")
    page.click(".link-form .primary")
    page.click("button[value=support]")
    page.wait_for_url(lambda url: "sign-in" not in url)


def open_for_too_long(case: BrowserTestCase, page: Page) -> None:
    filled(case, page)
    _break_token(page, ".link-form")
    page.click(".link-form .primary")


def still_signed_in(case: BrowserTestCase, page: Page) -> None:
    page.goto("/?new")
    _break_token(page, ".person")
    page.click("text=Sign out")


def _break_token(page: Page, form: str) -> None:
    page.locator(f"{form} [name=csrfmiddlewaretoken]").evaluate("token => token.value = 'x'")


def sent_before(case: BrowserTestCase, page: Page) -> None:
    linking("Contact", "383", *PAIR[2:])(case, page)
    page.go_back()
    page.wait_for_load_state("networkidle")
    page.click(".link-form .primary")
    page.wait_for_url("**?repeated")


def under_way(case: BrowserTestCase, page: Page) -> None:
    """Somebody else is waiting for HubSpot; the page is seen before it refreshes itself."""
    case.fault(delay=3)
    somebody = Person(case.demo, "support")
    one = threading.Thread(target=somebody.post, args=["/"], kwargs=POSTED)
    one.start()
    time.sleep(0.3)
    with _no_refresh(page):
        page.goto("/requests/")
        page.locator("a.row-link").first.click()
        page.wait_for_url("**/requests/*/")
    one.join()


@contextmanager
def _no_refresh(page: Page) -> Iterator[None]:
    def fulfil(route: Route) -> None:
        answer = route.fetch()
        headers = {name: text for name, text in answer.headers.items() if name != "refresh"}
        route.fulfill(response=answer, headers=headers)

    page.route("**/requests/*/", fulfil)
    yield
    page.unroute("**/requests/*/")


def with_a_broken_log(show: Show) -> Show:
    """While the table of the log is away."""

    def broken(case: BrowserTestCase, page: Page) -> None:
        with sqlite3.connect(case.demo.folder / "hubadmin.sqlite3", isolation_level=None) as base:
            base.execute(f"ALTER TABLE {LOG_TABLE} RENAME TO moved_away")
            try:
                show(case, page)
            finally:
                base.execute(f"ALTER TABLE moved_away RENAME TO {LOG_TABLE}")

    return broken


def with_a_fault_of_ours(case: BrowserTestCase, page: Page) -> None:
    """While the database says that what hubadmin asks of it is wrong, and not that it is away."""
    with sqlite3.connect(case.demo.folder / "hubadmin.sqlite3", isolation_level=None) as base:
        base.execute(
            "CREATE TRIGGER refused BEFORE DELETE ON django_session"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
        try:
            page.goto("/")
            page.click("text=Sign out")
            page.wait_for_url("**/sign-out")
        finally:
            base.execute("DROP TRIGGER refused")


def too_quick(case: BrowserTestCase, page: Page) -> None:
    somebody = Person(case.demo, "support")
    for _ in range(60):
        somebody.post("/", **POSTED)
    page.goto("/requests/")
    while "/requests/" in page.url:  # what was sent earlier may still become a minute old
        linking()(case, page)


def upload_of_nothing(case: BrowserTestCase, page: Page) -> None:
    page.goto("/bulk/")
    page.fill("#id_from_object_type", "Contakt")
    page.click("text=Upload and check")


def columns_to_choose(case: BrowserTestCase, page: Page) -> None:
    upload(page, "Kunde;Firma;Grund;Notiz\n501;902;903;Größe\n".encode("mac-roman"))


def columns_chosen_twice(case: BrowserTestCase, page: Page) -> None:
    columns_to_choose(case, page)
    for number in (1, 2):
        page.select_option(f"#id_column_{number}", "to_object_id:companies")
    page.click("text=Check again")


def records_to_choose(case: BrowserTestCase, page: Page) -> None:
    rows = "501,Bakery,", "nobody@example.com,902,", "7000001,902,", "501,gmail.com,", "501,902,"
    upload(page, "\n".join(["Contact,Company,Reason", *rows]).encode())
    page.wait_for_selector("#choices")


def nothing_chosen(case: BrowserTestCase, page: Page) -> None:
    records_to_choose(case, page)
    page.click("text=Use these choices")


def unreadable(case: BrowserTestCase, page: Page) -> None:
    upload(page, b"%PDF-1.7")
    page.wait_for_selector("text=Choose another file")


def ready(case: BrowserTestCase, page: Page) -> None:
    case.linked_already("contacts", "1000001", "companies", "2000001")
    upload(page, uploaded_rows(good=20, bad=2, missing=2))
    page.wait_for_selector(".start .primary")


def done(case: BrowserTestCase, page: Page) -> None:
    ready(case, page)
    archive(case, "contacts", "1000007")  # deleted in HubSpot between the look and the link
    page.click(".start .primary")
    page.wait_for_selector("text=Download the results")


def to_undo(case: BrowserTestCase, page: Page) -> None:
    """What a run has linked, but for a pair that has a label by now."""
    done(case, page)
    case.linked_already("contacts", "1000003", "companies", "2000003", label="Decision maker")
    page.click("#undo")
    page.click("text=Check what can be undone")
    page.wait_for_selector("text=can be undone.")


def run_undone(case: BrowserTestCase, page: Page) -> None:
    to_undo(case, page)
    page.click(".start .primary")
    page.wait_for_selector("text=What was not undone")


def many(case: BrowserTestCase, page: Page) -> None:
    """More pairs than one person may send (`AccessibilityTests.environment`)."""
    upload(page, uploaded_rows(good=240, bad=1))
    page.wait_for_selector("#ask")


def asked(case: BrowserTestCase, page: Page) -> None:
    many(case, page)
    page.click("#ask")
    page.wait_for_selector("#withdraw")


def to_approve(case: BrowserTestCase, page: Page) -> None:
    page.goto("/bulk/?asked")
    page.locator("a.row-link").first.click()
    page.wait_for_selector("#approve")


def refused_without_a_reason(case: BrowserTestCase, page: Page) -> None:
    to_approve(case, page)
    page.click("#refuse")
    page.fill("#id_reason", " ")  # nothing at all the browser does not even send
    page.click("details.asks button")
    page.wait_for_load_state()


def not_approved(case: BrowserTestCase, page: Page) -> None:
    somebody = Person(case.demo, "admin")
    with sqlite3.connect(case.demo.folder / "hubadmin.sqlite3", isolation_level=None) as base:
        (run, event), *_ = base.execute(
            "SELECT run_id, max(id) FROM associations_securityevent"
            " WHERE what = 'run_approval_asked' GROUP BY run_id ORDER BY run_id DESC"
        )
    somebody.post(f"/bulk/{run}/refuse/", asked=event, reason="The wrong companies")
    page.goto(f"/bulk/{run}/")


def approved(case: BrowserTestCase, page: Page) -> None:
    page.unroute(POLLED)  # which a frozen run before it had stopped
    to_approve(case, page)
    page.click("#approve")
    page.wait_for_selector("text=Download the results")


def looking_for(words: str) -> Show:
    """Search one's own requests."""

    def show(case: BrowserTestCase, page: Page) -> None:
        page.goto("/requests/")
        page.fill("#id_words", words)
        page.press("#id_words", "Enter")
        page.wait_for_selector("#id_words[value]")

    return show


def frozen(state: str, **fields: object) -> Show:
    return lambda case, page: freeze(case, page, state, **fields)


def frozen_of_a_leaver(case: BrowserTestCase, page: Page) -> None:
    """The page as it is while its person may not act; who comes back after it is in again."""
    switch = "UPDATE hubadmin_user SET is_active = ? WHERE role = 'support'"
    with sqlite3.connect(case.demo.folder / "hubadmin.sqlite3", isolation_level=None) as base:
        base.execute(switch, [False])
        freeze(case, page, "paused", stop_cause="access_ended")
        base.execute(switch, [True])


def ended_meanwhile(case: BrowserTestCase, page: Page) -> None:
    set_state(case, "done", told_at=None)
    page.goto("/requests/")


def entry_of_a_run(case: BrowserTestCase, page: Page) -> None:
    page.goto("/audit/?outcome=linked")
    page.locator("a.row-link").first.click()


def by_another_name(case: BrowserTestCase, page: Page) -> None:
    """What the server says to a browser that asks for a host it does not know."""
    headers = {"Host": "elsewhere.example"}
    page.route("**/?host", lambda route: route.fulfill(response=route.fetch(headers=headers)))
    page.goto("/?host")


def too_much(case: BrowserTestCase, page: Page) -> None:
    page.goto("/?" + "&" * 1000)


def exports(case: BrowserTestCase, page: Page) -> None:
    page.request.get("/audit/export.csv?outcome=rejected")
    page.goto("/audit/exports/")


def sealed(case: BrowserTestCase, page: Page) -> None:
    """The demo seals every five seconds."""
    deadline = time.monotonic() + 15
    page.goto("/audit/integrity/")
    while not page.locator(".notice.linked").count() and time.monotonic() < deadline:
        page.wait_for_timeout(300)
        page.reload()


def in_trouble(case: BrowserTestCase, page: Page) -> None:
    """Another portal, a token without scopes, hardly a call left; for one look."""
    used = {"usageLimit": 1000, "currentUsage": 963, "resetsAt": "2026-11-24T23:00:00Z"}
    case.fault(method="GET", path="account-info/v3/details", status=403, body=REFUSED)
    case.fault(method="GET", path="daily/private-apps", status=200, body={"results": [used]})
    told = {"hubId": 777, "scopes": []}
    case.fault(method="POST", path="access-token-info", status=200, body=told)
    page.goto("/status/")


FINDING = """
INSERT INTO associations_associationcheck (entry_id, user_name, finding, checked_at, duration_ms,
    is_linked, types, cause, error_text, request_id)
SELECT id, '', ?, strftime('%Y-%m-%d %H:%M:%f', 'now'), 12, 0, '[]', '', '', ''
FROM associations_associationrequest WHERE outcome = 'linked' AND run_id IS {} NULL
ORDER BY id DESC LIMIT ?
"""


def changed(case: BrowserTestCase, page: Page) -> None:
    """As a worker finds it in the night: of the links made by hand, and those of a run."""
    with sqlite3.connect(case.demo.folder / "hubadmin.sqlite3", isolation_level=None) as base:
        base.execute(FINDING.format("NOT"), ["gone", 5])
        base.execute(FINDING.format(""), ["to_deleted", 1])
    page.goto("/changed/")


def changed_alike(case: BrowserTestCase, page: Page) -> None:
    page.goto("/changed/")
    page.locator('a.row-link[href^="/changed/"]').first.click()
    page.wait_for_url("**/changed/*/")


def newest(case: BrowserTestCase, page: Page) -> None:
    page.goto("/audit/?outcome=linked")
    page.locator("a.row-link").first.click()
    page.wait_for_url("**/requests/*/")


STATES = [
    State("sign-in of the demo", "", at("/demo/sign-in"), "Who are you"),
    State("form, empty", "support", at("/"), "What you link shows here"),
    State("my requests, empty", "support", at("/requests/"), "Every link you ask for"),
    State("audit log, empty", "admin", at("/audit/"), "Nobody has made one yet"),
    State("figures, empty", "admin", at("/audit/figures/"), "nothing to draw"),
    State("record page, empty", "admin", at("/audit/records/contacts/7/"), "Nobody has asked"),
    State("exports, empty", "admin", at("/audit/exports/"), "Nobody has taken one yet"),
    State("events", "admin", at("/audit/events/"), "signed in"),
    State("events, filtered", "admin", at("/audit/events/?what=refused"), "No event matches"),
    State("events, errors", "admin", at("/audit/events/?day=x&who=x"), "Check 2 fields"),
    State("links changed, none", "admin", at("/changed/"), "No link was looked at yet"),
    State("integrity", "admin", at("/audit/integrity/"), "Last full verification"),
    State("status, nothing linked", "admin", at("/status/"), "No request was made by itself today"),
    State("form, filled in", "support", filled, "Ada Byron"),
    State(
        "preview, merged", "support", previewing("Contact", "509", "Company", "911"), "merged into"
    ),
    State("preview, one side", "support", previewing("Contact", "501", "", ""), "Ada Byron"),
    State("preview, no type", "support", previewing(*PAIR[2:], "Product", "601"), "no default way"),
    State("preview, no record", "support", previewing("Contact", "383", *PAIR[2:]), "no record"),
    State(
        "preview, HubSpot down",
        "support",
        previewing("Contact", "520", "Company", "910", status=503),
        "link the records all the same",
    ),
    State("form, errors", "support", linking("Contact", "05", "Company", ""), "Check 2 fields"),
    State("form, exact key", "support", typed("ada@example.com"), "Ada Byron"),
    State("form, list open", "support", typed("Tanaka"), "Jun Tanaka"),
    State("form, another type", "support", typed("902", kind="contacts"), "belongs on the other"),
    State("form, nothing found", "support", typed("Zzyzx Nobody"), "up to a minute"),
    State("form, a list's address", "support", typed("/contacts/1/objects/0-1/list"), "of a list"),
    State("form, to choose from", "support", to_choose_from, "Choose one"),
    State("linked", "support", linking(), "seen in HubSpot"),
    State("linked, the entry", "support", entry_of_the_strip, "is now linked"),
    State("undo", "support", undoing("901"), "will be removed"),
    State("undo, the entry", "support", undoing("902", then="Remove the link"), "no longer linked"),
    State("undo, not alone", "support", undoing("904", label="Primary"), "in other ways"),
    State("linked, several", "support", several("903", "904"), "3 linked"),
    State("together", "support", several("903", "99999"), "2 of 3 linked"),
    State("bookmarklet", "support", at("/bookmarklet/"), "Without dragging"),
    State("form, words gone", "support", at("/?filled"), "is not kept any more"),
    State("preview, linked", "support", linked_already, "They are linked already"),
    State("preview, a foreseen refusal", "support", foreseen, "it would refuse"),
    State("checked again", "support", checked, "The records are linked."),
    State("unconfirmed", "support", linking(status=202, body={"status": "PENDING"}), "unconfirmed"),
    State(
        "unreadable",
        "support",
        linking(status=200, body="<p>", content_type="text/html"),
        "unconfirmed",
    ),
    State(
        "rejected, no such record", "support", linking("Contact", "383", *PAIR[2:]), "Check the id"
    ),
    State("rejected, no type", "support", linking(*PAIR[:2], "Product", "601"), "rejected"),
    State("rejected, scope", "support", linking(status=403, body=REFUSED), "rejected"),
    State("rejected, within a 200", "support", linking(status=200, body=PARTLY), "rejected"),
    State("sent before", "support", sent_before, "nothing was sent now"),
    State("unreachable", "support", linking(status=503, times=3), "unreachable"),
    State("unreachable, lost", "support", linking(reset="after", times=3), "unreachable"),
    State("sending", "support", under_way, "answer is awaited"),
    State("form, with the latest", "support", at("/"), "All of yours"),
    State("form, by an address", "support", at("/?from_object_id=501"), "Link two records"),
    State("my requests", "support", at("/requests/"), "rejected"),
    State("my requests, found", "support", looking_for("501"), "See all of yours"),
    State("my requests, nothing found", "support", looking_for("nobody"), "was found with"),
    State("notice: signed out", "support", signed_out, "had been signed out"),
    State("notice: page too old", "support", open_for_too_long, "open for too long"),
    State("notice: no log", "support", with_a_broken_log(linking()), "cannot be written"),
    State("signing out refused", "support", still_signed_in, "still signed in"),
    State("audit log", "admin", at("/audit/"), "Times are in"),
    State("audit log, chips", "admin", at("/audit/?outcome=rejected&range=7d"), "Clear all"),
    State("audit log, offers", "admin", at("/audit/?record=1"), "Did you mean"),
    State("audit log, search error", "admin", at("/audit/?q=https://a.hubspot.com/x"), "Search"),
    State("audit log, errors", "admin", at("/audit/?record=0a&outcome=x&status=9"), "3 fields"),
    State("audit log, nothing", "admin", at("/audit/?record=77777"), "No entry matches"),
    State("audit log, page", "admin", at("/audit/?before=1"), "No entries here"),
    State("figures", "admin", at("/audit/figures/"), "Covers all"),
    State("figures, unreadable", "admin", at("/audit/figures/?status=9"), "cannot be read"),
    State("record page", "admin", at("/audit/records/contacts/501/"), "Filter them further"),
    State("entry, for an admin", "admin", newest, "For HubSpot's support"),
    State("exports", "admin", exports, "complete"),
    State("integrity", "admin", sealed, "as it was sealed"),
    State("status", "admin", at("/status/"), "95 of 100 within"),
    State("status, in trouble", "admin", in_trouble, "96.3% are used"),
    State("answer times", "admin", at("/status/times/"), "Back to the status"),
    State("bulk runs, empty", "support", at("/bulk/"), "What you upload is listed here"),
    State("bulk runs, errors", "support", upload_of_nothing, "Check 2 fields"),
    State("run, unreadable", "support", unreadable, "This is a PDF"),
    State("run, columns to choose", "support", columns_to_choose, "What your columns mean"),
    State("run, columns, errors", "support", columns_chosen_twice, "is this already"),
    State("run, records to choose", "support", records_to_choose, "1 row needs a choice"),
    State("run, nothing chosen", "support", nothing_chosen, "Nothing is chosen yet"),
    State("run, ready", "support", ready, "Cannot be linked"),
    State("run, done", "support", done, "What is left to do"),
    State("run, to undo", "support", to_undo, "Cannot be undone"),
    State("run, undone", "support", run_undone, "links are removed"),
    State("entry of a run", "admin", entry_of_a_run, "row "),
    State("run, paused", "support", frozen("paused", linked=9), "somebody resumes it"),
    State("run, stopped", "admin", frozen("paused", stop_cause="token_refused"), "by itself"),
    State("run, left", "admin", frozen_of_a_leaver, "Take it over"),
    State("run, running", "support", frozen("running", stop_cause=""), "You may close this page"),
    State("run, reading", "support", frozen("reading", is_read=1), "Nothing is sent yet"),
    State("notice: run ended", "support", ended_meanwhile, "linked"),
    State("run, to be approved", "support", many, "An admin other than you has to approve"),
    State("run, asked for", "support", asked, "Take the request back"),
    State("notice: run to approve", "admin", at("/requests/"), "waits for approval"),
    State("bulk runs, asked for", "admin", at("/bulk/?asked"), "Only those that wait"),
    State("run, to approve", "admin", to_approve, "Approve and start"),
    State("run, to refuse, errors", "admin", refused_without_a_reason, "Say why"),
    State("run, not approved", "support", not_approved, "did not approve it"),
    State("run, asked for again", "support", asked, "You asked for approval"),
    State("run, approved", "admin", approved, "approved by"),
    State("bulk runs", "admin", at("/bulk/"), "All runs"),
    State("links changed, many", "admin", changed, "deleted or archived in HubSpot"),
    State("links changed, of one pattern", "admin", changed_alike, "Link all of them again"),
    State("403", "support", at("/audit/"), "This was not allowed"),
    State("404", "support", at("/nowhere"), "There is nothing here"),
    State("400", "support", by_another_name, "could not be understood"),
    State("413", "support", too_much, "Too much was sent"),
    State("500", "support", with_a_fault_of_ours, "Something went wrong"),
    State("503", "support", with_a_broken_log(at("/requests/")), "The database does not answer"),
    State("notice: too quick", "support", too_quick, "That was too quick"),
    State("my requests, long", "support", at("/requests/"), "Older"),
    # These last: the language stays with each of the two windows.
    State("form in Japanese", "support", in_japanese("/"), "レコード"),
    State("entry in Japanese", "admin", in_japanese("/requests/1/"), "コンタクト"),
    State("audit log in Japanese", "admin", in_japanese("/audit/"), "監査ログ"),
    State("status in Japanese", "admin", in_japanese("/status/"), "ステータス"),
]
