"""What HubSpot shows, read into types: from the sandbox, and from whatever else may come."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest import TestCase, mock

from django.test import tag
from hypothesis import given, settings
from hypothesis import strategies as st

from associations.hubspot import lookups
from associations.hubspot.client import HubSpotClient, Limits, ReadError
from associations.hubspot.outcomes import Cause
from associations.hubspot.schemas import AssociationType, LinkedRecord, Record
from hubadmin.demo.sandbox import SANDBOX_TOKEN, Sandbox

PAIR = ("contacts", "501", "companies", "902")
DEFAULT = AssociationType("HUBSPOT_DEFINED", 279, "")


def find_link(
    client: HubSpotClient, one: str, one_id: str, other: str, other_id: str
) -> LinkedRecord | None:
    links = lookups.links_between(client, one, one_id, other, other_id)
    return lookups.link_in(links, (one_id, other_id))


LINKED_SOMEHOW = {"results": [{"from": {"id": "501"}, "to": [{"toObjectId": 902}]}]}


@tag("one_database")
class LookupTestCase(TestCase):
    version = "v4"
    sandbox_version: str | None = None

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.sandbox = cls.enterClassContext(Sandbox(version=cls.sandbox_version))

    def setUp(self) -> None:
        self.sandbox.reset()
        self.client = self.client_of(SANDBOX_TOKEN)

    def client_of(self, token: str) -> HubSpotClient:
        limits = Limits(connect=1, read=1, total=2, attempts=3, pause=0.01)
        return HubSpotClient(
            base_url=self.sandbox.url, token=token, api_version=self.version, limits=limits
        )

    def cause_of(self, look: Any, *arguments: Any) -> Cause:
        with self.assertRaises(ReadError) as caught:
            look(self.client, *arguments)
        return caught.exception.cause


class RecordTests(LookupTestCase):
    def test_each_kind_by_what_people_know_it_by(self) -> None:
        for object_type, object_id, display, name, detail in (
            ("contacts", "501", "", "Ada Byron", "ada@example.com · London · 2026-01-17"),
            ("companies", "902", "", "Analytical Ltd", "analytical.example · Bristol"),
            ("deals", "701", "", "Annual licence", "qualified · default · 1500"),
            ("tickets", "801", "", "Invoice shows the wrong address", "2026-03-02"),
            ("2-4001", "41", "name", "Van Alpha", ""),
            ("2-4001", "41", "", "", ""),
        ):
            with self.subTest(object_type, display=display):
                found = lookups.find_record(self.client, object_type, object_id, display)
                self.assertEqual(found, Record(object_id, name, detail))

    def test_one_that_is_not_there(self) -> None:
        self.assertIsNone(lookups.find_record(self.client, "contacts", "9"))

    def test_several_at_once_and_those_that_are_there(self) -> None:
        found = lookups.find_records(self.client, "companies", ["901", "9", "902"])
        self.assertEqual([*found], ["901", "902"])
        self.assertEqual(found["901"].name, "Harbour Foods")

    def test_what_was_merged_comes_under_its_own_id(self) -> None:
        body = {"results": [{"id": "601", "properties": {"firstname": "Ada", "lastname": None}}]}
        self.sandbox.fault(method="POST", status=200, body=body)
        self.assertEqual(lookups.find_record(self.client, "contacts", "501"), Record("601", "Ada"))

    def test_an_answer_that_leaves_it_open_does_not_say_that_it_is_missing(self) -> None:
        body = {"results": [], "errors": [{"category": "INTERNAL"}], "numErrors": 1}
        self.sandbox.fault(method="POST", status=207, body=body)
        self.assertEqual(self.cause_of(lookups.find_record, "contacts", "501"), Cause.UNREADABLE)


class LinkTests(LookupTestCase):
    def test_none_one_and_with_a_label(self) -> None:
        self.assertIsNone(find_link(self.client, *PAIR))
        self.sandbox.link(*PAIR)
        self.assertEqual(find_link(self.client, *PAIR), LinkedRecord("902", (DEFAULT,)))
        self.sandbox.link(*PAIR, label="Decision maker")
        found = find_link(self.client, *PAIR)
        self.assertTrue(found.is_default)
        self.assertEqual(found.labels, ["Decision maker"])

    def test_by_a_label_alone_is_not_by_the_default_type(self) -> None:
        self.sandbox.link(*PAIR, label="Decision maker")
        self.assertFalse(find_link(self.client, *PAIR).is_default)

    def test_of_one_with_more_links_than_an_answer_shows_the_other_end_is_asked(self) -> None:
        for number in range(1, 602):
            self.sandbox.link("contacts", "501", "companies", str(number))
        links = lookups.links_of(self.client, "contacts", "501", "companies")
        self.assertFalse(links.is_whole)
        shown = {each.object_id for each in links.records}
        beyond = next(str(n) for n in range(1, 602) if str(n) not in shown)
        found = find_link(self.client, "contacts", "501", "companies", beyond)
        self.assertEqual(found.object_id, beyond)
        self.assertIsNone(find_link(self.client, "contacts", "501", "companies", "9999"))

    def test_where_both_have_so_many_nobody_knows(self) -> None:
        for number in range(1, 602):
            self.sandbox.link("contacts", "501", "companies", str(number))
            self.sandbox.link("contacts", str(7000 + number), "companies", "9999")
        pair = ("contacts", "501", "companies", "9999")
        self.assertEqual(self.cause_of(find_link, *pair), Cause.NOT_SHOWN)

    def test_an_empty_answer_with_another_error_does_not_say_that_there_is_none(self) -> None:
        body = {"results": [], "errors": [{"category": "INTERNAL"}]}
        self.sandbox.fault(method="POST", status=207, body=body)
        self.assertEqual(self.cause_of(find_link, *PAIR), Cause.UNREADABLE)


class MergedTests(LookupTestCase):
    def ids(self, *asked: str, **options: Any) -> dict[str, str]:
        return lookups.current_ids(self.client, "companies", asked, **options)

    def reads(self) -> int:
        return sum("objects/companies/batch" in r["path"] for r in self.sandbox.requests)

    def test_its_own_another_ones_and_none(self) -> None:
        self.sandbox.merge("companies", "902", "9902")
        self.assertEqual(self.ids("901"), {"901": "901"})
        self.assertEqual(self.ids("902"), {"902": "9902"})
        self.assertEqual(self.ids("9"), {})

    def test_of_many_those_that_were_merged_are_named_by_the_others(self) -> None:
        for old, new in (("902", "9902"), ("903", "904"), ("905", "906"), ("906", "99906")):
            self.sandbox.merge("companies", old, new)
        found = self.ids("901", "902", "903", "904", "905", "9")
        self.assertEqual(found, {"901": "901", "902": "9902", "903": "904", "904": "904",
                                 "905": "99906"})  # fmt: skip
        self.assertEqual(self.reads(), 1)

    def test_of_many_those_that_were_merged_are_asked_for_one_by_one(self) -> None:
        self.sandbox.tells_merges = False
        self.sandbox.merge("companies", "902", "9902")
        self.sandbox.merge("companies", "903", "904")
        self.sandbox.merge("companies", "905", "906")
        self.sandbox.merge("companies", "906", "99906")
        found = self.ids("901", "902", "903", "904", "905", "9")
        self.assertEqual(found, {"901": "901", "902": "9902", "903": "904", "904": "904",
                                 "905": "99906"})  # fmt: skip
        self.assertEqual(self.reads(), 4)

    def test_what_was_not_merged_is_read_a_hundred_at_once(self) -> None:
        many = [str(2_000_001 + n) for n in range(201)]
        self.assertEqual(self.ids(*many, "9"), {each: each for each in many})
        self.assertEqual(self.reads(), 3)

    def test_all_together_take_no_longer_than_they_may(self) -> None:
        self.sandbox.tells_merges = False
        self.sandbox.fault(method="POST", path="batch/read", delay=0.2, times=None)
        self.sandbox.merge("companies", "902", "9902")
        self.sandbox.merge("companies", "903", "9903")
        start = time.monotonic()
        with self.assertRaises(ReadError):
            self.ids("902", "903", seconds=0.3)
        self.assertLess(time.monotonic() - start, 3)

    def test_links_of_many_by_the_ids_that_were_asked_for(self) -> None:
        for contact in ("501", "502"):
            self.sandbox.link("contacts", contact, "companies", "902")
        self.sandbox.merge("contacts", "501", "9501")
        self.sandbox.merge("contacts", "503", "502")
        self.sandbox.merge("contacts", "504", "9504")
        asked = ["501", "502", "503", "504", "505"]
        found = lookups.links_of_many(self.client, "contacts", asked, "companies", seconds=2)
        linked = {asked for asked, links in found.items() if links.to("902")}
        self.assertEqual(linked & {*asked}, {"501", "502", "503"})
        self.assertEqual(found["504"].records, ())

    def test_links_of_many_that_were_not_merged_take_one_call(self) -> None:
        self.sandbox.link("contacts", "501", "companies", "902")
        asked = ["501", "502", "999999"]
        lookups.links_of_many(self.client, "contacts", asked, "companies", seconds=2)
        self.assertEqual(len(self.sandbox.requests), 1)


class AccountTests(LookupTestCase):
    def test_association_types(self) -> None:
        found = lookups.association_types(self.client, "contacts", "companies")
        self.assertIn(DEFAULT, found)
        self.assertIn("Primary", [each.label for each in found])
        self.assertEqual(lookups.association_types(self.client, "companies", "2-4002"), [])

    def test_custom_types_with_the_accounts_own_labels(self) -> None:
        found = {each.object_type.canonical: each for each in lookups.custom_types(self.client)}
        self.assertEqual(found["2-4001"].object_type.label, "Car")
        self.assertEqual(found["2-4002"].object_type.plural, "Property viewings")
        self.assertEqual(found["2-4002"].display_property, "address")

    def test_the_account_its_usage_and_what_is_switched_off(self) -> None:
        self.assertEqual(lookups.account(self.client).portal_id, "4242")
        self.assertEqual(lookups.account(self.client).time_zone, "Europe/Berlin")
        self.assertEqual(lookups.usage(self.client).limit, 625_000)
        self.assertIn("0-410", lookups.types_not_enabled(self.client))


class DatedVersionTests(LinkTests, RecordTests, AccountTests):
    """The same by the paths of a dated version, where there are no others."""

    version = sandbox_version = "2026-09"


TOKEN_INFO = "/oauth/v2/private-apps/get/access-token-info"
ACCOUNT_LOOKS = {
    lookups.account: "/account-info/{}/details",
    lookups.custom_types: "/crm-object-schemas/{}/schemas",
    lookups.types_not_enabled: "/crm/object-library/{}/enablement",
    lookups.usage: "/account-info/{}/api-usage/daily/private-apps",
}


class TwinTests(LookupTestCase):
    """With a dated version no look goes by a path of another one, but that at the token."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(setattr, self, "version", "v4")

    def of_version(self, version: str) -> None:
        self.version = version
        self.sandbox.reset()
        self.client = self.client_of(SANDBOX_TOKEN)

    def paths(self) -> list[str]:
        return [request["path"] for request in self.sandbox.requests]

    def test_every_look(self) -> None:
        for version in ("2026-03", "2026-09"):
            self.of_version(version)
            for look, *arguments in (
                *((look,) for look in ACCOUNT_LOOKS),
                (lookups.token_scopes,),
                (lookups.find_record, "contacts", "501"),
                (find_link, *PAIR),
                (lookups.association_types, "contacts", "companies"),
            ):
                with suppress(ReadError):
                    look(self.client, *arguments)
            with self.subTest(version):
                others = [path for path in self.paths() if version not in path]
                self.assertEqual(others, [TOKEN_INFO])

    def test_a_path_that_hubspot_does_not_have_is_asked_for_in_its_older_form(self) -> None:
        for version in ("2026-03", "2026-09"):
            for look, path in ACCOUNT_LOOKS.items():
                with self.subTest(path, version=version):
                    self.of_version(version)
                    self.sandbox.fault(method="GET", path=version, status=404)
                    self.assertTrue(look(self.client))
                    first, second = self.paths()
                    self.assertEqual(first, path.format(version))
                    self.assertIn("/v3/", second)

    def test_a_refusal_is_one(self) -> None:
        for status in (401, 403, 429, 503):
            self.of_version("2026-09")
            self.sandbox.fault(method="GET", status=status)
            with self.assertRaises(ReadError):
                lookups.account(self.client)
            self.assertEqual(self.paths(), ["/account-info/2026-09/details"])


@contextmanager
def silent_listener() -> Iterator[int]:
    """A port whose queue is full, so that whoever connects waits for an answer."""
    with socket.socket() as listener, ExitStack() as queue:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


class FailureTests(LookupTestCase):
    def test_each_has_its_name(self) -> None:
        for fault, cause in (
            ({"status": 401}, Cause.TOKEN_REFUSED),
            ({"status": 403}, Cause.FORBIDDEN),
            ({"status": 404}, Cause.REFUSED),
            ({"status": 429}, Cause.RATE_LIMITED),
            ({"status": 500}, Cause.HUBSPOT_ERROR),
            ({"status": 503}, Cause.HUBSPOT_DOWN),
            ({"status": 302, "headers": {"Location": "/"}}, Cause.REDIRECTED),
            ({"status": 302, "headers": {"Location": "http://[::1/"}}, Cause.REDIRECTED),
            ({"status": 302, "headers": {"Location": "http://x/\xfc"}}, Cause.REDIRECTED),
            ({"status": 200, "body": "null"}, Cause.UNREADABLE),
            ({"status": 200, "body": "<p>"}, Cause.UNREADABLE),
            ({"status": 200, "body": {}}, Cause.UNREADABLE),
            ({"status": 200, "body": {"results": None}}, Cause.UNREADABLE),
            ({"status": 200, "body": {"status": "PENDING", "results": []}}, Cause.UNREADABLE),
            ({"status": 200, "body": LINKED_SOMEHOW}, Cause.UNREADABLE),
            ({"delay": 3}, Cause.TIMED_OUT),
            ({"reset": "before", "times": 2}, Cause.CONNECTION_LOST),
        ):
            with self.subTest(fault):
                self.sandbox.reset()
                self.sandbox.fault(method="POST", **fault)
                self.assertEqual(self.cause_of(find_link, *PAIR), cause)

    def test_an_answer_without_results_says_nothing_of_records_and_types_either(self) -> None:
        for method, look, *arguments in (
            ("POST", lookups.find_record, "contacts", "501"),
            ("GET", lookups.association_types, "contacts", "companies"),
            ("GET", lookups.custom_types),
        ):
            self.sandbox.fault(method=method, status=200, body={})
            self.assertEqual(self.cause_of(look, *arguments), Cause.UNREADABLE)

    def test_addresses_that_stay_silent_get_no_more_time_than_one(self) -> None:
        with silent_listener() as port:
            self.client._base_url = f"http://localhost:{port}"
            address = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
            with mock.patch("socket.getaddrinfo", lambda *a, **k: address * 6):
                start = time.monotonic()
                self.assertEqual(self.cause_of(find_link, *PAIR), Cause.NO_CONNECTION)
        self.assertLess(time.monotonic() - start, lookups.SECONDS + 1)

    def test_a_connection_that_was_closed_meanwhile_is_opened_once_more(self) -> None:
        self.sandbox.fault(method="POST", reset="before")
        self.assertIsNone(find_link(self.client, *PAIR))

    def test_a_missing_scope_is_named(self) -> None:
        self.client = self.client_of("sandbox-no-read")
        with self.assertRaises(ReadError) as caught:
            lookups.find_record(self.client, "contacts", "501")
        self.assertEqual(caught.exception.cause, Cause.SCOPE_MISSING)
        self.assertIn("crm.objects.contacts.read", str(caught.exception.answer.errors))

    def test_nothing_leaves_that_is_not_allow_listed(self) -> None:
        for arguments in (
            ("contacts", "../902", "companies"),
            ("contacts/..", "501", "companies"),
            ("contacts", "501", ".."),
            ("Contact", "501", "companies"),
            ("contacts", "501\n", "companies"),
        ):
            with self.subTest(arguments), self.assertRaises(ValueError):
                lookups.links_of(self.client, *arguments)
        with self.assertRaises(ValueError):
            lookups.find_record(self.client, "contacts", "5 01")
        self.assertEqual(self.sandbox.requests, [])


NAMES = [
    *("results", "errors", "id", "to", "toObjectId", "associationTypes", "typeId", "label"),
    *("properties", "labels", "paging", "objectTypeId", "usageLimit", "currentUsage"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


class Showing:
    """A client to which HubSpot shows just this."""

    api_version = "v4"

    def __init__(self, shown: dict[str, Any]) -> None:
        self.shown = shown

    def read(self, path: str, body: Any = None, *, seconds: float) -> dict[str, Any]:
        return self.shown


class AnyAnswerTests(TestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.dictionaries(st.sampled_from(["results", "errors", "portalId"]), JSON) | JSON)
    def test_whatever_comes_is_read_or_told(self, shown: Any) -> None:
        client = Showing(shown if isinstance(shown, dict) else {"results": shown})
        for look, *arguments in (
            (lookups.find_record, "contacts", "501"),
            (find_link, *PAIR),
            (lookups.association_types, "contacts", "companies"),
            (lookups.custom_types,),
            (lookups.types_not_enabled,),
            (lookups.account,),
            (lookups.usage,),
        ):
            with suppress(ReadError):
                look(client, *arguments)
