"""The page where one chooses which record a text means, and what else is told there."""

from django.http import HttpResponse

from associations.bulk.not_ready import found_by_side
from associations.models import BulkRun, RunState
from tests.associations.bulk.test_resolving import FindingTestCase
from tests.support import SignedInClient, person


class ChoicesTests(FindingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = SignedInClient(self.user)
        self.ids = [self.company(f"Isle {n} <b>", domain="isle.example", city="Oban") for n in "12"]
        self.run_ = self.checked(
            "501,isle.example,", "502,isle.example,", "501,902,", "nobody@example.com,902,"
        )
        self.field = f"key_{self.run_.keys.get(text='isle.example').pk}"

    def page(self) -> HttpResponse:
        return self.client.get(self.run_.get_absolute_url())

    def post(self, client: SignedInClient | None = None, **fields: str) -> HttpResponse:
        address = f"{self.run_.get_absolute_url()}choices/"
        return (client or self.client).post(address, fields)

    def test_what_tells_them_apart(self) -> None:
        answer = self.page()
        for shown in ("2 rows need a choice", "Isle 1 &lt;b&gt;", "Oban", "Line 2 and others"):
            self.assertContains(answer, shown)
        self.assertNotContains(answer, "checked>\n      <span><span")
        self.assertContains(answer, "HubSpot has no contact with this e-mail address.")
        self.assertContains(answer, "Start: link 1 pair")

    def test_how_many_were_found_stands_with_the_columns(self) -> None:
        answer = self.page()
        self.assertContains(answer, "3 of 4")
        self.assertContains(answer, "2 of 4")
        self.assertContains(answer, "(2 have several)")
        self.assertContains(answer, "not looked up")

    def test_what_other_problems_keep_back_is_not_asked(self) -> None:
        other = self.company("Skerry", domain="skerry.example"), self.company("Skerry II")
        self.sandbox.change("companies", other[1], {"domain": "skerry.example"})
        self.run_ = self.checked("501,isle.example,", "nobody@example.com,skerry.example,")
        answer = self.page()
        self.assertContains(answer, "1 row needs a choice")
        self.assertNotContains(answer, "<legend>skerry.example")

    def test_what_is_found_counts_though_the_other_side_is_not(self) -> None:
        nobody = "nobody@example.com,"
        self.run_ = self.checked(f"{nobody}harbour.example,", f"{nobody}isle.example,", "501,901,")
        told = found_by_side(self.run_)
        self.assertEqual(told["from"], {"found": 1, "several": 0, "of": 3})
        self.assertEqual(told["to"], {"found": 2, "several": 1, "of": 3})

    def test_an_id_of_no_known_type_is_not_found(self) -> None:
        rows = "Contact,ada@example.com,Nonsense,901", "Contact,501,Company,902"
        run = self.checked(*rows, head="from type,from id,to type,to id")
        told = found_by_side(run)
        self.assertEqual([told[side]["found"] for side in ("from", "to")], [1, 1])

    def test_a_choice_is_taken(self) -> None:
        answer = self.post(**{self.field: self.ids[1]})
        self.assertRedirects(answer, self.run_.get_absolute_url(), fetch_redirect_response=False)
        self.read(self.run_)
        self.assertEqual(self.run_.rows_ready, 3)
        self.assertNotContains(self.page(), "need a choice")

    def test_none_of_them_leaves_the_rows_out(self) -> None:
        self.post(**{self.field: "none"})
        self.read(self.run_)
        self.assertEqual((self.run_.rows_ready, self.run_.rows_invalid), (1, 3))
        self.assertContains(self.page(), "None of the records that HubSpot has was meant.")

    def test_nothing_chosen_and_nonsense_are_told(self) -> None:
        for fields, said in (
            ({}, "Nothing is chosen yet."),
            ({self.field: "902"}, "Choose one of these."),
            ({self.field: "../x"}, "Choose one of these."),
        ):
            with self.subTest(fields):
                answer = self.post(**fields)
                self.assertContains(answer, said, status_code=422)
                self.run_.refresh_from_db()
                self.assertEqual(self.run_.state, RunState.READY)

    def test_only_its_own_person_chooses_and_only_what_they_saw(self) -> None:
        admin = SignedInClient(person("admin"))
        self.assertEqual(self.post(admin, **{self.field: self.ids[0]}).status_code, 403)
        answer = self.post(**{self.field: self.ids[0], "reading": "2020-01-01T00:00:00+00:00"})
        self.assertIn("?moved", answer["Location"])
        BulkRun.objects.update(state=RunState.DONE)
        self.assertIn("?moved", self.post(**{self.field: self.ids[0]})["Location"])
