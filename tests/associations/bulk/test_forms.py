"""The form that takes a file or pasted rows."""

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import SimpleTestCase, override_settings

from associations.bulk.forms import StartForm, UploadForm


def upload(content: bytes | None = None, **fields: str) -> UploadForm:
    files = {} if content is None else {"file": SimpleUploadedFile("a.csv", content)}
    return UploadForm(fields, files)


class UploadFormTests(SimpleTestCase):
    def test_a_file_or_rows_and_not_both(self) -> None:
        self.assertTrue(upload(b"501,902").is_valid())
        self.assertTrue(upload(rows="501,902").is_valid())
        self.assertEqual([*upload().errors], ["file"])
        self.assertEqual([*upload(rows=" \r\n\t").errors], ["file"])
        self.assertEqual([*upload(b"501,902", rows="501,902").errors], ["rows"])

    def test_an_empty_file_is_told_as_such(self) -> None:
        form = upload(b"")
        self.assertEqual([*form.errors], ["file"])
        self.assertIn("There is nothing in this file", form.errors["file"][0])

    @override_settings(BULK_MAX_BYTES=2048)
    def test_one_byte_too_many(self) -> None:
        self.assertTrue(upload(b"x" * 2048).is_valid())
        form = upload(b"x" * 2049, reason="SUP-1")
        self.assertTrue(form.is_too_large)
        self.assertIn("2.0\xa0KB are taken", form.errors["file"][0])

    def test_rows_are_kept_as_they_were_pasted(self) -> None:
        form = upload(rows="\t501\tCompany\t902\n")
        self.assertTrue(form.is_valid())
        self.assertEqual(form.cleaned_data["rows"], "\t501\tCompany\t902\n")

    def test_types_by_any_name_and_none_that_nobody_knows(self) -> None:
        form = upload(b"1,2", from_object_type="contact", to_object_type="0-2", reason=" a  b ")
        self.assertTrue(form.is_valid())
        told = {"from_object_type": "contacts", "to_object_type": "companies", "reason": "a b"}
        self.assertEqual(form.for_all_rows(), told)
        nothing = {"from_object_type": "", "to_object_type": "", "reason": ""}
        form = upload(b"1,2")
        self.assertTrue(form.is_valid())
        self.assertEqual(form.for_all_rows(), nothing)
        self.assertEqual([*upload(b"1,2", to_object_type="Contakt").errors], ["to_object_type"])

    def test_too_long_a_reason_and_what_no_database_takes(self) -> None:
        self.assertEqual([*upload(b"1,2", reason="x" * 501).errors], ["reason"])
        self.assertEqual([*upload(rows="1,\0").errors], ["rows"])


class StartFormTests(SimpleTestCase):
    def test_only_the_two_ways(self) -> None:
        for way, is_valid in (("batch", True), ("single", True), ("", False), ("both", False)):
            with self.subTest(way):
                self.assertEqual(StartForm({"way": way}).is_valid(), is_valid)
