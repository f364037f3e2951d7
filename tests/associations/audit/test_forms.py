"""The filters of the audit log as an address has them: what they take, mean and say."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest import mock

from django.http import QueryDict
from django.test import SimpleTestCase
from django.utils import timezone

from associations.audit.forms import AuditFilterForm
from associations.models import AuditFilter
from associations.models.querysets import SEEN

PEOPLE = [(1, "Ada (ada@example.com)"), (2, "Bruno")]


def form_of(query: str = "") -> AuditFilterForm:
    return AuditFilterForm(QueryDict(query), PEOPLE)


@contextmanager
def at(now: str, zone: str = "UTC") -> Iterator[None]:
    """The clock by which "today" is told, and the zone of whoever looks."""
    clock = SimpleNamespace(
        now=lambda: datetime.fromisoformat(now), get_current_timezone=timezone.get_current_timezone
    )
    with mock.patch("associations.audit.forms.timezone", clock), timezone.override(zone):
        yield


class FormTestCase(SimpleTestCase):
    def wanted(self, query: str) -> AuditFilter:
        form = form_of(query)
        self.assertEqual(form.errors, {})
        return form.wanted()

    def assert_days(self, query: str, since: str | None, until: str | None) -> None:
        """From when to when, in UTC, and not a moment more."""
        wanted = self.wanted(query)
        found = [m and f"{m.astimezone(UTC):%Y-%m-%dT%H:%M}" for m in (wanted.since, wanted.until)]
        self.assertEqual(found, [since, until], query)


class FieldTests(FormTestCase):
    def test_nothing_at_all_is_every_entry(self) -> None:
        self.assertEqual(self.wanted(""), AuditFilter())
        self.assertEqual(self.wanted("utm_source=x&page=2&before=5"), AuditFilter())

    def test_every_field_is_a_part_of_the_filter(self) -> None:
        query = "who=1&who=2&outcome=linked&outcome=sending&record=501&record_type=Contact"
        query += "&from_type=Line+item&to_type=2-4001&reason=+SUP-1++twice+&error=not++a"
        query += "&category=validation_error&status=404&correlation=+ab-C+&seen=already"
        query += "&since=2026-11-01&until=2026-11-01&name=+Ada++Byron+&request=0AF"
        expected = AuditFilter(
            users=(1, 2),
            outcomes=("linked", "sending"),
            from_object_type="0-8",
            to_object_type="2-4001",
            record_type="contacts",
            record_id="501",
            since=datetime(2026, 11, 1, tzinfo=UTC),
            until=datetime(2026, 11, 2, tzinfo=UTC),
            error_category="VALIDATION_ERROR",
            http_status=404,
            correlation_id="ab-C",
            name="Ada Byron",
            request_id="0af",
            reason="SUP-1 twice",
            error_words=("not", "a"),
            seen="already",
        )
        self.assertEqual(self.wanted(query), expected)

    def test_a_category_in_mixed_case_stays_as_it_is(self) -> None:
        self.assertEqual(self.wanted("category=Mixed_Case").error_category, "Mixed_Case")

    def test_each_field_says_what_is_wrong_with_it(self) -> None:
        day, three_digits = "Write the day like 2026-11-24, or", "An HTTP status has three digits"
        century, length = "Choose a day from 2000 to 2099.", "Ensure this value has at most 100"
        for query, told in {
            "who=3": "Nobody with the number 3 has ever signed in.",
            "who=x": "Nobody with the number x has ever signed in.",
            "outcome=linked&outcome=lost": "There is no outcome “lost”.",
            "range=31d": "There is no range “31d”.",
            "seen=+verified": "“ verified” is nothing that was seen. Choose one of those listed.",
            "seen=linked": "“linked” is nothing that was seen.",
            "since=24/11/2026": day,
            "until=2026-11-31": day,
            "since=1999-12-31": century,
            "until=2100-01-01": century,
            "record=50a": "A record id has digits only",
            "record=0501": "does not start with 0",
            "record_type=contactz&record=1": "No object type called “contactz” is known here.",
            "from_type=x": "No object type called “x” is known here.",
            "to_type=x": "No object type called “x” is known here.",
            "reason=ab": "Write at least 3 characters of the reason.",
            "reason=+a++": "Write at least 3 characters of the reason.",
            "error=a+bc": "One of the words must have at least 3 characters.",
            "error=one+two+3+4+5+6+7+8+9": "Write 8 words at most.",
            "status=abc": "An HTTP status is a number, such as 404.",
            "status=99": three_digits,
            **dict.fromkeys(
                ("run=abc", "run=0", "run=-1", f"run={2**63}", f"run={'9' * 5000}"),
                "A run has a number, such as 12.",
            ),
            "status=1000": three_digits,
            "tz=Mars/Phobos": "There is no time zone “Mars/Phobos”.",
            "tz=../UTC": "There is no time zone “../UTC”.",
        }.items():
            self.assert_only_error(query, query.split("=")[0], told)
        for name in ("reason", "error", "category", "correlation"):
            self.assert_only_error(f"{name}={'x' * 101}", name, length)
            self.assert_only_error(f"{name}=a%00b", name, "Null characters are not allowed.")

    def test_what_contradicts_is_told_beside_one_of_the_fields(self) -> None:
        both = "Choose a range here or days"
        for query, name, told in (
            ("since=2026-11-02&until=2026-11-01", "until", "The last day is before the first."),
            ("range=7d&since=2026-11-01", "range", both),
            ("range=7d&until=2026-11-01", "range", both),
            ("record_type=contact", "record", "Enter the record's id as well"),
        ):
            self.assert_only_error(query, name, told)
        # Not twice: the id that is wrong is told already.
        self.assert_only_error("record_type=contact&record=x", "record", "digits only")

    def test_at_the_edges_each_field_takes_what_it_has_to(self) -> None:
        for query in (
            *(
                "status=100",
                "status=999",
                "run=1",
                f"run={2**63 - 1}",
                "since=2000-01-01",
                "until=2099-12-31",
                "reason=abc",
            ),
            *("error=a+b+c+d+e+f+g+abc", f"correlation={'x' * 100}", f"record={'9' * 20}"),
            *("since=2026-11-01&until=2026-11-01", "tz=Asia/Kolkata", "record=501&tz=UTC"),
        ):
            self.wanted(query)

    def assert_only_error(self, query: str, name: str, told: str) -> None:
        with self.subTest(query[:60]):
            errors = form_of(query).errors
            self.assertEqual([*errors], [name])
            self.assertEqual(len(errors[name]), 1)
            self.assertIn(told, errors[name][0])


class DayTests(FormTestCase):
    def test_the_last_day_is_in_it_to_its_end(self) -> None:
        days = "since=2026-11-24&until=2026-11-25"
        self.assert_days(days, "2026-11-24T00:00", "2026-11-26T00:00")
        self.assert_days("since=2026-11-24", "2026-11-24T00:00", None)
        self.assert_days("until=2026-12-31", None, "2027-01-01T00:00")
        self.assert_days("until=2099-12-31", None, "2100-01-01T00:00")

    def test_days_are_those_of_the_address_else_of_whoever_looks(self) -> None:
        days = "since=2026-11-24&until=2026-11-24"
        with timezone.override("America/New_York"):
            self.assert_days(days, "2026-11-24T05:00", "2026-11-25T05:00")
            self.assert_days(f"{days}&tz=Asia/Kolkata", "2026-11-23T18:30", "2026-11-24T18:30")

    def test_the_days_on_which_clocks_change_are_whole(self) -> None:
        for zone, day, since, until in (
            ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
            ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30", "2026-10-04T13:00"),
            # There is no midnight on this day, and on that one there are two.
            ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00", "2026-04-24T21:00"),
            ("America/Havana", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00"),
        ):
            with self.subTest(zone, day=day):
                self.assert_days(f"since={day}&until={day}&tz={zone}", since, until)

    def test_ranges_end_with_today_as_it_is_where_one_looks(self) -> None:
        with at("2026-11-24T23:30+00:00"):
            self.assert_days("range=today", "2026-11-24T00:00", None)
            self.assert_days("range=7d", "2026-11-18T00:00", None)
            self.assert_days("range=30d", "2026-10-26T00:00", None)
        with at("2026-11-24T23:30+00:00", "Europe/Berlin"):
            self.assert_days("range=today", "2026-11-24T23:00", None)
            self.assert_days("range=30d", "2026-10-26T23:00", None)
        with at("2026-11-25T00:30+00:00", "America/New_York"):
            self.assert_days("range=today", "2026-11-24T05:00", None)

    def test_a_range_over_the_change_of_clocks_begins_at_midnight_of_that_day(self) -> None:
        with at("2026-10-26T12:00+00:00", "Europe/Berlin"):
            self.assert_days("range=today", "2026-10-25T23:00", None)
            self.assert_days("range=7d", "2026-10-19T22:00", None)

    def test_today_is_everybodys_own_whatever_zone_the_address_names(self) -> None:
        # Else the further pages, whose addresses do without the zone, would be those of another.
        with at("2026-11-24T23:30+00:00", "America/New_York"):
            form = form_of("range=today&tz=Asia/Tokyo")
            self.assertEqual(form.query().urlencode(), "range=today")
            self.assert_days("range=today&tz=Asia/Tokyo", "2026-11-24T05:00", None)


class AddressTests(FormTestCase):
    def test_it_says_what_is_filled_in_and_nothing_else(self) -> None:
        for query, canonical in (
            ("", ""),
            ("reason=&who=&since=+", ""),
            ("page=2&status=404&before=7&outcome=linked", "outcome=linked&status=404"),
            ("who=2&who=&who=1", "who=2&who=1"),
            ("seen=", ""),
            ("range=7d&seen=verified&seen=already", "seen=already&range=7d"),
            ("reason=50%25+off%26on", "reason=50%25+off%26on"),
            ("tz=Europe/Berlin&range=7d", "range=7d"),
            ("tz=Europe/Berlin&since=2026-11-01", "since=2026-11-01&tz=Europe%2FBerlin"),
            ("tz=Europe/Berlin&until=2026-11-01", "until=2026-11-01&tz=Europe%2FBerlin"),
        ):
            with self.subTest(query):
                self.assertEqual(form_of(query).query().urlencode(), canonical)

    def test_once_more_it_stays_as_it_is(self) -> None:
        query = (
            "tz=UTC&who=2&reason=+a+b+c+&since=2026-11-01&status=&outcome=linked&outcome=sending"
        )
        canonical = form_of(query).query().urlencode()
        self.assertEqual(form_of(canonical).query().urlencode(), canonical)


class ChipTests(FormTestCase):
    def chips(self, query: str) -> dict[tuple[str, str], str]:
        form = form_of(query)
        self.assertEqual(form.errors, {})
        return {(chip.name, chip.value): chip.query_without for chip in form.chips()}

    def test_each_filter_is_one_that_can_be_taken_off(self) -> None:
        query = "who=1&outcome=linked&outcome=sending&from_type=contacts&status=404"
        rest = query.split("&")
        self.assertEqual(
            self.chips(query),
            {
                ("People", "Ada (ada@example.com)"): "&".join(rest[1:]),
                ("Outcome", "linked"): "&".join([rest[0], *rest[2:]]),
                ("Outcome", "sending"): "&".join([*rest[:2], *rest[3:]]),
                ("From type", "Contact"): "&".join([*rest[:3], rest[4]]),
                ("HTTP status", "404"): "&".join(rest[:4]),
            },
        )
        self.assertEqual(self.chips(""), {})

    def test_what_was_seen_is_told_in_the_words_of_the_form(self) -> None:
        for value, words in (
            ("verified", "Linked and verified"),
            ("already", "Was already linked"),
            ("not_verified", "Perhaps linked, not verified"),
        ):
            self.assertEqual(
                self.chips(f"seen={value}&status=404"),
                {("What was seen", words): "status=404", ("HTTP status", "404"): f"seen={value}"},
            )

    def test_each_choice_is_one_that_the_log_knows(self) -> None:
        names = [value for value, _ in form_of().fields["seen"].choices]
        self.assertEqual(names, ["", *SEEN, "changed"])

    def test_the_zone_goes_with_the_last_day(self) -> None:
        chips = self.chips("since=2026-11-01&until=2026-11-02&tz=Asia/Tokyo&status=404")
        since, until = ("From day", "1 Nov 2026, Asia/Tokyo"), ("To day", "2 Nov 2026, Asia/Tokyo")
        self.assertEqual(chips[since], "until=2026-11-02&status=404&tz=Asia%2FTokyo")
        self.assertEqual(chips[until], "since=2026-11-01&status=404&tz=Asia%2FTokyo")
        self.assertNotIn("Asia/Tokyo", [value for _, value in chips])
        (without,) = self.chips("since=2026-11-01&tz=Asia/Tokyo").values()
        self.assertEqual(without, "")

    def test_days_say_where_they_begin_and_end_in_utc(self) -> None:
        days = form_of("since=2026-10-25&until=2026-10-25&tz=Europe/Berlin&status=404")
        self.assertTrue(days.is_valid())
        in_utc = [chip.in_utc for chip in days.chips()]
        self.assertEqual(in_utc, ["2026-10-24 22:00 UTC \N{EN DASH} 2026-10-25 23:00 UTC", ""])

    def test_one_day_is_one_chip(self) -> None:
        chips = self.chips("since=2026-11-01&until=2026-11-01&tz=Asia/Tokyo&status=404")
        day = ("Day", "1 Nov 2026, Asia/Tokyo")
        self.assertEqual([*chips], [day, ("HTTP status", "404")])
        self.assertEqual(chips[day], "status=404")

    def test_of_a_field_that_takes_one_value_only_the_one_that_counts_is_shown(self) -> None:
        self.assertEqual(self.wanted("status=404&status=500").http_status, 500)
        self.assertEqual(self.chips("status=404&status=500"), {("HTTP status", "500"): ""})


class QuickLinkTests(FormTestCase):
    def links(self, query: str) -> dict[str, str]:
        return {link.text: link.query for link in form_of(query).quick_links()}

    def lit(self, query: str) -> list[str]:
        return [link.text for link in form_of(query).quick_links() if link.is_on]

    def test_a_range_goes_over_the_filter_as_it_is(self) -> None:
        links = self.links("status=404&since=2026-11-01&tz=UTC&before=7")
        self.assertEqual(links["Today"], "status=404&range=today")
        self.assertEqual(links["Last 7 days"], "status=404&range=7d")
        self.assertEqual(links["Last 30 days"], "status=404&range=30d")

    def test_failures_today_are_all_outcomes_that_are_none(self) -> None:
        for query in ("", "status=404&who=1"):
            wanted = self.wanted(self.links(query)["Failures today"])
            failed = {"unconfirmed", "rejected", "unreachable", "canceled"}
            self.assertEqual((set(wanted.outcomes), wanted.http_status), (failed, None))
            self.assertIsNotNone(wanted.since)

    def test_the_one_that_is_on_says_so(self) -> None:
        for query, lit in (
            ("", []),
            ("range=today", ["Today"]),
            ("range=7d&status=404", ["Last 7 days"]),
            ("range=today&outcome=rejected", ["Today"]),
            (self.links("")["Failures today"], ["Today", "Failures today"]),
        ):
            with self.subTest(query):
                self.assertEqual(self.lit(query), lit)

    def test_a_filter_that_cannot_be_read_is_not_carried_on(self) -> None:
        self.assertEqual(self.links("status=x")["Today"], "range=today")
