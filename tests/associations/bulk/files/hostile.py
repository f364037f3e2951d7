"""Files that nobody should upload, each with what becomes of it.

That is the rows in short (`501-902`, or the code of what is wrong), or the reason why the file is
not read, with its facts where they matter. Contacts and companies were chosen for all rows.
"""

import gzip
from typing import Any

ROW = "501,902\n"
HEADER = "from_id,to_id,reason\n"
GOOD = ["501-902"]
PORTAL = "https://app.hubspot.com/contacts/4242"

HTML = "<!DOCTYPE html>\n<html><body><table><tr><td>501</td><td>902</td></tr></table>"
MAIL = """Return-Path: <ada@example.com>
Received: from mx.example.com by mail.example.com
Subject: the rows, as promised
Content-Type: text/plain; charset=utf-8

501,902
"""
WORKBOOK = b"PK\x03\x04\x14\0\6\0\x08\0\0\0!\0" + bytes(16) + b"[Content_Types].xml \xa2\4\2"

Expected = list[str] | tuple[str, dict[str, Any]] | str

HOSTILE: dict[str, tuple[str | bytes, Expected]] = {
    # nothing, or not what its name says
    "empty": (b"", "empty"),
    "a byte order mark alone": (b"\xef\xbb\xbf", "empty"),
    "a wide byte order mark alone": (b"\xff\xfe", "empty"),
    "spaces": ("   \n\t\n  ", "empty"),
    "delimiters": (",,,\n,,,\n", "empty"),
    "20,000 empty lines": ("\n" * 20_000, "empty"),
    "a row below 20,000 empty lines": ("\r\n" * 20_000 + ROW, GOOD),
    "a header alone": (HEADER, "header_only"),
    "a header and empty lines": (HEADER + "\n,,\n" * 1000, "header_only"),
    "the beginning of a workbook": (WORKBOOK + bytes(3000), "damaged_workbook"),
    "a file of old Office": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(3000), "workbook"),
    "an archive": (b"PK\x03\x04\x14\0\0\0\x08\0rows.csv" + bytes(300), "archive"),
    "a packed file": (gzip.compress(ROW.encode()), "archive"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "pdf"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image"),
    "a photo": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image"),
    "a page": (HTML, "web_page"),
    "a page that is called a workbook": ("\ufeff\r\n<table>501", "web_page"),
    "JSON": ('{"inputs": [{"from": {"id": "1"}}]}', "json"),
    "a list in JSON": ("[\n  [501, 902]\n]", "json"),
    "a mail": (MAIL, "missing_columns"),
    "SQL": ("INSERT INTO links VALUES (501, 902);\n", "missing_columns"),
    "a program": (b"\x7fELF\2\1\1\0" + bytes(100), ("not_text", {"line": 1})),
    "random bytes": (bytes(range(256)) * 4, ("not_text", {"line": 1})),
    # encodings
    "a null character": ("501,902\n503,9\x0004\n", ("not_text", {"line": 2})),
    "UTF-16 of an odd length": (
        "501,902\n503".encode("utf-16") + b"9",
        ("broken_text", {"line": 2}),
    ),
    "UTF-16 without a mark": (HEADER.encode("utf-16-le") + "501,902,東".encode("utf-16-le"), GOOD),
    "UTF-16 the other way round": ((HEADER + ROW).encode("utf-16-be"), GOOD),
    "half a pair of surrogates": (
        "501,902\n501,902,\ud83d\n".encode("utf-16", "surrogatepass"),
        ("broken_text", {"line": 2}),
    ),
    "a surrogate in UTF-8": (
        "501,902,éèêë\n5,6,".encode() + b"\xed\xa0\xbd",
        ("broken_text", {"line": 2}),
    ),
    "two encodings": (
        "501,902,Köln\n".encode() + "5,6,Köln\n".encode("cp1252"),
        ("broken_text", {"line": 2}),
    ),
    "two encodings, mostly the old one": (
        "1,2,Köln\n3,4,Köln\n".encode("cp1252") + "5,6,Köln\n".encode(),
        ("broken_text", {"line": 3}),
    ),
    "overlong UTF-8": (b"501,902,\xc0\xaf\xc3\xa9\xc3\xa9\xc3\xa9\n", ("broken_text", {"line": 1})),
    "the old encoding": ("501;902;Müller \u2013 Köln\n".encode("cp1252"), GOOD),
    "Shift JIS": ("501,902,テスト依頼\n".encode("cp932"), GOOD),
    "what another program could not read": (
        "501,902,caf\ufffd\n503,904,\ufffd\n",
        ["501-902", "503-904"],
    ),
    "UTF-32": (ROW.encode("utf-32-be"), ("not_text", {"line": 1})),
    "a byte order mark in the middle": ("501,902\n\ufeff503,904\n", ["501-902", "503-904"]),
    "two byte order marks": (f"\ufeff\ufeff{HEADER}{ROW}", GOOD),
    "a byte order mark within an id": ("501,902\n5\ufeff03,904\n", ["501-902", "not_digits"]),
    # lines
    "CR only": ("from_id,to_id\r501,902\r503,904", ["501-902", "503-904"]),
    "all line ends at once": (
        "501,902\r\n503,904\r505,906\n\r507,908",
        ["501-902", "503-904", "505-906", "507-908"],
    ),
    "NEL and LS for line ends": ("501,902\u2028503,904\u0085", "no_header"),
    "a line of 70 KiB": (ROW + "501,902," + "x" * 70_000, ("long_line", {"line": 2, "limit": 64})),
    "a file of one line": ("x" * 1_000_000, ("long_line", {"line": 1, "limit": 64})),
    "100,000 columns": (ROW + "," * 100_000, ("long_line", {"line": 2, "limit": 64})),
    "30,000 columns": (
        ROW + "," * 30_000,
        ("too_many_columns", {"line": 2, "columns": 30_001, "limit": 50}),
    ),
    "51 columns": (
        ROW + ROW + "1" + ",2" * 50,
        ("too_many_columns", {"line": 3, "columns": 51, "limit": 50}),
    ),
    "50 columns": ("from_id,to_id" + ",x" * 48 + "\n501,902" + "," * 48, GOOD),
    "a quotation mark that swallows the rest": (
        ROW + '503,904,"x\n' + ROW * 50_000,
        ("open_quote", {"line": 2}),
    ),
    "a quotation mark left open at the end": (ROW + '503,904,"x', ("open_quote", {"line": 2})),
    "a quotation mark closed too early": (ROW + '503,904,"a" b\n', ("open_quote", {"line": 2})),
    "quotation marks that never let a record end": (ROW + '"\n",' * 60_000, "open_quote"),
    "quotation marks within a text": ('501,902,5" pipe\n', GOOD),
    "quotation marks with typographic ones": ("“501”,902\n503,904\n", "missing_columns"),
    "a line break within a cell": ('501,902,"a\nb"\n503,904\n', ["501-902", "503-904"]),
    "a line break within an id": ('501,902\n"50\n3",904\n', ["501-902", "not_digits"]),
    # columns
    "a header twice": (HEADER + ROW + HEADER + ROW, ["501-902", "not_digits", "501-902"]),
    "a column twice": ("from_id,to_id,From ID\n501,902,503\n", "double_column"),
    "pipes": ("from_id|to_id\n501|902\n", "missing_columns"),
    "a delimiter other than that of the header": ("from_id;to_id\n501,902\n", ["in_groups"]),
    "semicolons with decimal commas": ("501,0;902,0\n", ["decimal"]),
    "tabs": ("501\t902\ta, b; c\n", GOOD),
    "trailing delimiters": ("from_id,to_id,,,\n501,902,,,,,\n", GOOD),
    "cells beyond the columns": ("501,902\n503,904,because\n", ["501-902", "extra_cells"]),
    "rows that end early": (HEADER + "501\n501,902\n", ["required", "501-902"]),
    "spaces around everything": (" from id , to id \n 501 ,\t902 \n", GOOD),
    "no from id": (
        "to_id,reason\n902,x\n",
        ("missing_column", {"field": "from_object_id", "found": "to_id, reason"}),
    ),
    "markup for a header": ("<b>from</b>,<script>\n1,2\n", "missing_columns"),
    # ids
    "formulas for ids": (HEADER + "=1+1,902\n+1,902\n@x,902\n-1,902\n", ["not_digits"] * 4),
    "formulas for reasons": ("501,902,=cmd|' /C calc'!A0\n501,902,@SUM(1)\n", GOOD * 2),
    "marks that nobody sees": ("\u200e501\u200f,\u200b902\ufeff\n\u202e501,902\n", GOOD * 2),
    "marks within an id": (HEADER + "5\u200e01,902\n", ["not_digits"]),
    "wide digits": (HEADER + "\uff15\uff10\uff11,902\n", GOOD),
    "Arabic digits": (HEADER + "\u0665\u0660\u0661,902\n", ["not_plain_digits"]),
    "other digits": (HEADER + "\u00b2,902\n\u2460,902\n", ["not_digits"] * 2),
    "groups of digits": ("1.501;1.902\n501;902\n", ["in_groups", "501-902"]),
    "quoted groups of digits": ('"1,501","1,902"\n', ["in_groups"]),
    "rounded ids": ("1.23457E+11,902\n501,1E+05\n", ["rounded"] * 2),
    "decimals": ("501.0,902.0\n501.5,902\n", ["501-902", "decimal"]),
    "negative ids": ("-501,902\n", ["not_digits"]),
    "zeros": ("0,902\n0501,902\n", ["zero", "leading_zero"]),
    "ids of 20 and of 21 digits": (
        f"{'1' * 20},902\n{'1' * 21},902\n",
        [f"{'1' * 20}-902", "too_long"],
    ),
    "paths for ids": (HEADER + "..,902\n%2e%2e,902\n501/../7,902\n", ["not_digits"] * 3),
    "SQL for an id": (HEADER + "1; DROP TABLE links--,902\n1' OR '1'='1,902\n", ["not_digits"] * 2),
    "markup for an id": (
        HEADER + "<script>alert(1)</script>,902\n<501>,902\n",
        ["not_digits", "501-902"],
    ),
    "an apostrophe before each": ("'501,'902\n", GOOD),
    "a list for an id": (HEADER + "501 502,902\n", ["in_groups"]),
    "an address of a list": (f"{PORTAL}/objects/0-1/views/all/list,902\n", ["list_page"]),
    "an address of another account": (
        "https://app.hubspot.com/contacts/9/record/0-1/501,902\n",
        ["another_portal"],
    ),
    "an address that leads elsewhere": (
        "https://app.hubspot.com@evil.example/501,902\n",
        ["not_hubspot"],
    ),
    "an address of 3,000 characters": (
        HEADER + f"{PORTAL}/contact/501?{'x' * 3000},902\n",
        ["address_too_long"],
    ),
    "a company where contacts go": ("company 501,902\n", ["two_types"]),
    "a record and itself": ("from_id,to_id\n501,contact 501\n", ["two_types"]),
    "the same row again": (ROW * 2, GOOD * 2),
    # reasons
    "a reason of 501 characters": (HEADER + "501,902," + "x" * 501, ["reason_too_long"]),
    "control characters in a reason": (
        "501,902,\x07\x1b[31m\x08\x7f\n501,902,SUP\u202e-1\n501,902,\u202eSUP-1\u200b\n",
        ["reason_unseen", "reason_unseen", *GOOD],
    ),
    "markup in a reason": ("501,902,<img src=x onerror=alert(1)>\n", GOOD),
    "percent signs in a reason": ("501,902,%(x)s %d %n\n", GOOD),
}
