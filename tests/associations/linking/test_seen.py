"""The log keeps what the records were called as somebody saw them."""

import re
import time
from datetime import timedelta
from unittest import mock

from django.core.cache import cache
from django.test import override_settings
from django.utils import timezone

from associations.linking.seen import Seen, seen_in, token_of
from associations.models import AssociationRequest, AuditErasure, RecordNames, name_digest
from tests.associations.linking.base import PageTestCase
from tests.support import LINK

TOKEN = re.compile(r'(?:data-seen|name="seen" value)="([^"]+)"')
ADA, ANALYTICAL = ("contacts", "501"), ("companies", "902")


class SeenTests(PageTestCase):
    def setUp(self) -> None:
        super().setUp()
        cache.clear()

    def found(self, side: str, text: str) -> list[str]:
        fields = {"side": side, f"{side}_object_id": text}
        page = self.client.post("/find/", fields, headers={"HX-Request": "true"}).text
        cache.clear()  # the submit may come to another process
        return TOKEN.findall(page)

    def linked(self, tokens: list[str]) -> AssociationRequest:
        self.client.post("/", LINK | {"seen": tokens})
        return AssociationRequest.objects.latest("id")

    def test_a_name_that_was_chosen_from_the_list(self) -> None:
        tokens = self.found("to", "902") + self.found("from", "ada@example.com")
        entry = self.linked(tokens)
        names = entry.names
        self.assertEqual((names.from_name, names.from_typed), ("Ada Byron", "ada@example.com"))
        self.assertEqual((entry.to_name, names.to_typed), (names.to_name, ""))
        self.assertTrue(entry.to_name)
        digest = name_digest(names.from_salt, "Ada Byron", "ada@example.com")
        self.assertEqual(entry.from_name_digest, digest)
        self.assertNotEqual(names.from_salt, names.to_salt)

    def test_a_card_without_script(self) -> None:
        typed = LINK | {"from_object_type": "", "from_object_id": "ada@example.com"}
        page = self.client.post("/", typed | {"check": "1"}).text
        cache.clear()
        names = self.linked(TOKEN.findall(page)).names
        self.assertEqual((names.from_name, names.from_typed), ("Ada Byron", "ada@example.com"))

    def test_what_nobody_saw_is_not_known(self) -> None:
        entry = self.linked([])
        self.assertEqual((entry.from_name, entry.from_name_digest), ("", ""))
        self.assertFalse(RecordNames.objects.exists())

    def test_what_this_process_has_just_shown_needs_no_token(self) -> None:
        self.client.post("/preview/", LINK, headers={"HX-Request": "true"})
        self.assertEqual(self.linked([]).from_name, "Ada Byron")

    def test_what_was_erased_does_not_come_back_from_a_page_that_is_open(self) -> None:
        tokens = self.found("to", "902") + self.found("from", "ada@example.com")
        tell = {"by": "the tests", "records": ["contacts/501"], "signature": "AAAA"}
        AuditErasure.objects.create(erased_at=timezone.now(), **tell)
        entry = self.linked(tokens)
        self.assertEqual((entry.from_name, entry.from_name_digest), ("", ""))
        self.assertEqual((entry.names.from_typed, entry.names.from_salt), ("", ""))
        self.assertTrue(entry.to_name)
        self.client.post("/preview/", LINK, headers={"HX-Request": "true"})
        self.assertEqual(self.linked([]).from_name, "")

    def test_what_was_erased_before_any_page_was_shown_is_kept_again(self) -> None:
        tell = {"by": "the tests", "records": ["contacts/501"], "signature": "AAAA"}
        long_ago = timezone.now() - timedelta(hours=26)
        AuditErasure.objects.create(erased_at=long_ago, **tell)
        self.assertEqual(self.linked(self.found("from", "501")).from_name, "Ada Byron")

    @override_settings(KEEP_RECORD_NAMES=False)
    def test_none_is_kept_where_none_may_be(self) -> None:
        entry = self.linked([token_of(ADA, Seen("Ada Byron", "ada@example.com"))])
        self.assertEqual((entry.from_name, entry.from_name_digest), ("", ""))
        self.assertFalse(RecordNames.objects.exists())

    def test_what_was_shown_of_another_record_tells_nothing_of_this_one(self) -> None:
        entry = self.linked([token_of(("contacts", "502"), Seen("Grace"))])
        self.assertEqual(entry.from_name, "")

    def test_what_cannot_be_seen_is_named(self) -> None:
        entry = self.linked([token_of(ADA, Seen("Ada\u202e\nByron" + "n" * 300))])
        self.assertEqual(entry.from_name[:19], "Ada⟨U+202E⟩ Byronnn")
        self.assertEqual(len(entry.from_name), 200)


class TokenTests(PageTestCase):
    def test_only_what_we_signed_counts_and_only_for_a_day(self) -> None:
        token = token_of(ADA, Seen("Ada Byron"))
        self.assertEqual(seen_in([token]), {ADA: Seen("Ada Byron")})
        self.assertEqual(seen_in([token[:-1] + "xy", "", "a:b:c"]), {})
        day = timedelta(hours=24, seconds=2).total_seconds()
        later = time.time() + day
        with mock.patch("django.core.signing.time.time", lambda: later):
            self.assertEqual(seen_in([token]), {})

    def test_no_more_are_read_than_a_form_can_have(self) -> None:
        tokens = [token_of(("contacts", str(n)), Seen("x")) for n in range(1, 200)]
        self.assertEqual(len(seen_in(tokens)), 60)

    def test_nothing_is_handed_on_where_nothing_was_shown(self) -> None:
        self.assertEqual(token_of(ANALYTICAL, Seen()), "")
