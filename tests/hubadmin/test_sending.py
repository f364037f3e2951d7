"""Answers that are handed on as they are read, over real sockets."""

import socket
import threading
import time
from collections.abc import Iterator
from unittest import TestCase, mock

from hubadmin.web import sending
from hubadmin.web.sending import GOES_ON, PIECE, BrokenOffError, Paced


class PacedTests(TestCase):
    def setUp(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.reader = self.enterContext(socket.create_connection(listening.getsockname()))
            self.ours = self.enterContext(listening.accept()[0])

    def send(self, answer: object, **environ: object) -> int:
        """As gunicorn does it; returns how many bytes have left."""
        sent, paced = 0, Paced(answer, self.ours, environ)
        for piece in paced:
            self.assertLessEqual(len(piece), PIECE)
            self.ours.sendall(piece)
            sent += len(piece)
        return sent

    def read_all(self, pause: float) -> None:
        def read() -> None:
            while self.reader.recv(PIECE):
                time.sleep(pause)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(self.ours.close)

    def test_all_of_it_arrives(self) -> None:
        self.read_all(0)
        self.assertEqual(self.send([b"", b"a" * 3, b"b" * (4 * PIECE + 1)]), 4 * PIECE + 4)

    def test_who_reads_nothing_is_waited_for_only_so_long(self) -> None:
        start = time.monotonic()
        with (
            mock.patch.object(sending, "PATIENCE", 0.5),
            self.assertLogs("hubadmin.web.sending", "WARNING") as logged,
            self.assertRaises(BrokenOffError),
        ):
            self.send([b"x" * 50_000_000])
        self.assertTrue(0.4 < time.monotonic() - start < 3)
        self.assertEqual(logged.records[0].why, "it was read too slowly")
        self.ours.close()
        self.reader.settimeout(5)
        with self.assertRaises(ConnectionResetError):
            while self.reader.recv(1_000_000):
                pass

    def test_reading_earns_patience(self) -> None:
        self.read_all(0.02)  # 1.6 MB a second: slower than it is made, faster than it has to be
        with mock.patch.object(sending, "PATIENCE", 0.5):
            self.assertEqual(self.send([b"x" * 3_000_000]), 3_000_000)

    def test_what_is_not_wanted_any_more_ends_though_nobody_reads(self) -> None:
        asked: list[float] = []

        def goes_on() -> bool:
            asked.append(time.monotonic())
            return time.monotonic() < start + 0.5

        start = time.monotonic()
        with (
            mock.patch.object(sending, "LOOK_EVERY", 0.1),
            self.assertLogs("hubadmin.web.sending", "WARNING") as logged,
            self.assertRaises(BrokenOffError),
        ):
            self.send([b"x" * 50_000_000], **{GOES_ON: goes_on})
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(logged.records[0].why, "it is not wanted any more")

    def test_what_the_answer_has_open_is_closed(self) -> None:
        closed: list[bool] = []

        class Answer:
            def __iter__(self) -> Iterator[bytes]:
                yield b"x"

            def close(self) -> None:
                closed.append(True)

        paced = Paced(Answer(), self.ours, {})
        self.assertEqual(list(paced), [b"x"])
        paced.close()
        self.assertEqual(closed, [True])
