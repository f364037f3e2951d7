import json
from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from associations.hubspot.sanitizing import REDACTED, clean_headers, redact
from tests.generated import examples

PAT = "pat-na1-00000000-aaaa-bbbb-cccc-000000000000"


class RedactionTests(TestCase):
    def test_the_configured_token_whatever_its_form(self) -> None:
        for token in ("opaque", "CJv0/x+y==", "a.b*c[d", "C:\\1"):
            with self.subTest(token):
                self.assertEqual(redact(f"<{token}> {token}", token), f"<{REDACTED}> {REDACTED}")

    def test_without_a_configured_token_the_text_stays(self) -> None:
        self.assertEqual(redact("Nothing to hide", ""), "Nothing to hide")

    def test_bearer_credentials(self) -> None:
        for text, expected in {
            "Authorization: Bearer abc.def": f"Authorization: Bearer {REDACTED}",
            "bearer  abc/+=": f"bearer  {REDACTED}",
            "{'Authorization': 'Bearer abc'}": f"{{'Authorization': 'Bearer {REDACTED}'}}",
            "b'BEARER abc', 1": f"b'BEARER {REDACTED}', 1",
        }.items():
            with self.subTest(text):
                self.assertEqual(redact(text), expected)

    def test_what_looks_like_a_private_app_token_wherever_it_stands(self) -> None:
        for before, after in (
            ("", ""),
            ("<", ">"),
            ("_", "_"),
            ("?token=", "&x=1"),
            ("a line\n", "\n"),
            ("a line\\n", "\\n"),
            ("€", "€"),
        ):
            for token in (PAT, PAT.upper(), PAT.replace("na1", "eu1"), "pat-na2-12345678"):
                with self.subTest(before + token + after):
                    self.assertEqual(redact(before + token + after), before + REDACTED + after)

    def test_ordinary_words_stay(self) -> None:
        for text in ("pat-a-cake", "compatible", "a pat on the back", "bearer", "forbearance"):
            with self.subTest(text):
                self.assertEqual(redact(text), text)

    @examples(100)
    @given(st.text(), st.text())
    def test_json_stays_json(self, before: str, after: str) -> None:
        line = json.dumps({before: [f"{before}Bearer {PAT}{after}", f"{before}{PAT}"]})
        redacted = redact(line, "opaque")
        json.loads(redacted)
        self.assertNotIn(PAT, redacted)


class HeaderTests(TestCase):
    def test_names_are_cleaned_as_values_are(self) -> None:
        headers = {"X-HubSpot-\0A": "b\0", "X-HubSpot-" + "y" * 999: "c" * 999, "Date": "now"}
        cleaned = clean_headers(headers, ("x-hubspot-",), "token")
        self.assertEqual(cleaned["X-HubSpot-\ufffdA"], "b\ufffd")
        self.assertEqual([len(name) for name in cleaned], [12, 500])
