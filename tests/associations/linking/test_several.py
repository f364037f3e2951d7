"""Several pairs by one submit: an entry each, one page for all, and nothing twice."""

import re
from unittest import mock

from django.http import HttpResponse
from django.test import override_settings

from associations.linking import several
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of
from tests.support import LINK, missing_table, person

TOO_MANY = {"method": "PUT", "status": 429, "body": {"policyName": "TEN_SECONDLY_ROLLING"}}


class SeveralTestCase(PageTestCase):
    def submit(self, *also: str, **fields: str) -> HttpResponse:
        sent = LINK | {"submit_token": "t", "reason": "SUP-7", "also": list(also)} | fields
        return self.client.post("/", sent)

    def to(self) -> list[str]:
        """The second sides of all entries, in the order in which they were opened."""
        entries = AssociationRequest.objects.order_by("pk")
        return [f"{each.to_object_type}/{each.to_object_id}" for each in entries]

    def key(self) -> str:
        return "-".join(str(each.pk) for each in AssociationRequest.objects.order_by("pk"))


class SendingTests(SeveralTestCase):
    def test_each_is_an_entry_of_its_own(self) -> None:
        answer = self.submit("companies/903", "deals/701")
        self.assertEqual(self.to(), ["companies/902", "companies/903", "deals/701"])
        self.assertEqual(len(self.puts()), 3)
        reasons = AssociationRequest.objects.values_list("reason", "outcome").distinct()
        self.assertEqual([*reasons], [("SUP-7", "linked")])
        self.assertRedirects(answer, f"/?linked={self.key()}")
        self.assertContains(self.client.get(answer.url), "3 linked")

    def test_a_line_without_anything_to_see_says_nothing(self) -> None:
        for number, unseen in enumerate(("'", "\u200b", "\ufeff '")):
            with self.subTest(unseen):
                self.submit(f"{unseen}\r\n903", submit_token=f"t{number}")
                self.assertEqual(self.to()[-2:], ["companies/902", "companies/903"])
                self.assertEqual(len(self.to()), 2 * number + 2)

    def test_the_button_names_no_one_pair_where_there_are_more(self) -> None:
        named = re.compile(r'class="with-names"( hidden)?')
        for also, is_hidden in ((), False), (("companies/903",), True):
            with self.subTest(also=also):
                answer = self.submit(*also, check="1").content.decode()
                self.assertEqual(bool(named.search(answer)[1]), is_hidden)

    def test_lines_of_one_field_are_the_same(self) -> None:
        address = "https://app.hubspot.com/contacts/4242/record/0-2/905"
        self.submit(f" company 903\r\n904, 906\n\n{address}\n")
        self.assertEqual(self.to(), [f"companies/{n}" for n in (902, 903, 904, 906, 905)])

    def test_what_is_said_twice_is_sent_once(self) -> None:
        self.submit("902", "companies/903", "903", "0-2/903")
        self.assertEqual(self.to(), ["companies/902", "companies/903"])

    def test_a_reload_or_a_double_click_sends_nothing_twice(self) -> None:
        self.submit("903", "904")
        again = self.submit("903", "904")
        self.assertEqual(len(self.puts()), 3)
        self.assertRedirects(again, f"/requests/together/{self.key()}/?repeated")
        page = self.client.get(again.url)
        self.assertContains(page, "nothing was sent now")
        self.assertEqual(page.content.decode().count("autofocus"), 1)

    def test_one_more_than_before_sends_only_that(self) -> None:
        self.submit("903")
        answer = self.submit("903", "904")
        self.assertEqual(self.to(), ["companies/902", "companies/903", "companies/904"])
        self.assertEqual(len(self.puts()), 3)
        self.assertRedirects(answer, f"/?linked={self.key()}")

    def test_one_that_fails_keeps_none_from_being_sent_and_all_are_told(self) -> None:
        answer = self.submit("999999", "904")
        self.assertEqual(len(self.puts()), 3)
        self.assertRedirects(answer, f"/requests/together/{self.key()}/")
        page = self.client.get(answer.url)
        self.assertContains(page, '<h1 tabindex="-1" autofocus>2 of 3 linked')
        self.assertContains(page, "no such company")
        self.assertContains(page, "correct it", count=1)


class RefusedTests(SeveralTestCase):
    def test_what_is_wrong_is_said_and_kept_and_nothing_is_sent(self) -> None:
        for line, words in (
            ("90x", "A record id has digits only"),
            ("Contact", "Enter the record&#x27;s id, too"),
            ("https://app.hubspot.com/contacts/7/record/0-2/903", "account 7"),
            ("contact 501", "A record cannot be linked to itself"),
            ("<b>", "&lt;b&gt;"),
        ):
            with self.subTest(line):
                answer = self.submit("903", line)
                self.assertContains(answer, words, status_code=422)
                self.assertIn(f"903\n{line}", answer.context["form"]["also"].value())
                self.assertEqual(self.puts(), [])

    def test_25_are_taken_and_no_more(self) -> None:
        others = [str(1000 + number) for number in range(several.MOST)]
        answer = self.submit(*others)
        self.assertContains(answer, "at most 25 pairs at once; these are 26", status_code=422)
        self.assertIn("1024", answer.context["form"]["also"].value())
        self.submit(*others[:-1])
        self.assertEqual(len(self.puts()), several.MOST)

    def test_without_a_type_anywhere_it_is_asked_for(self) -> None:
        answer = self.submit("903", to_object_type="")
        self.assertContains(answer, "Say its type as well", status_code=422)


class StoppedTests(SeveralTestCase):
    def rest(self, page: HttpResponse) -> tuple[str, str, str]:
        form = page.context["form"]
        return tuple(str(form[name].value()) for name in ("to_object_id", "also", "submit_token"))

    def test_a_limit_sends_the_rest_back_and_the_rest_alone_is_sent_then(self) -> None:
        with override_settings(SUBMITS_PER_PERSON_PER_MINUTE=2):
            page = self.submit("903", "904", "deals/701")
        self.assertContains(page, "2 of 4 pairs went out; the 2 below did not", status_code=429)
        self.assertContains(page, f"/requests/together/{self.key()}/", status_code=429)
        self.assertTrue(0 < int(page["Retry-After"]) <= 60)
        self.assertEqual(self.rest(page), ("904", "deals/701", "t"))
        self.submit("deals/701", to_object_id="904")
        self.assertEqual(self.to()[2:], ["companies/904", "deals/701"])
        self.assertEqual(len(self.puts()), 4)

    def test_nothing_sent_at_all_is_as_with_one(self) -> None:
        entry_of(self.user)
        with override_settings(SUBMITS_PER_PERSON_PER_MINUTE=1):
            page = self.submit("903")
        self.assertContains(page, "That was too quick", status_code=429)
        self.assertEqual(self.rest(page), ("902", "903", "t"))

    def test_after_some_time_no_more_are_begun(self) -> None:
        with mock.patch.object(several, "SECONDS", -1):
            page = self.submit("903", "904")
        self.assertContains(page, "1 of 3 pairs went out; the 2 below did not")
        self.assertContains(page, "HubSpot takes its time")
        self.assertEqual((self.rest(page), len(self.puts())), (("903", "companies/904", "t"), 1))

    def test_a_log_that_fails_in_between(self) -> None:
        opened = several.create_association

        def fails_later(**fields: object) -> AssociationRequest:
            if AssociationRequest.objects.exists():
                with missing_table(AssociationRequest):
                    return opened(**fields)
            return opened(**fields)

        with (
            mock.patch.object(several, "create_association", fails_later),
            self.assertLogs("associations.audit.recorder", "ERROR"),
        ):
            page = self.submit("903")
        self.assertContains(page, "1 of 2 pairs went out; the one below did not", status_code=503)
        self.assertEqual(self.rest(page)[:2], ("903", ""))

    def test_nothing_more_is_sent_for_somebody_who_has_left(self) -> None:
        self.sandbox.fault(**TOO_MANY | {"headers": {"Retry-After": "0"}})
        with mock.patch("associations.linking.views.watch", return_value=lambda: False):
            self.submit("903", "904")
        self.assertEqual(AssociationRequest.objects.count(), 1)
        self.assertEqual(len(self.puts()), 0)


class DraftTests(SeveralTestCase):
    def test_all_of_them_wait_behind_the_sign_in(self) -> None:
        self.client.logout()
        self.submit("903", "904")
        self.client.sign_in(self.user)
        form = self.client.get("/").context["form"]
        self.assertEqual(form["also"].value(), "903\n904")


class TogetherTests(SeveralTestCase):
    def test_it_is_the_persons_own_and_admins(self) -> None:
        mine, other = entry_of(self.user), entry_of(person("other", "support"), to_object_id="909")
        page = self.client.get(f"/requests/together/{mine.pk}-{other.pk}/")
        self.assertContains(page, "1 of 1 linked")
        self.assertNotContains(page, "909")
        self.assertEqual(self.client.get(f"/requests/together/{other.pk}/").status_code, 404)
        page = self.as_admin.get(f"/requests/together/{mine.pk}-{other.pk}/")
        self.assertContains(page, "2 of 2 linked")

    def test_names_come_in_a_part_of_their_own(self) -> None:
        address = f"/requests/together/{entry_of(self.user).pk}/"
        self.assertContains(self.client.get(address), f'hx-get="{address}"')
        part = self.client.get(address, headers={"hx-request": "true"})
        self.assertContains(part, "Analytical Ltd")
        self.assertNotContains(part, "<h1")
        self.assertNotContains(self.client.get(address), "hx-get")

    def test_it_refreshes_itself_while_one_is_under_way(self) -> None:
        open_one = entry_of(self.user, outcome="sending", cause="", finished_at=None)
        page = self.client.get(f"/requests/together/{open_one.pk}/")
        self.assertIn(f"/requests/together/{open_one.pk}/", page["Refresh"])

    def test_odd_addresses_are_not_found(self) -> None:
        for key in ("x", "1-", "-1", "1-x", "1--2", "9" * 19, "-".join("1" * 26), "0"):
            self.assertEqual(self.client.get(f"/requests/together/{key}/").status_code, 404, key)
