"""Small files as people really have them: each once failed as a whole."""

from tests.associations.bulk.test_mapping import FileTestCase

CONTACTS, COMPANIES = "contacts", "companies"


class CaseTests(FileTestCase):
    def pairs(self, content: str | bytes, *meanings: str) -> list[tuple[str, ...]]:
        """The pairs of a file that is ready at once, or once its columns are said."""
        run = self.file(content)
        if meanings:
            run = self.said(run, *meanings)
        self.assertEqual((run.state, run.rows_invalid), ("ready", 0), run.problem)
        columns = ("from_object_type", "from_object_id", "to_object_type", "to_object_id")
        return list(run.rows.order_by("number").values_list(*columns))

    def test_ids_in_wide_digits(self) -> None:
        found = self.pairs("contact id,company id\n７０１,８０２\n")  # noqa: RUF001
        self.assertEqual(found, [(CONTACTS, "701", COMPANIES, "802")])

    def test_a_first_line_that_says_what_parts_the_cells(self) -> None:
        for sign in ",;\t":
            with self.subTest(sign):
                line = sign.join(["Contact ID", "Company ID"])
                found = self.pairs(f"sep={sign}\n{line}\n{sign.join(['701', '802'])}\n")
                self.assertEqual(found, [(CONTACTS, "701", COMPANIES, "802")])
                wide = f"sep={sign}\n{line}\n{sign.join(['701', '802'])}\n".encode("utf-16")
                self.assertEqual(self.pairs(wide), found)

    def test_exports_of_hubspot_wait_for_the_type_of_their_records(self) -> None:
        meanings = "from_object_id:contacts", "to_object_id:companies"
        expected = [(CONTACTS, "701", COMPANIES, "802"), (CONTACTS, "702", COMPANIES, "803")]
        for content in (
            "Record ID,Associated Company IDs\n701,802\n702,803\n",
            "Record ID,Primary Associated Company ID\n701,802\n702,803\n",
            "hs_object_id,associatedcompanyid\n701,802\n702,803\n",
            "レコードID,関連付けられた会社のID\n701,802\n702,803\n",
        ):
            with self.subTest(content):
                run = self.file(content)
                self.assertEqual((run.state, run.problem), ("unreadable", "no_type"))
                self.assertEqual(run.layout["meanings"], ["from_object_id", meanings[1]])
                self.said(run, *meanings)
                self.assertEqual(self.ids(run), [(one, other) for _, one, _, other in expected])
                run.delete()  # or the next one is read as this was said

    def test_several_ids_in_a_cell(self) -> None:
        found = self.pairs('contact id,company id\n701,802;803\n702,"804, 805"\n703,"806\n807"\n')
        self.assertEqual([to for *_, to in found], ["802", "803", "804", "805", "806", "807"])

    def test_an_id_that_excel_has_rounded_is_refused_by_name(self) -> None:
        run = self.file("contact id,company id\n1.23457E+11,802\n")
        self.assertEqual([row.problem for row in run.rows.all()], ["rounded"])
