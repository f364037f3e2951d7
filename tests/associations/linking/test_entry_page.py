"""An entry's page: names first, all else behind "Details"."""

from associations.linking.views import DETAILS
from associations.models import AssociationRequest
from tests.associations.linking.base import PageTestCase, entry_of, named_entry_of, run_of
from tests.support import SignedInClient

FOLDED = '<details class="entry-details">'
UNFOLDED = '<details class="entry-details" open>'


class EntryPageTestCase(PageTestCase):
    def named(self, **fields: object) -> AssociationRequest:
        typed = "ada@example.com"
        return named_entry_of(self.user, "Ada Byron", "Analytical Ltd", typed, **fields)

    def lead(self, entry: AssociationRequest, client: SignedInClient | None = None) -> str:
        """What stands before the details."""
        page = (client or self.client).get(entry.get_absolute_url()).content.decode()
        return page.partition('<details class="entry-details"')[0].partition("<main")[2]


class NamesTests(EntryPageTestCase):
    def test_title_and_headline_are_by_names(self) -> None:
        page = self.client.get(self.named().get_absolute_url())
        self.assertContains(page, "<title>Contact 501 → Company 902: linked · hubadmin</title>")
        headline = "<bdi>Ada Byron</bdi> is now linked to <bdi>Analytical Ltd</bdi>.</h1>"
        self.assertContains(page, headline)

    def test_so_is_what_went_wrong(self) -> None:
        for cause, told in (
            ("timed_out", "Whether {} and {} are linked is not known."),
            ("refused", "HubSpot refused to link {} to {}."),
            ("not_sent", "The run was canceled before {} and {} were linked"),
            ("unknown_status", "has no status: {} and {} may not be linked."),
        ):
            with self.subTest(cause):
                entry = self.named(outcome="unreachable", cause=cause)
                names = "<bdi>Ada Byron</bdi>", "<bdi>Analytical Ltd</bdi>"
                self.assertIn(told.format(*names), self.lead(entry))

    def test_the_ids_stand_beside_the_names_and_by_what_one_was_found(self) -> None:
        lead = self.lead(self.named())
        for words in ("Contact 501", "Company 902", "found by <bdi>ada@example.com</bdi>"):
            self.assertIn(words, lead)
        self.assertEqual(lead.count("found by"), 1)

    def test_without_names_it_is_by_types_and_ids(self) -> None:
        page = self.client.get(entry_of(self.user).get_absolute_url())
        self.assertContains(page, "<title>Contact 501 → Company 902: linked · hubadmin</title>")
        self.assertNotContains(page, "found by")

    def test_a_name_is_no_part_of_the_page(self) -> None:
        entry = named_entry_of(self.user, "<script>{from_}%(x)s", "\u202eltd")
        page = self.client.get(entry.get_absolute_url())
        self.assertContains(page, "<bdi>&lt;script&gt;{from_}%(x)s</bdi> is now linked to")
        self.assertContains(page, "⟨U+202E⟩ltd")
        self.assertNotContains(page, "<script>{")

    def test_the_strip_and_its_title_are_by_names_as_well(self) -> None:
        page = self.client.get(f"/?linked={self.named().pk}")
        self.assertContains(page, "<title>Contact 501 is now linked to Company 902.")


class NowCalledTests(EntryPageTestCase):
    def records(self, entry: AssociationRequest) -> str:
        return self.client.get(f"/requests/{entry.pk}/records/").content.decode()

    def test_what_is_called_otherwise_now_says_so(self) -> None:
        page = self.records(named_entry_of(self.user, "Ada King", "Analytical Ltd"))
        self.assertIn("(now called <bdi>Ada Byron</bdi>)", page)
        self.assertEqual(page.count("now called"), 1)
        self.assertIn("<bdi>Ada King</bdi>", page)

    def test_of_one_without_a_name_then_it_is_what_it_is_called_now(self) -> None:
        page = self.records(entry_of(self.user))
        self.assertIn("<bdi>Ada Byron</bdi>", page)
        self.assertNotIn("now called", page)

    def test_where_hubspot_tells_nothing_the_name_of_then_stays(self) -> None:
        for method in ("GET", "POST"):
            self.sandbox.fault(method=method, status=503, times=None)
        page = self.records(self.named())
        self.assertIn("<bdi>Ada Byron</bdi>", page)
        self.assertNotIn("now called", page)


class LeadTests(EntryPageTestCase):
    def test_who_when_and_why_stand_before_the_details(self) -> None:
        run = run_of(self.user)
        entry = self.named(run=run, row_number=7, reason="SUP-1234", user_email="s@example.com")
        lead = self.lead(entry)
        for words in ("Support", "s@example.com", "SUP-1234", "<time", "row 7", f"/bulk/{run.pk}/"):
            self.assertIn(words, lead)
        self.assertNotIn("API version", lead)

    def test_the_cause_of_a_failure_is_for_admins_and_the_next_step_for_everybody(self) -> None:
        entry = self.named(outcome="rejected", cause="token_refused", error_text="No such token")
        ours, theirs = self.lead(entry, self.as_admin), self.lead(entry)
        self.assertIn("<code>token_refused</code>", ours)
        self.assertNotIn("<code>token_refused</code>", theirs)
        for lead in (ours, theirs):
            self.assertIn("The token has to be replaced.", lead)
            self.assertNotIn("No such token", lead)

    def test_words_of_hubspots_that_one_is_sent_to_are_not_folded_up(self) -> None:
        errors = [{"message": "Not while it rains"}]
        entry = self.named(outcome="rejected", cause="refused", errors=errors)
        lead = self.lead(entry)
        self.assertLess(lead.index("words below"), lead.index("Not while it rains"))
        self.assertContains(self.client.get(entry.get_absolute_url()), "What HubSpot said", count=1)


class DetailsTests(EntryPageTestCase):
    def choose(self, client: SignedInClient, **fields: str) -> object:
        return client.post(f"/requests/{self.entry.pk}/details/", fields)

    def setUp(self) -> None:
        super().setUp()
        self.entry = self.named()

    def test_an_admin_has_them_open_by_choice(self) -> None:
        address = self.entry.get_absolute_url()
        self.assertContains(self.as_admin.get(address), FOLDED)
        self.assertRedirects(self.choose(self.as_admin, open="yes"), address)
        page = self.as_admin.get(entry_of(self.user).get_absolute_url())
        self.assertContains(page, UNFOLDED)
        self.choose(self.as_admin)
        self.assertContains(self.as_admin.get(address), FOLDED)

    def test_nobody_else_is_asked(self) -> None:
        self.client.cookies[DETAILS] = "open"
        page = self.client.get(self.entry.get_absolute_url())
        self.assertContains(page, FOLDED)
        self.assertNotContains(page, "/details/")

    def test_the_choice_is_kept_for_a_year_out_of_scripts_reach(self) -> None:
        cookie = self.choose(self.as_admin, open="yes").cookies[DETAILS]
        kept = [cookie[name] for name in ("max-age", "httponly", "secure", "samesite")]
        self.assertEqual(kept, [365 * 24 * 60 * 60, True, True, "Lax"])

    def test_nothing_is_lost(self) -> None:
        entry = self.named(correlation_id="4e1f", http_status=200, body="{}", status="COMPLETE")
        _, _, details = (
            self.as_admin.get(entry.get_absolute_url()).content.decode().partition(FOLDED)
        )
        for words in ("4e1f", "HTTP status", "Timeline", "Request id", "Answer as received"):
            self.assertIn(words, details)
