"""`manage.py link`: the form's way, without a page."""

import os
from unittest import mock

from django.test import TestCase, override_settings

from associations.models import AssociationRequest, EventKind, SecurityEvent
from hubadmin.demo.sandbox import SANDBOX_TOKEN
from hubadmin.models import Role, User
from hubadmin.web.command_line import account
from tests.associations.management.commands import Ended, run_command
from tests.support import SandboxMixin, missing_table, person

ADA, ANALYTICAL = "contact:ada@example.com", "company:analytical.example"


class LinkTests(SandboxMixin, TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.user = person()

    def linked(self, *args: str, who: str = "support@example.com") -> Ended:
        return run_command("link", *args, "--as", who)

    def assert_nothing_sent(self, ended: Ended, code: int, reason: str) -> None:
        self.assertEqual((ended.code, ended.facts["exit_code"]), (code, code), ended)
        self.assertEqual(ended.facts["reason"], reason)
        self.assertEqual(self.puts(), [])
        self.assertFalse(AssociationRequest.objects.exists())
        self.assertTrue(ended.said.strip())

    def test_keys_name_their_records_and_the_log_says_who_ran_it(self) -> None:
        ended = self.linked(ADA, ANALYTICAL, "--reason", "SUP-1")
        self.assertEqual(ended.code, 0, ended)
        entry = AssociationRequest.objects.get()
        self.assertEqual(ended.facts["entry"]["id"], entry.pk)
        pair = (entry.from_object_type, entry.from_object_id)
        pair += (entry.to_object_type, entry.to_object_id)
        self.assertEqual(pair, ("contacts", "501", "companies", "902"))
        self.assertEqual((entry.outcome, entry.verified, entry.reason), ("linked", True, "SUP-1"))
        self.assertEqual(entry.user, self.user)
        self.assertEqual(entry.user_agent, f"hubadmin link command, by system user {account()}")
        self.assertEqual((entry.client_ip, entry.request_id), (None, ""))
        self.assertEqual(entry.names.from_typed, "ada@example.com")
        self.assertEqual(entry.names.to_name, "Analytical Ltd")
        searches = SecurityEvent.objects.filter(what=EventKind.RECORDS_SEARCHED)
        self.assertEqual({each.user_agent for each in searches}, {entry.user_agent})
        self.assertEqual(len(self.puts()), 1)
        self.assertNotIn(SANDBOX_TOKEN, ended.written + ended.said)

    def test_the_account_is_the_systems_and_not_what_the_environment_says(self) -> None:
        forged = dict.fromkeys(("LOGNAME", "USER", "USERNAME"), "somebody-else")
        with mock.patch.dict(os.environ, forged):
            self.linked("contact 501", "company 902")
        self.assertNotIn("somebody-else", AssociationRequest.objects.get().user_agent)

    def test_ids_and_addresses_are_taken_as_in_the_box(self) -> None:
        address = "https://app.hubspot.com/contacts/1/record/0-2/903"
        with override_settings(HUBSPOT_PORTAL_ID="1"):
            ended = self.linked("contact:501", address)
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(AssociationRequest.objects.get().to_object_id, "903")

    def test_a_name_is_never_taken_even_if_it_is_the_only_one(self) -> None:
        ended = self.linked(ADA, "company:Analytical Ltd")
        self.assert_nothing_sent(ended, 3, "choose")
        (candidate, *_) = ended.facts["candidates"]["to"]
        self.assertEqual(
            (candidate["write"], candidate["name"]), ("companies 902", "Analytical Ltd")
        )
        again = self.linked(ADA, candidate["write"])
        self.assertEqual(again.code, 0, again)

    def test_an_id_without_a_type_is_told_with_what_it_could_be(self) -> None:
        ended = self.linked("501", "company:902")
        self.assert_nothing_sent(ended, 3, "choose")
        self.assertIn("contacts 501", [each["write"] for each in ended.facts["candidates"]["from"]])

    def test_what_is_not_there_is_told(self) -> None:
        for text, reason in (
            ("contact:nobody@example.com", "not_yet"),
            ("contact:999999", "missing"),
            ("contact 999999", "missing"),
        ):
            with self.subTest(text):
                self.assert_nothing_sent(self.linked(text, "company:902"), 3, reason)

    def test_what_is_no_record_at_all_is_bad_input(self) -> None:
        self.assert_nothing_sent(self.linked("contact:", "company:902"), 2, "empty")
        self.assert_nothing_sent(self.linked("contact 501", "contact 501"), 2, "itself")
        ended = self.linked(ADA, ANALYTICAL, "--reason", "x" * 501)
        self.assert_nothing_sent(ended, 2, "max_length")

    def test_what_is_linked_already_is_told_and_not_sent_again(self) -> None:
        self.linked("contact 501", "company 902")
        ended = self.linked("contact 501", "company 902")
        self.assertEqual((ended.code, ended.facts["result"]), (0, "linked_already"))
        self.assertTrue(ended.facts["before"]["linked"])
        self.assertEqual(len(self.puts()), 1)

    def test_nobody_may_act_as_somebody_who_may_not(self) -> None:
        person("nobody", group="of none")
        User.objects.filter(email="nobody@example.com").update(role=Role.NONE)
        left = person("left")
        User.objects.filter(pk=left.pk).update(is_active=False, role=Role.ADMIN)
        for who, reason in (
            ("unknown@example.com", "nobody"),
            ("", "nobody"),
            ("nobody@example.com", "may_not_act"),
            ("left@example.com", "may_not_act"),
            ("%", "nobody"),
        ):
            with self.subTest(who):
                self.assert_nothing_sent(self.linked(ADA, ANALYTICAL, who=who), 2, reason)

    def test_one_of_several_is_named_by_id(self) -> None:
        other = person("twin")
        User.objects.filter(pk=other.pk).update(email="SUPPORT@example.com", role=Role.SUPPORT)
        ended = self.linked(ADA, ANALYTICAL)
        self.assert_nothing_sent(ended, 2, "several")
        self.assertEqual({each["id"] for each in ended.facts["people"]}, {self.user.pk, other.pk})
        self.assertEqual(self.linked(ADA, ANALYTICAL, who=str(other.pk)).code, 0)
        self.assertEqual(AssociationRequest.objects.get().user, other)

    def test_a_name_of_a_person_is_enough(self) -> None:
        self.assertEqual(self.linked(ADA, ANALYTICAL, who="Support").code, 0)

    def test_a_refusal_of_hubspots_and_a_silence_have_codes_of_their_own(self) -> None:
        for fault, code, outcome in (
            ({"status": 403}, 1, "rejected"),
            ({"status": 500}, 4, "unreachable"),
        ):
            with self.subTest(outcome):
                self.sandbox.faults.add(fault | {"method": "PUT"})
                ended = self.linked("contact 501", "company 902")
                self.assertEqual((ended.code, ended.facts["result"]), (code, outcome), ended)
                self.sandbox.reset()

    @override_settings(SUBMITS_PER_PERSON_PER_MINUTE=1)
    def test_it_counts_as_one_of_the_persons_submits(self) -> None:
        self.linked("contact 501", "company 902")
        ended = self.linked("contact 501", "company 903")
        self.assertEqual((ended.code, ended.facts["reason"]), (5, "too_many_submits"))
        self.assertEqual(len(self.puts()), 1)

    @override_settings(FINDS_PER_PERSON_PER_HOUR=1)
    def test_its_searches_are_those_of_the_person(self) -> None:
        self.linked("contact:ada@example.com", "company:902")
        ended = self.linked("contact:grace@example.com", "company:903")
        self.assertEqual((ended.code, ended.facts["reason"]), (5, "too_many_finds"))

    def test_without_the_log_nothing_is_sent(self) -> None:
        with missing_table(AssociationRequest):
            ended = self.linked("contact 501", "company 902")
        self.assertEqual((ended.code, ended.facts["reason"]), (5, "log_unavailable"))
        self.assertEqual(self.puts(), [])

    def test_sentences_follow_the_shells_language_and_codes_do_not(self) -> None:
        with mock.patch.dict(os.environ, {"LC_ALL": "ja_JP.UTF-8"}):
            ended = self.linked(ADA, "company:Analytical Ltd")
        self.assert_nothing_sent(ended, 3, "choose")
        self.assertRegex(ended.said, "[\u3040-\u30ff]")
