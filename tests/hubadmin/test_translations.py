"""Everything that pages say is there in Japanese, and the compiled catalogue is up to date."""

import gettext
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.test import SimpleTestCase, override_settings, tag
from django.utils import timezone, translation

from associations.audit import recorder
from associations.audit.integrity.sealing import seal_log
from associations.audit.recorder import RequestMeta
from associations.bulk import backoff
from associations.gateway import clients
from associations.hubspot.outcomes import VERDICTS, Cause, Linked, Outcome
from associations.linking import services
from associations.linking.forms import AssociationForm
from associations.models import (
    AssociationBatch,
    AuditExport,
    AuditVerification,
    BulkRow,
    BulkRun,
    EventKind,
    Worker,
)
from associations.templatetags.cells import again_url
from associations.texts.labels import WORDS, field_label, from_label, word_for
from associations.texts.outcomes import explain
from tests.associations.linking.base import PageTestCase, entry_of, run_of
from tests.hubadmin.catalogue import Message, messages_of, text_of, unmarked_in
from tests.support import LINK, SignedInClient, needed

FOLDER = settings.BASE_DIR / "associations" / "locale" / "ja" / "LC_MESSAGES"
PO, MO = FOLDER / "django.po", FOLDER / "django.mo"
COMMAND = [*("makemessages", "-l", "ja", "--ignore", "tests", "--no-obsolete", "--no-wrap")]
COMMAND += ["--add-location", "file"]
JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
TAG = re.compile(r"<[^>]*>")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|{\w*}")
# Names that stay as they are; of settings, commands and abbreviations every one.
NAMES = re.compile(
    r"[A-Z][A-Z0-9_]*|\w+_\w+|--\w+|manage\.py|migrate|v4|hubadmin|HubSpot|Lines|Ed25519|Cookie|"
    r"https|(status|app)\.hubspot\.com|contacts?|record|UTF-8|[KM]iB|Excel|Redis|Enter|Tab|"
    r"ops|email|example\.com|xls[bx]?|ods|OpenDocument|Windows|Macintosh|Unix|Shift|EUC-JP|SHA-256|"
    r"systemd-timesyncd|chrony",
    re.ASCII,
)
HAS_GETTEXT = bool(shutil.which("msgfmt") and shutil.which("xgettext"))


def words_of(text: str) -> list[str]:
    """The words in Latin letters that are no names."""
    plain = PLACEHOLDER.sub(" ", TAG.sub(" ", text)).replace("'s ", " ")
    words = re.findall(r"[A-Za-z][\w.-]*|--\w+", plain, re.ASCII)
    return [word for word in words if not NAMES.fullmatch(word)]


class CatalogueTests(SimpleTestCase):
    def messages(self) -> Iterator[tuple[Message, str]]:
        """Every message with its translation; Japanese has one form for all numbers."""
        found = messages_of(PO)
        self.assertGreater(len(found), 400)
        for message in found:
            self.assertEqual([*message.texts], [0], message.id)
            yield message, message.texts[0]

    def test_each_is_translated_and_none_is_a_guess_or_a_remnant(self) -> None:
        for message, text in self.messages():
            with self.subTest(message.id):
                self.assertTrue(text.strip())
                self.assertNotIn("fuzzy", message.flags)
        self.assertNotRegex(PO.read_text(encoding="utf-8"), r"(?m)^#~")

    def test_each_is_japanese(self) -> None:
        for message, text in self.messages():
            with self.subTest(message.id):
                if words_of(message.id):
                    self.assertNotEqual(text, message.id)
                    self.assertRegex(text, JAPANESE)

    def test_names_and_tags_are_all_taken_over(self) -> None:
        for message, text in self.messages():
            with self.subTest(message.id):
                # The plural has them all; the form for one thing may do without the number.
                source = message.plural or message.id
                for part in (PLACEHOLDER, TAG):
                    self.assertEqual(sorted(part.findall(text)), sorted(part.findall(source)))

    def test_no_english_is_left_in_them(self) -> None:
        for _, text in self.messages():
            with self.subTest(text):
                self.assertEqual(words_of(text), [])

    def test_punctuation_is_that_of_japanese(self) -> None:
        for _, text in self.messages():
            with self.subTest(text):
                plain = TAG.sub("", text)
                for half_width in (r"{0}\s*[,:;!?()]", r"[,;!?()]\s*{0}", r"\.\.\.|\. |{0}\."):
                    self.assertNotRegex(plain, half_width.format(JAPANESE.pattern))
                self.assertNotRegex(plain, "[\uff10-\uff19\uff21-\uff5a]")  # letters, digits


class WordingTests(SimpleTestCase):
    """One word for one thing, and one way to write it, in both languages."""

    # What it was called before: the seal, the entry, the integrity of the log, numbered records.
    OLD_JAPANESE = re.compile("封印|エントリー|完全性|[12]つ目のレコード")
    OLD_ENGLISH = re.compile(
        r"(?i)\b(first|second) records?\b|said twice|are through|what stands there|\bbegun\b|"
        r"the record of it|\bgo on\b(?! like)"
    )
    SPACE_BEFORE_PERCENT = re.compile(r"[\d}s] (%%|%(?!\())")
    NUMBER = r"(?:\{(?:number|runs?)\}|%\((?:number|last)\)s)"
    # What has a number for its name stands apart from it: 一括処理 1, シール 8, コンタクト 509.
    NUMBERED = "一括処理|シール|記録|試行|コンタクト|会社"
    NAMED_TOO_NEAR = re.compile(rf"(?:{NUMBERED})(?:\d|{NUMBER}(?![件回分個組行]))")
    COUNTED_TOO_FAR = re.compile(r"(?:\d|\}|\)s) [件分秒回個組行]")

    def setUp(self) -> None:
        self.messages = messages_of(PO)

    def assert_none(self, pattern: re.Pattern[str], texts: Iterator[str]) -> None:
        self.assertEqual([text for text in texts if pattern.search(text)], [])

    def japanese(self) -> Iterator[str]:
        return (message.texts[0] for message in self.messages)

    def english(self) -> Iterator[str]:
        return (text for each in self.messages for text in (each.id, each.plural) if text)

    def test_old_words_do_not_come_back(self) -> None:
        self.assert_none(self.OLD_JAPANESE, self.japanese())
        self.assert_none(self.OLD_ENGLISH, self.english())

    def test_a_percentage_is_written_in_one_way(self) -> None:
        for texts in (self.japanese(), self.english()):
            self.assert_none(self.SPACE_BEFORE_PERCENT, texts)

    def test_numbers_stand_apart_from_names_and_near_what_they_count(self) -> None:
        self.assert_none(self.NAMED_TOO_NEAR, self.japanese())
        self.assert_none(self.COUNTED_TOO_FAR, self.japanese())

    def test_no_space_follows_a_full_stop_in_japanese(self) -> None:
        self.assert_none(re.compile("[。、] "), self.japanese())


@needed(HAS_GETTEXT, "gettext")
class FreshnessTests(SimpleTestCase):
    def setUp(self) -> None:
        self.copy = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_in_copy(self, *command: str | Path) -> None:
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": "hubadmin.settings"}
        options = {"cwd": self.copy, "env": environment, "timeout": 300}
        subprocess.run(command, check=True, capture_output=True, **options)

    def test_the_catalogue_has_what_the_source_says_and_nothing_else(self) -> None:
        ignore = shutil.ignore_patterns("__pycache__", "static")
        for name in ("associations", "hubadmin", "templates"):
            shutil.copytree(settings.BASE_DIR / name, self.copy / name, ignore=ignore)
        shutil.copy(settings.BASE_DIR / "manage.py", self.copy)
        self.run_in_copy(sys.executable, "manage.py", *COMMAND)
        fresh = self.copy / PO.relative_to(settings.BASE_DIR)
        said, translated = ({each.key for each in messages_of(po)} for po in (fresh, PO))
        self.assertEqual((said - translated, translated - said), (set(), set()), "makemessages!")

    def test_what_is_compiled_is_the_catalogue(self) -> None:
        self.run_in_copy("msgfmt", "--check-format", "-o", "fresh.mo", PO)
        compiled = []
        for mo in (self.copy / "fresh.mo", MO):
            with mo.open("rb") as file:
                compiled.append(gettext.GNUTranslations(file)._catalog)
        self.assertEqual(*compiled, "compilemessages!")


class ReadmeTests(SimpleTestCase):
    def test_it_gives_the_command(self) -> None:
        readme = (PO.parents[2] / "README.md").read_text(encoding="utf-8")
        self.assertIn(f".venv/bin/python manage.py {' '.join(COMMAND)}\n", readme)


class TemplateTests(SimpleTestCase):
    # What is no language's, and the product's name.
    ALLOWED = re.compile(r"hubadmin|HTTP|UTC|H:i|[^A-Za-z]")
    BAD = [
        "<p>Sent</p>",
        "<p>{% translate 'Sent' %} now</p>",
        "<p>{% blocktranslate %}Sent{% endblocktranslate %}</p>now",
        "<nav aria-label='Main'></nav>",
        "<img alt='Chart'>",
        "<span title='{{ day }} noon'></span>",
        "<input type='submit' value='Send'>",
        "<input placeholder='Name'>",
        "<button data-copied='Copied'></button>",
        "{{ name|default:'none given' }}",
        "{{ count|pluralize:'y,ies' }}",
        "{% include 'x.html' with title='Audit log' %}",
        "{% if a %}Sent{% endif %}",
    ]
    GOOD = [
        "<p>{% translate 'Sent' %} {{ name }} → 7</p>",
        "{% blocktranslate trimmed %}<b>Sent</b> to {{ name }}{% endblocktranslate %}",
        "{# Sent #}{% comment %}Sent{% endcomment %}<script src='{% url 'x' %}'></script>",
        "{% include 'x.html' with name='link' title=_('Audit log') %}",
        "<button class='quiet' name='person' value='admin' data-copy='bundle'></button>",
        "<code>manage.py migrate</code><input type='hidden' value='Sent'>",
    ]

    def unmarked(self, template: str) -> list[str]:
        return [text for text in unmarked_in(template) if self.ALLOWED.sub("", text)]

    def test_each_asks_for_the_translation_of_all_that_it_says(self) -> None:
        templates = [*(settings.BASE_DIR / "templates").rglob("*.html")]
        self.assertGreater(len(templates), 40)
        for path in templates:
            with self.subTest(path.relative_to(settings.BASE_DIR)):
                self.assertEqual(self.unmarked(path.read_text(encoding="utf-8")), [])

    def test_what_is_not_marked_would_be_found(self) -> None:
        for template in self.BAD:
            with self.subTest(template):
                self.assertNotEqual(self.unmarked(template), [])
        for template in self.GOOD:
            with self.subTest(template):
                self.assertEqual(self.unmarked(template), [])


class WordTests(SimpleTestCase):
    def test_each_code_has_a_word_of_its_own_in_each_language(self) -> None:
        kinds = ([*Outcome], [*Linked], [*Cause], AuditExport.State.values)
        codes = [code for kind in kinds for code in kind]
        self.assertEqual((len(codes), set(WORDS)), (len(WORDS), set(codes)))
        for language in ("en", "ja"):
            with translation.override(language):
                for kind in kinds:
                    self.assertEqual(len({word_for(code) for code in kind}), len(kind))
        with translation.override("ja"):
            for code in codes:
                self.assertRegex(word_for(code), JAPANESE)

    def test_an_outcome_is_called_by_its_code_in_english(self) -> None:
        for code in (*Outcome, *Linked):
            self.assertEqual(word_for(code), code)

    def test_what_is_no_code_stays_as_it_is(self) -> None:
        self.assertEqual((word_for("unheard of"), word_for("")), ("unheard of", ""))

    def test_every_field_that_is_shown_again_has_a_name(self) -> None:
        with translation.override("ja"):
            for name in AssociationForm.TYPED_FIELDS:
                self.assertRegex(field_label(name), JAPANESE)


@tag("long", "one_database")
class PageTests(PageTestCase):
    """Pages as people see them whose browser asks for Japanese."""

    ASKED = {"accept-language": "ja"}
    # Two words of English after another, or one that stands alone.
    ENGLISH = re.compile(r"[A-Za-z]{2,}[ ,]+[a-z]{2,}|^[A-Z]?[a-z]{2,}:?$")
    NOT_OURS = {
        *("Car", "Property viewing"),  # what the account calls them
        *(f"関連付け{side}：Property viewing（IDまたは名前）" for side in "元先"),  # noqa: RUF001
        "nothing",  # no type, but somebody has posted it
        *("hubadmin", "English", "Support", "Admin", "JSON Lines", "csv", "Python", "Django"),
    }

    def assert_japanese(self, client: SignedInClient, address: str, **fields: str) -> None:
        ask = client.post if fields else client.get
        answer = ask(address, *filter(None, [fields]), headers=self.ASKED, follow=True)
        with self.subTest(address, status=answer.status_code):
            texts = text_of(answer.content.decode())
            self.assertTrue(any(JAPANESE.search(text) for text in texts))
            english = [text for text in texts if self.ENGLISH.search(text)]
            self.assertEqual([text for text in english if text not in self.NOT_OURS], [])

    def test_every_way_in_which_a_request_can_end(self) -> None:
        for cause in Cause:
            entry = entry_of(self.user, cause=cause, outcome=VERDICTS[cause].outcome)
            entry.attempts.create(number=1, started_at=entry.sent_at, duration_ms=7, failure=cause)
            for client in (self.client, self.as_admin):
                self.assert_japanese(client, entry.get_absolute_url())
        under_way = entry_of(self.user, cause="", outcome="sending", finished_at=None)
        self.assert_japanese(self.as_admin, under_way.get_absolute_url())
        self.assert_japanese(self.client, "/requests/")

    def test_the_form_and_what_it_answers(self) -> None:
        self.assert_japanese(self.client, "/")
        for fields in (
            {"reason": "x" * 501},
            {"from_object_type": "nothing", "from_object_id": "x"},
            {"from_object_id": "0" * 21, "to_object_id": "https://example.com/"},
        ):
            self.assert_japanese(self.client, "/", **fields)

    def test_what_comes_after_a_link(self) -> None:
        linked = entry_of(self.user, verified=True)
        before = entry_of(self.user, was_linked=True, to_object_id="903")
        missing = entry_of(self.user, outcome="rejected", cause="record_not_found")
        for address in (
            *(f"/?linked={each}" for each in (linked.pk, before.pk, f"{linked.pk}-{before.pk}")),
            f"/latest/?linked={linked.pk}",
            f"/requests/together/{linked.pk}-{missing.pk}/",
            f"/requests/together/{linked.pk}/?repeated",
            *("/bookmarklet/", "/?filled"),
        ):
            self.assert_japanese(self.client, address)
        for also in ("90x", "コンタクト", "contact 501", "\n".join(map(str, range(1, 30)))):
            self.assert_japanese(self.client, "/", **LINK, also=also)
        with override_settings(SUBMITS_PER_PERSON_PER_MINUTE=4):
            self.assert_japanese(self.client, "/", **LINK, also="904\n905")

    def test_what_hubspot_has_and_how_things_stand(self) -> None:
        entry = entry_of(self.user)
        entry.attempts.create(number=1, started_at=entry.sent_at, duration_ms=7, http_status=200)
        for pair in (LINK, LINK | {"to_object_id": "999999"}, LINK | {"to_object_type": "0-1"}):
            self.assert_japanese(self.client, f"/?{urlencode(pair)}")
            self.assert_japanese(self.client, "/", check="", **pair)
        self.client.post(f"{entry.get_absolute_url()}check/", headers=self.ASKED)
        self.assertTrue(entry.checks.exists())
        self.assert_japanese(self.client, entry.get_absolute_url())
        for address in ("/status/", "/status/times/"):
            self.assert_japanese(self.as_admin, address)
        with override_settings(HUBSPOT_API_BASE_URL="http://127.0.0.1:9", AUDIT_SIGNING_KEY=""):
            clients.interactive.cache_clear()
            self.assert_japanese(self.as_admin, "/status/")
            self.assert_japanese(self.client, "/", check="", **LINK)
        clients.interactive.cache_clear()

    def test_the_audit_log(self) -> None:
        now = timezone.now()
        for outcome in Outcome:
            entry_of(self.user, outcome=outcome, error_category="ODD_ONE", created_at=now)
        for query in (
            "",
            "?outcome=linked&range=7d&since=2026-11-24",
            f"?outcome=odd&range=odd&since=odd&status=x&who={10**9}&tz=odd&record=x&reason=a",
            "?since=2026-11-24&until=2026-11-01&record_type=Contact&status=7",
            "?outcome=linked&status=404&range=today&from_type=Contact&correlation=7",
        ):
            for address in ("/audit/", "/audit/figures/"):
                self.assert_japanese(self.as_admin, address + query)
        self.assert_japanese(self.as_admin, "/audit/records/contacts/501/")
        self.assert_japanese(self.as_admin, "/audit/records/tickets/7/")

    def test_exports_and_integrity(self) -> None:
        for address in ("/audit/exports/", "/audit/integrity/"):
            self.assert_japanese(self.as_admin, address)
        meta = RequestMeta(client_ip="127.0.0.1", user_agent="", request_id="")
        for state in AuditExport.State:
            record = recorder.open_export(
                user=self.admin,
                file_format="csv",
                query="outcome=linked&since=2026-11-24&tz=UTC",
                meta=meta,
            )
            if state is not AuditExport.State.RUNNING:
                recorder.close_export(record, state=state, rows=1234)
        entry_of(self.user)
        self.assert_japanese(self.as_admin, "/audit/integrity/")
        list(seal_log())
        now = timezone.now()
        for is_proven in (True, False):
            AuditVerification.objects.create(
                started_at=now, finished_at=now, is_proven=is_proven, seals=1, items=2
            )
            self.assert_japanese(self.as_admin, "/audit/integrity/")
        self.assert_japanese(self.as_admin, "/audit/exports/")

    def test_security_events(self) -> None:
        self.assert_japanese(self.as_admin, "/audit/events/")
        run = run_of(self.user)
        for kind in EventKind:
            facts = {"entry": 7, "from": "admin", "left_out": 3, "file": "x.csv", "by": "root"}
            recorder.record_event(kind, user=self.user, run=run, **facts)
            recorder.record_event(kind, run=run if kind.startswith("run") else None)
        query = f"?who={self.user.pk}&what=downloaded&day=2026-11-24&tz=UTC"
        for each in ("", query, "?before=1", "?who=odd&what=odd&day=odd&tz=odd"):
            self.assert_japanese(self.as_admin, f"/audit/events/{each}")

    def test_bulk_runs_before_they_start(self) -> None:
        self.assert_japanese(self.client, "/bulk/")
        self.assert_japanese(self.client, "/bulk/", rows="", from_object_type="nothing")
        self.assert_japanese(self.client, "/bulk/", rows="x" * (settings.MAX_REQUEST_BYTES + 1))
        read = {"rows_read": 9, "rows_invalid": 2, "rows_double": 1, "rows_linked": 2}
        facts = {"found": "a, b", "field": "to_object_id"}
        run_of(self.user, state="unreadable", problem="missing_column", problem_facts=facts)
        read_as = {"cp1252": "担当", "mac-roman": "店"}
        layout = {"columns": [["担当", ["501"]], ["", []]], "encodings": read_as}
        layout |= {"is_remembered": True}
        read |= {"layout": layout, "rows_further": 2}
        run_of(self.user, state="unreadable", problem="no_header", layout=layout)
        run_of(self.user, state="reading", name="", size=5_000, rows_read=9)
        run_of(self.user, state="ready", lookup_cause="timed_out", unused_columns=["担当"], **read)
        run = run_of(self.user, state="ready", from_object_type="contacts", **read)
        for number, problem in enumerate(("required", "no_type"), start=1):
            cell = {"line": number + 1, "problem": problem, "problem_field": "to_object_id"}
            BulkRow.objects.create(run=run, number=number, state="invalid", **cell)
        self.assert_japanese_runs()

    def test_bulk_runs_once_they_are_started(self) -> None:
        now = timezone.now()
        ends = {"linked": 3, "unconfirmed": 1, "rejected": 1, "unreachable": 1, "canceled": 1}
        counts = {"rows_read": 12, "rows_invalid": 2, "rows_double": 1, "queued": 9, **ends}
        counts |= {"skip_linked": True, "rows_linked": 1}
        for state in ("queueing", "running", "paused", "canceling", "canceled", "done"):
            times = {"started_at": now - timedelta(seconds=20), "finished_at": now}
            run = run_of(self.user, state=state, stop_cause="interrupted", **counts, **times)
            for what in EventKind:
                recorder.record_event(what, run=run)
        self.assert_japanese(self.client, "/")  # where it is said which have ended
        entry_of(self.user, run=run, row_number=7, outcome="rejected", cause="record_not_found")
        run_of(self.user, retry_of=run)
        self.assert_japanese_runs()
        Worker.objects.create(name="here", seen_at=now)
        for cause in ("rate_limited", "daily_limit", "migrating", "timed_out", "locked"):
            backoff.pause_calls(cause, now + timedelta(seconds=70))
            self.assert_japanese_runs(state="running")
            self.assert_japanese(self.as_admin, "/status/")

    def assert_japanese_runs(self, **which: str) -> None:
        """Those that there are, and their list."""
        for client in (self.client, self.as_admin):
            self.assert_japanese(client, "/bulk/")
            for run in BulkRun.objects.filter(**which):
                self.assert_japanese(client, run.get_absolute_url())

    def test_an_entry_of_a_run(self) -> None:
        run = run_of(self.user)
        ends = {"duration_ms": 812, "http_status": 201, "body": "{}", "cause": "confirmed"}
        types = {"from_object_type": "contacts", "to_object_type": "companies"}
        batch = AssociationBatch.objects.create(
            run=run, inputs=2_000, started_at=timezone.now(), **ends, **types
        )
        entry = entry_of(self.user, run=run, row_number=17, batch=batch)
        waiting = entry_of(self.user, run=run, row_number=18, outcome="queued", cause="")
        for address in (entry.get_absolute_url(), waiting.get_absolute_url()):
            self.assert_japanese(self.client, address)
        for query in (f"?run={run.pk}", "?run=odd"):
            self.assert_japanese(self.as_admin, f"/audit/{query}")

    def test_what_stands_in_for_a_page(self) -> None:
        for address in ("/sign-in", "/no-access", "/sign-in/start", "/sign-in/callback"):
            self.assert_japanese(SignedInClient(), address)
        for mode in ("", "header", "assertion"):
            with override_settings(SSO_MODE=mode, SSO_ASSERTION_HEADER="X-Assertion"):
                for address in ("/sign-in", "/no-access"):
                    self.assert_japanese(SignedInClient(), address)
        for address in ("/nowhere", "/audit/", "/requests/999/", "/?" + "&" * 1_000):
            self.assert_japanese(self.client, address)

    def test_what_is_written_down_stays_as_it_was(self) -> None:
        """Codes, not words: the log means the same whoever reads it."""
        with translation.override("ja"):
            entry = services.create_association(user=self.user, **LINK)
            entry.refresh_from_db()
            self.assertEqual((entry.outcome, entry.cause), ("linked", "confirmed"))
            self.assertEqual(str(entry), "Contact 501 → Company 902: linked")
            self.assertEqual(from_label(entry), "コンタクト 501")
        files = []
        for language in ("en", "ja"):
            asked = {"accept-language": language}
            for address in ("/audit/export.csv", f"/requests/{entry.pk}/support-bundle.txt"):
                files.append(self.as_admin.get(address, headers=asked).getvalue())
        self.assertEqual(files[:2], files[2:])


class TypeTests(PageTestCase):
    """What is called so in one language is understood in the other: addresses are passed on."""

    def test_an_address_means_the_same_to_every_reader(self) -> None:
        entry = entry_of(self.user)
        for asked in ("en", "ja"):
            headers = {"accept-language": asked}
            for name in ("Contact", "Contacts", "コンタクト", "contacts", "0-1"):
                with self.subTest(name, asked=asked):
                    query = {"from_type": name}
                    page = self.as_admin.get("/audit/", query, headers=headers)
                    self.assertEqual([*page.context["entries"]], [entry])

    def test_hubspots_english_tells_which_record_is_missing_to_every_reader(self) -> None:
        errors = [{"context": {"INVALID_OBJECT_IDS": ["CONTACT=7 is not valid"]}}]
        same = {"from_object_id": "7", "to_object_id": "7"}
        entry = entry_of(self.user, cause="record_not_found", errors=errors, **same)
        with translation.override("ja"):
            self.assertEqual(explain(entry).sentence, "HubSpotにコンタクト 7は存在しません。")

    def test_once_more_is_filled_in_as_the_reader_calls_it(self) -> None:
        for name in ("Contact", "コンタクト"):
            asked = {"accept-language": "en" if name == "Contact" else "ja"}
            self.client.post("/", LINK, headers=asked)
            again = self.client.get("/", headers=asked).context["latest"][0].entry
            with translation.override(asked["accept-language"]):
                page = self.client.get(again_url(again), headers=asked, follow=True)
            self.assertEqual(page.context["form"]["from_object_type"].value(), name)


class FormatTests(PageTestCase):
    def test_times_and_numbers_are_written_as_the_language_does(self) -> None:
        moment = datetime(2026, 11, 4, 9, 5, 7, tzinfo=UTC)
        entry = entry_of(self.user, created_at=moment)
        for language, shown in (("en", "4 Nov 2026, 09:05:07"), ("ja", "2026年11月4日 09:05:07")):
            headers = {"accept-language": language}
            answer = self.as_admin.get(entry.get_absolute_url(), headers=headers)
            self.assertContains(answer, f'title="2026-11-04 09:05:07 UTC">{shown} UTC</time>')
            self.assertContains(answer, 'datetime="2026-11-04T09:05:07+00:00"')
            listed = self.as_admin.get("/audit/", headers=headers)
            self.assertContains(listed, 'title="2026-11-04 09:05:07 UTC">09:05</time>')
            self.assertContains(listed, shown.partition(",")[0].partition(" 09")[0])

    def test_large_numbers_are_grouped(self) -> None:
        meta = RequestMeta(client_ip="127.0.0.1", user_agent="", request_id="")
        record = recorder.open_export(user=self.admin, file_format="csv", query="", meta=meta)
        recorder.close_export(record, state=AuditExport.State.COMPLETE, rows=1234567)
        for language in ("en", "ja"):
            page = self.as_admin.get("/audit/exports/", headers={"accept-language": language})
            self.assertContains(page, "<td>1,234,567</td>")

    def test_what_a_field_holds_stays_as_browsers_want_it(self) -> None:
        for language, shown in (("en", "4 Nov 2026"), ("ja", "2026年11月4日")):
            headers = {"accept-language": language}
            page = self.as_admin.get("/audit/?since=2026-11-04", headers=headers)
            self.assertContains(page, 'name="since" value="2026-11-04"')
            self.assertContains(page, shown)  # on the chip
