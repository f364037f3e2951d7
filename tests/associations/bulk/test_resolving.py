"""Rows that name records by e-mail addresses, domains and names: each is sought once."""

import time
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any
from unittest import mock

from django.core.cache import cache
from django.test import override_settings
from django.utils import timezone

from associations.audit.recorder import RequestMeta
from associations.bulk import dry_run, resolving, row_names, services, staging, tasks
from associations.bulk.exports import result_lines
from associations.bulk.leases import claim
from associations.bulk.services import NotPossibleError
from associations.models import BulkKey, BulkRun, RowState, RunState
from tests.associations.bulk.engine import EngineTestCase
from tests.support import SignedInClient

HEAD = "Contact,Company,Reason"


@override_settings(HUBSPOT_VERIFY=True)
class FindingTestCase(EngineTestCase):
    def setUp(self) -> None:
        super().setUp()
        cache.clear()
        row_names._known.clear()
        self.sandbox.reset()

    def file(self, *lines: str, head: str = HEAD) -> BulkRun:
        parts = ["\n".join([head, *lines]).encode()]
        known = {"user": self.user, "meta": RequestMeta(), "name": "x.csv", "way": "batch"}
        return services.create(parts=parts, **known)

    def read(self, run: BulkRun, seconds: float = 60) -> BulkRun:
        BulkRun.objects.filter(pk=run.pk).update(owner="", lease_until=None)
        claimed = claim(BulkRun.objects.filter(pk=run.pk))
        dry_run.read_run(claimed, time.monotonic() + seconds)
        run.refresh_from_db()
        return run

    def checked(self, *lines: str, **options: Any) -> BulkRun:
        run = self.read(self.file(*lines, **options))
        self.assertEqual(run.state, RunState.READY, run.problem)
        return run

    def told(self, run: BulkRun) -> list[str]:
        """Of each row the pair, or what is wrong with it."""
        return [
            f"{row.from_object_id}-{row.to_object_id}" if row.state == "ready" else row.problem
            for row in run.rows.order_by("number")
        ]

    def asked(self, of: str = "") -> list[str]:
        return [each["path"] for each in self.sandbox.requests if of in each["path"]]

    def company(self, name: str, **properties: str) -> str:
        return self.sandbox.create("companies", {"name": name} | properties, 0)

    def contact(self, first: str, last: str, **properties: str) -> str:
        names = {"firstname": first, "lastname": last}
        return self.sandbox.create("contacts", names | properties, 0)


class KeyTests(FindingTestCase):
    def test_an_email_address_and_a_domain(self) -> None:
        company = self.company("Harbour Foods", domain="harbour-foods.example")
        run = self.checked("ADA@example.com,Harbour-Foods.example,Ticket 5")
        self.assertEqual(self.told(run), [f"501-{company}"])
        row = run.rows.get()
        self.assertEqual((row.from_name, row.to_name), ("Ada Byron", "Harbour Foods"))
        self.assertEqual(
            (row.from_typed, row.to_typed), ("ada@example.com", "harbour-foods.example")
        )

    def test_each_is_asked_for_once_however_many_rows_have_it(self) -> None:
        company = self.company("Harbour Foods", domain="harbour-foods.example")
        ids = [self.contact("A", str(n), email=f"a{n}@harbour.example") for n in range(5)]
        lines = [f"a{n}@harbour.example,harbour-foods.example," for n in range(5)]
        run = self.checked(*lines, *[f"{each},{company}," for each in ids])
        self.assertEqual(run.rows_ready, 5)
        self.assertEqual(run.rows_double, 5)
        self.assertEqual(len(self.asked("companies/search")), 1)
        self.assertEqual(len(self.asked("contacts/batch/read")), 1)

    def test_a_second_address_of_a_contact(self) -> None:
        self.sandbox.change("contacts", "501", {"hs_additional_emails": "ada@old.example"})
        self.assertEqual(self.told(self.checked("ada@old.example,902,")), ["501-902"])

    def test_further_domains_and_www(self) -> None:
        one = self.company("One", domain="one.example", hs_additional_domains="eins.example")
        two = self.company("Two", domain="www.two-two.example")
        run = self.checked("501,eins.example,", "502,two-two.example,", "501,nobody-at.example,")
        self.assertEqual(self.told(run), [f"501-{one}", f"502-{two}", "not_found"])

    def test_what_hubspot_does_not_have(self) -> None:
        run = self.checked(
            "nobody@example.com,902,", "501,nowhere.example,", "7000001,902,", "501,gmail.com,"
        )
        expected = ["no_such_email", "not_found", "missing", "free_mail"]
        self.assertEqual(self.told(run), expected)
        self.assertEqual((run.rows_invalid, run.rows_ready), (4, 0))

    def test_two_companies_with_one_domain_are_to_choose(self) -> None:
        ids = {self.company(f"Island Bakery {n}", domain="island.example") for n in (1, 2)}
        run = self.checked("501,island.example,")
        self.assertEqual((self.told(run), run.rows_to_choose), (["choose"], 1))
        key = run.keys.get()
        self.assertEqual({each[0] for each in key.candidates}, ids)

    def test_a_mailbox_is_no_company_for_certain(self) -> None:
        self.company("Harbour Foods", domain="harbour-foods.example")
        run = self.checked("501,Ada <ada@harbour-foods.example>,")
        self.assertEqual(self.told(run), ["choose"])

    def test_several_in_a_cell_are_a_pair_each(self) -> None:
        one = self.company("Harbour Foods", domain="harbour-foods.example")
        other = self.company("Pier Foods", domain="pier-foods.example")
        run = self.checked(
            "501,harbour-foods.example; pier-foods.example,",
            '"ada@example.com, 502",902,',
            "502,Harbour Foods; Pier Foods,",
        )
        expected = [f"501-{one}", f"501-{other}", "501-902", "502-902", "not_digits"]
        self.assertEqual(self.told(run), expected)

    def test_the_address_of_a_company_s_site_is_its_domain(self) -> None:
        company = self.company("Harbour Foods", domain="harbour-foods.example")
        lines = ("501,https://www.harbour-foods.example/,", "502,HTTP://harbour-foods.example,")
        run = self.checked(*lines, "503,https://harbour-foods.example/contact/902,")
        self.assertEqual(self.told(run), [f"501-{company}", f"502-{company}", "not_hubspot"])

    def test_a_key_of_a_merged_contact_names_the_one_that_is_left(self) -> None:
        old, new = self.contact("Old", "One", email="o@one.example"), self.contact("New", "One")
        self.sandbox.merge("contacts", old, new)
        self.assertEqual(self.told(self.checked("o@one.example,902,")), [f"{new}-902"])


class NameTests(FindingTestCase):
    def test_a_whole_name_that_one_record_has(self) -> None:
        company = self.company("Quince & Rowan Ltd")
        ada = self.contact("Zelda", "Quincewood")
        run = self.checked("zelda quincewood,QUINCE & ROWAN ltd,")
        self.assertEqual(self.told(run), [f"{ada}-{company}"])
        self.assertEqual(run.rows.get().from_typed, "")  # that is a name, not a key

    def test_twins_are_to_choose(self) -> None:
        for _ in range(2):
            self.company("Twin Peaks Diner")
            self.contact("Zora", "Twinwood")
        run = self.checked("501,Twin Peaks Diner,", "Zora Twinwood,902,")
        self.assertEqual(self.told(run), ["choose", "choose"])

    def test_a_part_of_a_name_is_to_choose(self) -> None:
        self.company("Quince & Rowan Ltd")
        self.assertEqual(self.told(self.checked("501,Quince,")), ["choose"])

    def test_a_name_without_a_type_is_no_record(self) -> None:
        run = self.checked(
            "contact,501,company,902", "contact,501,,Acme", head="from type,from id,to type,to id"
        )
        self.assertEqual(self.told(run)[1], "not_digits")

    @mock.patch.object(resolving, "MOST_WORDS", 2)
    def test_of_very_many_the_rest_is_not_searched_for(self) -> None:
        run = self.checked(*[f"Nobody Namedso{n},902," for n in range(4)])
        self.assertEqual(sorted(self.told(run)), ["not_found"] * 2 + ["too_many_words"] * 2)


class ChoiceTests(FindingTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.first, self.second = (
            self.company(f"Island Bakery {n}", domain="island.example") for n in (1, 2)
        )

    def choose(self, run: BulkRun, **chosen: str) -> BulkRun:
        keys = {key.text: key.pk for key in run.keys.all()}
        choices = {keys[text.replace("_", ".")]: value for text, value in chosen.items()}
        services.choose(run=run, choices=choices)
        return self.read(run)

    def test_one_choice_is_for_all_rows_that_say_the_same(self) -> None:
        run = self.checked("501,island.example,", "502,island.example,", f"501,{self.second},")
        run = self.choose(run, island_example=self.second)
        self.assertEqual(self.told(run), [f"501-{self.second}", f"502-{self.second}", ""])
        counts = run.rows_ready, run.rows_invalid, run.rows_double, run.rows_to_choose
        self.assertEqual(counts, (2, 0, 1, 0))
        self.assertEqual(run.rows_looked_up, 2)

    def test_none_of_them(self) -> None:
        run = self.choose(self.checked("501,island.example,", "501,902,"), island_example="")
        self.assertEqual(self.told(run), ["none_meant", "501-902"])
        self.assertEqual((run.rows_invalid, run.rows_to_choose), (1, 0))

    def test_no_record_that_was_not_on_offer(self) -> None:
        run = self.checked("501,island.example,")
        for choices in ({run.keys.get().pk: "902"}, {10**9: self.first}, {}):
            with self.assertRaises(NotPossibleError):
                services.choose(run=run, choices=choices)
        self.assertEqual(run.keys.get().object_id, "")

    def test_no_key_of_another_run(self) -> None:
        one, other = (self.checked("501,island.example,") for _ in range(2))
        with self.assertRaises(NotPossibleError):
            services.choose(run=one, choices={other.keys.get().pk: self.first})
        self.assertEqual(other.keys.get().object_id, "")

    def test_both_sides_of_a_row(self) -> None:
        twins = [self.contact("Zora", "Twinwood", email="z@twin.example") for _ in range(2)]
        run = self.checked("Zora Twinwood,island.example,")
        run = self.choose(run, **{"Zora Twinwood": twins[0]})
        self.assertEqual(self.told(run), ["choose"])
        run = self.choose(run, island_example=self.first)
        self.assertEqual(self.told(run), [f"{twins[0]}-{self.first}"])

    def test_who_chooses_late_has_nothing_asked_again(self) -> None:
        """Else what others were found by may change, and nothing would say so of their rows."""
        run = self.checked("501,island.example,", "ada@example.com,902,")
        BulkKey.objects.update(asked_at=timezone.now() - 2 * resolving.OLD)
        self.sandbox.change("contacts", "501", {"email": "ada@new.example"}, 0)
        asked = len(self.asked("search"))
        run = self.choose(run, island_example=self.first)
        self.assertEqual(self.told(run), [f"501-{self.first}", "501-902"])
        self.assertEqual(len(self.asked("search")), asked)
        self.assertEqual(run.keys.get(text="ada@example.com").object_id, "501")

    def test_what_is_old_is_asked_again_when_the_file_is_read_anew(self) -> None:
        run = self.checked("ada@example.com,902,")
        BulkKey.objects.update(asked_at=timezone.now() - 2 * resolving.OLD)
        self.sandbox.change("contacts", "501", {"email": "ada@new.example"}, 0)
        services.read_anew(run=run, meanings=run.layout["meanings"])
        self.assertEqual(self.told(self.read(run)), ["no_such_email"])

    def test_what_was_chosen_is_not_asked_for_again(self) -> None:
        run = self.choose(self.checked("501,island.example,"), island_example=self.first)
        BulkKey.objects.update(asked_at=timezone.now() - 2 * resolving.OLD)
        services.read_anew(run=run, meanings=run.layout["meanings"])
        self.assertEqual(self.told(self.read(run)), [f"501-{self.first}"])


class FailureTests(FindingTestCase):
    def test_hubspot_that_is_silent_is_asked_again_in_a_while(self) -> None:
        self.fault(method="POST", path="/contacts/batch", status=503, times=None)
        run = self.read(self.file("ada@example.com,902,"))
        self.assertEqual((run.state, run.lookup_cause), (RunState.READING, "hubspot_down"))
        self.assertIsNotNone(run.lease_until)
        self.sandbox.faults.clear()
        run = self.read(run)
        self.assertEqual((self.told(run), run.lookup_cause), (["501-902"], ""))

    def test_but_not_for_ever(self) -> None:
        self.fault(method="POST", path="/contacts/batch", status=503, times=None)
        run = self.file("ada@example.com,902,", "501,902,")
        for _ in range(resolving.MOST_TRIES):
            run = self.read(run)
        self.assertEqual(self.told(run), ["not_shown", "501-902"])
        self.assertEqual(run.rows.first().facts["cause"], "hubspot_down")

    def test_a_search_that_takes_more_than_an_hour_comes_to_an_end(self) -> None:
        run = self.file(*[f"a{n}@harbour.example,902," for n in range(150)])
        self.read(run, seconds=0)
        for _ in range(5):
            self.read(run, seconds=0)
            run.keys.exclude(asked_at=None).update(asked_at=timezone.now() - 2 * resolving.OLD)
        asked = len(self.asked("contacts/batch/read"))
        self.assertEqual({*self.told(self.read(run))}, {"no_such_email"})
        self.assertEqual(len(self.asked("contacts/batch/read")), asked)

    def test_what_was_found_is_kept_where_the_next_search_fails(self) -> None:
        company = self.company("Harbour Foods", domain="harbour-foods.example")
        # The first search is answered, and the second one is not.
        seed = next(n for n in count() if (c := Random(n)).random() > 0.5 > c.random())
        only_one = {"probability": 0.5, "seed": seed, "times": None}
        self.fault(method="POST", path="/companies/search", status=503, **only_one)
        run = self.read(self.file("501,harbour-foods.example,", "501,nowhere.example,"))
        found = dict(run.keys.values_list("text", "object_id"))
        self.assertEqual(found["harbour-foods.example"], company)

    def test_of_a_text_that_is_refused_the_links_of_others_are_looked_up(self) -> None:
        self.fault(method="POST", path="/contacts/batch", status=400, times=1)
        run = self.checked("ada@example.com,902,", "501,902,")
        self.assertEqual(self.told(run), ["not_shown", "501-902"])
        self.assertEqual((run.lookup_cause, run.rows_looked_up), ("", 1))

    def test_a_token_that_may_not_read_is_told(self) -> None:
        self.fault(method="POST", path="/contacts/batch", status=403, times=None)
        run = self.checked("ada@example.com,902,", "501,902,")
        self.assertEqual(self.told(run), ["not_shown", "501-902"])

    @mock.patch.object(staging, "ROWS_AT_ONCE", 2)
    @mock.patch.object(resolving, "ROWS_AT_ONCE", 2)
    def test_whoever_goes_on_asks_for_nothing_twice(self) -> None:
        ids = [self.contact("A", str(n), email=f"a{n}@harbour.example") for n in range(5)]
        run = self.file(*[f"a{n}@harbour.example,902," for n in range(5)], "x y z,902,")
        for _ in range(20):
            run = self.read(run, seconds=0)
            staging._open.clear()
            row_names._known.clear()
        self.assertEqual(self.told(run), [*(f"{each}-902" for each in ids), "not_found"])
        keyed = self.asked("contacts/batch/read")
        self.assertEqual(len(keyed), 1)

    def test_by_a_worker(self) -> None:
        run = self.file("ada@example.com,902,", "nobody@example.com,902,")
        tasks.work()
        run.refresh_from_db()
        self.assertEqual((run.state, run.rows_ready, run.rows_invalid), ("ready", 1, 1))
        services.start(user=self.user, run=run, way="batch", skip_linked=False)
        tasks.work()
        entry = run.entries.get()
        self.assertEqual((entry.from_object_id, entry.to_object_id), ("501", "902"))
        self.assertEqual(entry.names.from_typed, "ada@example.com")

    def test_the_results_speak_the_language_of_whoever_takes_them(self) -> None:
        run = self.checked("nobody@example.com,902,", "501,902,")
        services.start(user=self.user, run=run, way="batch", skip_linked=False)
        tasks.work()
        client = SignedInClient(self.user)
        for language, said in (("ja", "コンタクトはありません"), ("en", "HubSpot has no contact")):
            answer = client.get(
                f"/bulk/{run.pk}/results.csv", headers={"accept-language": language}
            )
            self.assertIn(said, b"".join(answer.streaming_content).decode())

    @override_settings(KEEP_RECORD_NAMES=False)
    def test_nothing_is_kept_of_names_where_none_are(self) -> None:
        run = self.checked("ada@example.com,902,")
        row = run.rows.get()
        self.assertEqual((row.from_object_id, row.from_name, row.from_typed), ("501", "", ""))


class ForeseenTests(FindingTestCase):
    def test_a_merged_id_is_told(self) -> None:
        old, new = self.company("Old"), self.company("New")
        self.sandbox.merge("companies", old, new)
        run = self.checked(f"501,{old},")
        row = run.rows.get()
        self.assertEqual((row.state, row.facts), (RowState.READY, {"to_merged_into": new}))

    def test_a_merged_id_is_told_beside_the_one_that_is_left(self) -> None:
        old, new = self.company("Old"), self.company("New")
        self.sandbox.merge("companies", old, new)
        run = self.checked(f"501,{old},", f"502,{new},", "503,399,")
        self.assertEqual(self.told(run), [f"501-{old}", f"502-{new}", "missing"])
        self.assertEqual(run.rows.get(number=1).facts, {"to_merged_into": new})

    def test_two_types_that_hubspot_does_not_link(self) -> None:
        run = self.checked("501,902", head="contact id,company id")
        self.assertEqual(self.told(run), ["501-902"])
        cache.clear()
        self.fault(
            method="GET",
            path="/labels",
            status=200,
            times=None,
            body={"results": [{"category": "USER_DEFINED", "typeId": 7, "label": "Billing"}]},
        )
        run = self.checked("501,902", head="contact id,company id")
        self.assertEqual(self.told(run), ["no_default"])

    @override_settings(HUBSPOT_VERIFY=False)
    def test_what_is_named_is_sought_where_nothing_else_is_looked_up(self) -> None:
        self.assertEqual(self.told(self.checked("ada@example.com,902,")), ["501-902"])


class LaterTests(FindingTestCase):
    """What was found over an hour before a row's turn is looked at again."""

    def later(self, *lines: str, chosen: str = "") -> BulkRun:
        run = self.checked(*lines)
        if chosen:
            services.choose(run=run, choices={run.keys.get().pk: chosen})
            run = self.read(run)
        run.keys.update(asked_at=timezone.now() - resolving.OLD - timedelta(minutes=1))
        services.start(user=self.user, run=run, way="batch", skip_linked=False)
        return run

    def worked(self, run: BulkRun) -> list[str]:
        tasks.work()
        run.refresh_from_db()
        return [entry.outcome for entry in run.entries.order_by("row_number")]

    def test_one_that_is_the_same_is_sent(self) -> None:
        run = self.later("ada@example.com,902,", "502,903,")
        self.assertEqual(self.worked(run), ["linked", "linked"])
        self.assertGreater(run.keys.get().asked_at, timezone.now() - resolving.OLD)

    def test_one_that_went_to_another_record_is_not(self) -> None:
        contact = self.contact("Mo", "Ved", email="moved@one.example")
        run = self.later("moved@one.example,902,", "502,903,")
        self.sandbox.change("contacts", contact, {"email": "other@one.example"}, 0)
        self.contact("Mo", "Two", email="moved@one.example")
        self.assertEqual(self.worked(run), ["canceled", "linked"])
        self.assertEqual((run.state, run.linked, run.canceled), ("done", 1, 1))
        row = run.rows.get(number=1)
        self.assertEqual((row.problem, row.problem_field), ("changed", "from_object_id"))
        self.assertIn(b"Nothing was sent for it.", b"".join(result_lines(run)))
        sent = [str(each) for each in self.sandbox.requests if "create" in each["path"]]
        self.assertNotIn(f"'{contact}'", " ".join(sent))

    def test_a_domain_that_a_second_company_has_by_now_is_not(self) -> None:
        self.company("One", domain="isle.example")
        run = self.later("501,isle.example,")
        self.company("Two", domain="isle.example")
        self.assertEqual(self.worked(run), ["canceled"])

    def test_a_choice_stands_as_long_as_its_record_is_on_offer(self) -> None:
        ids = [self.company(f"Isle {n}", domain="isle.example") for n in (1, 2)]
        run = self.later("501,isle.example,", chosen=ids[1])
        self.assertEqual(self.worked(run), ["linked"])

    @mock.patch.object(resolving, "MOST_WORDS", 2)
    def test_names_are_looked_at_again_however_many_were_searched_for(self) -> None:
        ids = [self.contact("Zora", f"Quill{each}") for each in ("ab", "cd")]
        run = self.later("Zora Quillab,902,", "Zora Quillcd,902,")
        self.assertEqual(self.worked(run), ["linked", "linked"])
        self.assertEqual([*run.rows.values_list("from_object_id", flat=True)], ids)

    def test_nothing_is_sent_while_hubspot_does_not_tell(self) -> None:
        run = self.later("ada@example.com,902,")
        self.fault(method="POST", path="/contacts/batch", status=403, times=None)
        self.assertEqual(self.worked(run), ["queued"])
        self.assertEqual(self.puts(), [])


class PropertyTests(FindingTestCase):
    """Whoever says that a column holds a unique property means that, though it be all digits."""

    MEANINGS = ("from_object_id:contacts", "to_object_id:2-4001:vin", "reason")

    def test_a_record_is_named_by_it(self) -> None:
        car = self.sandbox.create("2-4001", {"vin": "4711"}, 0)
        run = self.checked("501,4711,", "502,0815,", head="Contact,Car,Reason")
        self.assertEqual(self.told(run)[0], "missing")
        services.read_anew(run=run, meanings=self.MEANINGS)
        run = self.read(run)
        self.assertEqual(self.told(run), [f"501-{car}", "no_such_key"])
        self.assertEqual(run.layout["meanings"], [*self.MEANINGS])

    def test_it_is_on_offer_where_the_account_has_one(self) -> None:
        run = self.checked("501,41,", head="Contact,Car,Reason")
        answer = SignedInClient(self.user).get(run.get_absolute_url())
        self.assertContains(answer, 'value="to_object_id:2-4001:vin"')
        self.assertNotContains(answer, 'value="to_object_id:companies:vin"')

    def test_a_cell_without_anything(self) -> None:
        run = self.checked("501,41,", head="Contact,Car,Reason")
        services.read_anew(run=run, meanings=self.MEANINGS)
        run = self.checked("501,,", "501,41,", head="Contact,Car,Reason")
        self.assertEqual(self.told(run)[0], "required")
