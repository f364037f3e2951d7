"""Ways to read the log: pages by position, the parts of a filter, counts, and texts."""

import unittest
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from unittest import mock

from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from associations.audit import recorder
from associations.audit.integrity import triggers
from associations.audit.recorder import RequestMeta
from associations.hubspot.answers import Answer
from associations.hubspot.outcomes import Cause, Outcome
from associations.models import (
    AssociationRequest,
    AssociationRequestQuerySet,
    AuditFilter,
    RecordNames,
)
from associations.models.querysets import TEXT_INDEX, Position, count_of, page_of
from tests.associations.linking.base import entry_of, named_entry_of
from tests.support import (
    LINK,
    SandboxMixin,
    SignedInClient,
    have_pages_close_abandoned,
    know_of_no_changes,
    person,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENTRIES = AssociationRequest.objects


def pks(entries: Iterable[AssociationRequest]) -> list[int]:
    return [entry.pk for entry in entries]


def joined(pages: Iterable[list[int]]) -> list[int]:
    return [pk for page in pages for pk in page]


class PageTests(TestCase):
    def setUp(self) -> None:
        self.user = person()

    def entry(self, minutes: int = 0, **fields: object) -> int:
        created_at = NOON + timedelta(minutes=minutes)
        return entry_of(self.user, created_at=created_at, **fields).pk

    def page(self, size: int = 2, **position: Position) -> list[int]:
        return pks(page_of([ENTRIES.for_list()], size=size, **position))

    def all_pages(self, size: int) -> list[list[int]]:
        pages = [self.page(size)]
        while pages[-1]:
            pages.append(self.page(size, before=ENTRIES.position_of(pages[-1][-1])))
        return pages[:-1]

    def test_a_page_keeps_its_meaning_while_entries_arrive(self) -> None:
        oldest, older, newer, newest = (self.entry(n) for n in range(4))
        before, after = ENTRIES.position_of(newer), ENTRIES.position_of(older)
        self.assertEqual(self.page(before=before), [older, oldest])
        self.assertEqual(self.page(after=after), [newest, newer])
        arrived = [self.entry(n) for n in (4, 5)]
        self.assertEqual(self.page(before=before), [older, oldest])
        self.assertEqual(self.page(after=after), [newest, newer])
        self.assertEqual(self.page(), arrived[::-1])

    def test_the_time_orders_them_and_not_the_number(self) -> None:
        late, early, middle = (self.entry(n) for n in (9, 1, 5))
        self.assertEqual(self.all_pages(1), [[late], [middle], [early]])

    def test_of_the_same_moment_none_is_left_out_or_shown_twice(self) -> None:
        same = [self.entry() for _ in range(5)][::-1]
        for size in range(1, 7):
            with self.subTest(size):
                self.assertEqual(joined(self.all_pages(size)), same)
                back = self.page(size, after=ENTRIES.position_of(same[-1]))
                self.assertEqual(back, same[:-1][-size:])

    def test_the_next_newer_page_is_the_one_that_one_came_from(self) -> None:
        for n in range(7):
            self.entry(n // 2)
        pages = self.all_pages(2)
        for newer, older in pairwise(pages):
            self.assertEqual(self.page(after=ENTRIES.position_of(older[0])), newer)

    def test_where_an_entry_is_gone_its_neighbours_go_on(self) -> None:
        oldest, gone, newest = (self.entry(n) for n in range(3))
        with triggers.lifted():
            ENTRIES.filter(pk=gone).delete()
        position = ENTRIES.position_of(gone)
        self.assertEqual(self.page(before=position), [oldest])
        self.assertEqual(self.page(after=position), [newest])

    def test_before_all_that_is_left_there_is_nothing_and_after_it_everything(self) -> None:
        gone, left = self.entry(0), self.entry(1)
        with triggers.lifted():
            ENTRIES.filter(pk=gone).delete()
        for pk in (gone, 0):
            self.assertEqual(self.page(before=ENTRIES.position_of(pk)), [])
            self.assertEqual(self.page(after=ENTRIES.position_of(pk)), [left])

    def test_a_number_that_is_yet_to_come_stands_after_the_last_one(self) -> None:
        entry = self.entry()
        self.assertEqual(self.page(before=ENTRIES.position_of(10**17)), [entry])
        self.assertEqual(self.page(after=ENTRIES.position_of(10**17)), [])


class BranchTests(TestCase):
    def setUp(self) -> None:
        self.users = [person(name, "support") for name in ("ada", "bruno", "chiara")]
        sides = [("1", "2"), ("2", "1"), ("1", "1"), ("3", "4")]  # the third: one record, twice
        outcomes = ["linked", "rejected", "unreachable"]
        for n in range(36):
            from_id, to_id = sides[n % 4]
            fields = {"from_object_id": from_id, "to_object_id": to_id, "outcome": outcomes[n % 3]}
            fields |= {"to_object_type": ("contacts", "companies")[n // 12 % 2]}
            fields |= {"verified": (True, False, None)[n // 2 % 3], "was_linked": n % 5 == 0}
            created_at = NOON + timedelta(minutes=n * 7 % 12)
            entry_of(self.users[n // 4 % 3], created_at=created_at, **fields)

    def assert_same(self, wanted: AuditFilter, parts: int) -> None:
        """The parts are so many, hold every entry once, and are a list in one order together."""
        branches = ENTRIES.for_list().branches(wanted)
        everything = pks(ENTRIES.for_list().matching(wanted))
        self.assertTrue(everything)
        self.assertEqual(len(branches), parts)
        self.assertCountEqual(joined(pks(branch.all()) for branch in branches), everything)
        self.assertEqual(pks(page_of(branches, size=100)), everything)
        self.assertEqual(count_of(branches), len(everything))

    def test_they_are_what_the_filter_finds_and_none_of_it_twice(self) -> None:
        two = tuple(user.pk for user in self.users[:2])
        outcomes = ("linked", "rejected")
        record = {"record_id": "1", "record_type": "contacts"}
        for wanted, parts in (
            (AuditFilter(), 1),
            (AuditFilter(users=two[:1], outcomes=outcomes[:1]), 1),
            (AuditFilter(users=two), 2),
            (AuditFilter(outcomes=outcomes), 2),
            (AuditFilter(users=two, outcomes=outcomes), 2),
            (AuditFilter(record_id="1"), 2),
            (AuditFilter(**record), 2),
            (AuditFilter(**record, users=two, outcomes=outcomes, http_status=None), 2),
            (AuditFilter(record_id="1", to_object_type="companies", since=NOON), 2),
            (AuditFilter(seen="not_verified"), 1),
            (AuditFilter(seen="verified", outcomes=outcomes), 2),
            (AuditFilter(seen="already", users=two), 2),
            (AuditFilter(seen="not_verified", record_id="1"), 2),
        ):
            with self.subTest(wanted):
                self.assert_same(wanted, parts)

    def test_they_are_paged_as_one_list(self) -> None:
        wanted = AuditFilter(users=tuple(user.pk for user in self.users))
        everything = pks(ENTRIES.for_list().matching(wanted))
        for size in (1, 5):
            for n, pk in enumerate(everything):
                branches, position = ENTRIES.for_list().branches(wanted), ENTRIES.position_of(pk)
                older = page_of(branches, size=size, before=position)
                newer = page_of(branches, size=size, after=position)
                self.assertEqual(pks(older), everything[n + 1 : n + 1 + size])
                self.assertEqual(pks(newer), everything[max(0, n - size) : n])

    def test_a_record_is_found_on_either_side_and_only_of_its_type(self) -> None:
        found = pks(ENTRIES.matching(AuditFilter(record_type="contacts", record_id="1")))
        for entry in ENTRIES.all():
            sides = {(entry.from_object_type, entry.from_object_id)}
            sides.add((entry.to_object_type, entry.to_object_id))
            self.assertEqual(entry.pk in found, ("contacts", "1") in sides)

    def test_nothing_is_counted_further_than_the_most_that_is_told(self) -> None:
        wanted = AuditFilter(outcomes=("linked", "rejected", "unreachable"))
        for most, queries in ((5, 1), (12, 1), (13, 2), (36, 3), (37, 3)):
            with (
                self.subTest(most),
                mock.patch("associations.models.querysets.COUNTED_AT_MOST", most),
                self.assertNumQueries(queries),
            ):
                self.assertEqual(count_of(ENTRIES.for_list().branches(wanted)), min(most, 36))


class SeenTests(TestCase):
    INDEXES = {
        "verified": "request_newest",
        "already": "request_was_linked",
        "not_verified": "request_not_verified",
    }

    def setUp(self) -> None:
        self.user = person()

    def found(self, seen: str) -> set[tuple[str, bool | None, bool | None]]:
        entries = ENTRIES.matching(AuditFilter(seen=seen))
        return {(e.outcome, e.was_linked, e.verified) for e in entries}

    def test_it_is_told_by_what_the_two_looks_gave(self) -> None:
        looks = [(a, b) for a in (None, False, True) for b in (None, False, True)]
        rows = [(str(outcome), *look) for outcome in Outcome for look in looks]
        for outcome, was_linked, verified in rows:
            entry_of(self.user, outcome=outcome, was_linked=was_linked, verified=verified)
        perhaps = ("linked", "unconfirmed", "unreachable")
        for seen, expected in {
            "": rows,
            "verified": [row for row in rows if row[2]],
            "already": [row for row in rows if row[1]],
            "not_verified": [row for row in rows if row[0] in perhaps and not row[2]],
        }.items():
            with self.subTest(seen):
                self.assertEqual(self.found(seen), {*expected})

    def test_its_page_follows_an_index_without_sorting(self) -> None:
        for seen, index in self.INDEXES.items():
            for more in ({}, {"since": NOON}, {"until": NOON}, {"reason": "ab"}):
                with self.subTest(seen, **more):
                    (branch,) = ENTRIES.for_list().branches(AuditFilter(seen=seen, **more))
                    plan = self.plan(branch[:51])
                    self.assertIn(index, plan)
                    self.assertNotRegex(plan, "(?i)sort|b-tree")

    def plan(self, entries: AssociationRequestQuerySet) -> str:
        if connection.vendor == "sqlite":
            return entries.explain()
        with connection.cursor() as cursor:  # or it reads so few entries as they come
            for way in ("seqscan", "bitmapscan", "sort"):
                cursor.execute(f"SET LOCAL enable_{way} = off")
        return entries.explain()


class TextTests(TestCase):
    """A text that few entries have, none of them new."""

    def setUp(self) -> None:
        user = person()
        self.rare = [
            entry_of(user, reason="Legal hold", created_at=NOON + timedelta(minutes=n)).pk
            for n in range(5)
        ]
        for n in range(20):
            entry_of(user, reason="SUP-1", created_at=NOON + timedelta(days=1, minutes=n))

    def test_its_pages_come_in_order(self) -> None:
        branches = ENTRIES.for_list().branches(AuditFilter(reason="legal"))
        newest_first = self.rare[::-1]
        self.assertEqual(pks(page_of(branches, size=9)), newest_first)
        middle = ENTRIES.position_of(newest_first[2])
        self.assertEqual(pks(page_of(branches, size=9, before=middle)), newest_first[3:])
        self.assertEqual(pks(page_of(branches, size=9, after=middle)), newest_first[:2])
        self.assertEqual(pks(page_of(branches, size=1, after=middle)), newest_first[1:2])

    @unittest.skipUnless(
        connection.vendor == "postgresql", "SQLite goes by the index of the texts anyway"
    )
    def test_it_is_not_looked_for_along_the_whole_list(self) -> None:
        with connection.cursor() as cursor:
            for way in ("seqscan", "sort"):
                cursor.execute(f"SET LOCAL enable_{way} = off")
        (branch,) = ENTRIES.for_list().branches(AuditFilter(reason="legal"))
        plan = branch[:51].explain()
        self.assertIn("Sort Key", plan)
        self.assertNotIn("request_newest", plan)
        (common,) = ENTRIES.for_list().branches(AuditFilter(reason="SUP-1"))
        self.assertIn("request_newest", common[:51].explain())

    def test_what_is_common_is_counted_as_well(self) -> None:
        for text, number in (("legal", 5), ("SUP-1", 20), ("P-", 20), ("nowhere", 0)):
            for wanted in (AuditFilter(reason=text), AuditFilter(reason=text, until=NOON)):
                branches = ENTRIES.for_list().branches(wanted)
                expected = 0 if wanted.until else number
                with self.subTest(wanted):
                    self.assertEqual(count_of(branches, wanted), expected)
                    self.assertEqual(count_of(branches), expected)


class QueryCountTests(SandboxMixin, TestCase):
    def test_no_page_asks_more_often_for_more_entries(self) -> None:
        user, admin = person(), SignedInClient(person("admin"))
        addresses = ("/audit/", "/audit/?record=501", "/audit/figures/")
        addresses += (f"/audit/?who={user.pk}&error=abc", "/audit/records/contacts/501/")
        asked = []
        for more in (1, 30, 60):  # the last fill more than a page
            for _ in range(more):
                entry_of(user, error_text="abc def", outcome="rejected", cause="refused")
            asked.append([self.queries(admin, address) for address in addresses])
        self.assertEqual(asked[0], asked[1])
        self.assertEqual(asked[0], asked[2])

    def queries(self, client: SignedInClient, address: str) -> int:
        know_of_no_changes()
        have_pages_close_abandoned()
        with CaptureQueriesContext(connection) as captured:
            self.assertEqual(client.get(address).status_code, 200)
        return len(captured)


class RareTextTests(TestCase):
    """However often the text stands in the newest entries, it is looked up."""

    COMMON = 1_000

    def setUp(self) -> None:
        self.user = person()
        self.enterContext(mock.patch("associations.models.querysets.COMMON", self.COMMON))

    def found(self, reason: str = "", error: str = "") -> list[int]:
        wanted = AuditFilter(reason=reason, error_words=tuple(error.split()))
        return pks(ENTRIES.matching(wanted).order_by("id"))

    def entries(self, *reasons: str) -> list[int]:
        return [entry_of(self.user, reason=reason).pk for reason in reasons]

    def failed(self, text: str) -> int:
        return entry_of(self.user, outcome="rejected", cause="refused", error_text=text).pk

    def test_it_is_found_anywhere_in_either_case(self) -> None:
        entries = self.entries("SUP-1042 merged", "see sup-1042", "XSUP-1042X", "SUP-104", "")
        for text in ("SUP-1042", "sup-1042", "uP-10", "p-1042"):
            self.assertEqual(self.found(text)[:3], entries[:3])
        self.assertEqual(self.found("SUP-1042"), entries[:3])

    def test_no_character_in_it_means_anything_but_itself(self) -> None:
        texts = ['say "yes" to', "say yes to", "100 % of", "100 x of", "a_b_c", "axbxc", "O'Brien"]
        texts += ["C:\\temp\\x", "C:temp x", "ends in \\", "abc* OR (abc)", "abc", "reason : abc"]
        texts += ["日本語の会社", "🙂🙃🙂", '"""', "%%%", "___", "\\\\\\"]
        entries = dict(zip(texts, self.entries(*texts), strict=True))
        for text in texts:
            with self.subTest(text):
                expected = [pk for other, pk in entries.items() if text in other]
                self.assertEqual(self.found(text), expected)

    def test_each_word_has_to_be_in_it_in_any_order_and_short_ones_count(self) -> None:
        entry = self.failed("HTTP 502 from a proxy at contact=7")
        for words in ("proxy HTTP", "502 a 7", "=7 contact", "prox", "OX http", "a at proxy"):
            self.assertEqual(self.found(error=words), [entry], words)
        for words in ("proxy 503", "HTTP z", "proxyHTTP", "from 8"):
            self.assertEqual(self.found(error=words), [], words)

    def test_reasons_and_errors_are_looked_for_apart(self) -> None:
        (by_reason,), by_error = self.entries("a certain text"), self.failed("a certain text")
        self.assertEqual(self.found(reason="certain"), [by_reason])
        self.assertEqual(self.found(error="certain"), [by_error])

    def test_what_hubspot_said_is_found_once_the_entry_is_closed(self) -> None:
        entry, _ = recorder.open_entry(
            user=self.user, submit_token="", meta=RequestMeta(), reason="SUP-7", **LINK
        )
        self.assertEqual((self.found("SUP-7"), self.found(error="invalid")), ([entry.pk], []))
        recorder.close_entry(entry, Answer(Cause.REFUSED, error_text="They are invalid."))
        self.assertEqual(self.found("SUP-7"), [entry.pk])
        self.assertEqual(self.found(error="invalid"), [entry.pk])
        self.assertEqual(self.found("SUP-7", "invalid"), [entry.pk])

    def test_what_was_taken_out_of_the_log_is_found_no_more(self) -> None:
        gone, left = self.entries("SUP-1042 gone", "SUP-1042 left")
        with triggers.lifted():
            ENTRIES.filter(pk=gone).delete()
        self.assertEqual(self.found("SUP-1042"), [left])


class CommonTextTests(RareTextTests):
    """If it stands there but once, the entries are read through for it."""

    COMMON = 1


class RareNameTests(TestCase):
    """However often the name stands in the newest entries, it is looked up and read at once."""

    COMMON, FEW = 1_000, 500

    def setUp(self) -> None:
        self.user = person()
        self.enterContext(mock.patch("associations.models.querysets.NAMES_COMMON", self.COMMON))
        self.enterContext(mock.patch("associations.models.querysets.FEW", self.FEW))

    def found(self, name: str, **wanted: object) -> list[int]:
        return pks(ENTRIES.matching(AuditFilter(name=name, **wanted)).order_by("id"))

    def named(self, from_name: str, to_name: str = "Other", typed: str = "") -> int:
        return named_entry_of(self.user, from_name, to_name, typed).pk

    def test_it_is_found_on_either_side_anywhere_in_either_case_and_by_what_was_typed(self) -> None:
        one, other = self.named("Ada Byron", "Analytical Ltd"), self.named("Bruno", "ADA & Sons")
        typed = self.named("A. B.", "Ltd", "ada@example.com")
        entry_of(self.user, reason="Ada")  # no name of a record
        self.assertEqual(self.found("ada"), [one, other, typed])
        self.assertEqual(self.found("a byr"), [one])
        self.assertEqual(self.found("@EXAMPLE"), [typed])
        self.assertEqual(self.found("byron analytical"), [])  # not over two of them
        self.assertEqual(self.found("ada", reason="nowhere"), [])

    def test_no_character_in_it_means_anything_but_itself(self) -> None:
        texts = [
            "100 % Ltd",
            "100 x Ltd",
            "a_b_c",
            "axbxc",
            "O'Brien",
            'Say "yes" Inc.',
            "C:\\x\\y",
        ]
        texts += ["abc* OR (abc)", "abc", "日本語の会社", "田中", "🙂🙃🙂", "%%%", "___", '"""']
        entries = {text: self.named(text) for text in texts}
        for text in texts:
            with self.subTest(text):
                expected = [pk for other, pk in entries.items() if text in other]
                self.assertEqual(self.found(text), expected)

    def test_its_pages_and_its_number_are_those_of_the_entries(self) -> None:
        found = [self.named("Ada", "Ltd") for _ in range(5)]
        self.named("Bruno")
        for wanted in (AuditFilter(name="ada"), AuditFilter(name="ada", outcomes=("linked",))):
            branches = ENTRIES.for_list().branches(wanted)
            self.assertEqual((count_of(branches), count_of(branches, wanted)), (5, 5))
            self.assertEqual(pks(page_of(branches, size=2)), found[:2:-1])
            older = page_of(branches, size=9, before=ENTRIES.position_of(found[3]))
            self.assertEqual(pks(older), found[2::-1])
        short = AuditFilter(name="da")
        self.assertEqual(count_of(ENTRIES.for_list().branches(short), short), 5)

    def test_what_was_erased_is_found_no_more(self) -> None:
        entry = self.named("Ada Byron", "Analytical Ltd")
        with triggers.lifted():
            RecordNames.objects.filter(pk=entry).update(from_name="", from_salt="")
        self.assertEqual(self.found("Ada Byron"), [])
        self.assertEqual(self.found("Analytical"), [entry])


class ManyNamesTests(RareNameTests):
    """They are looked up, and met on the way."""

    FEW = 0


class CommonNameTests(RareNameTests):
    """If it stands there but once, the entries are read through for it."""

    COMMON = 1


@unittest.skipUnless(connection.vendor == "sqlite", "PostgreSQL keeps its index by itself")
class TextIndexTests(TestCase):
    def setUp(self) -> None:
        self.user = person()

    def indexed(self, text: str) -> list[int]:
        """What the index alone finds: an entry that has changed must not stay in it as it was."""
        query = f"SELECT rowid FROM {TEXT_INDEX} WHERE {TEXT_INDEX} MATCH %s ORDER BY rowid"
        with connection.cursor() as cursor:
            cursor.execute(query, [f'"{text}"'])
            return [row[0] for row in cursor.fetchall()]

    def test_it_follows_an_entry_from_the_first_text_to_the_last(self) -> None:
        entry = entry_of(self.user, outcome="sending", cause="")
        for old, new in (("", "first"), ("first", "second"), ("second", ""), ("", "third")):
            ENTRIES.filter(pk=entry.pk).update(error_text=new)
            if old:
                self.assertEqual(self.indexed(old), [], (old, new))
            if new:
                self.assertEqual(self.indexed(new), [entry.pk], (old, new))
        with triggers.lifted():
            entry.delete()
        self.assertEqual(self.indexed("third"), [])

    def test_it_is_asked_unless_the_text_is_common_or_too_short(self) -> None:
        for _ in range(3):
            entry_of(self.user, reason="common text")
        for text, common, is_asked in (
            ("common", 4, True),
            ("common", 3, False),
            ("unheard of", 1, True),
            ("co", 4, False),
        ):
            with (
                self.subTest(text, common=common),
                mock.patch("associations.models.querysets.COMMON", common),
            ):
                query = str(ENTRIES.matching(AuditFilter(reason=text)).query)
                self.assertEqual("MATCH" in query, is_asked)
