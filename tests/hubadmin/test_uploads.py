"""Files that come at the same time."""

import threading
import time

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import load_handler
from django.test import RequestFactory, SimpleTestCase

from hubadmin.web.uploads import PAUSE, InTurn

FILES, PARTS = 6, 20


class InTurnTests(SimpleTestCase):
    def test_their_parts_come_one_after_the_other_however_many_there_are(self) -> None:
        def receive() -> None:
            handler = InTurn()
            for _ in range(PARTS):
                handler.receive_data_chunk(b"x", 0)

        threads = [threading.Thread(target=receive) for _ in range(FILES)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertGreaterEqual(time.monotonic() - start, FILES * PARTS * PAUSE)

    def test_it_comes_first_and_hands_on_all_that_comes(self) -> None:
        self.assertIsInstance(load_handler(settings.FILE_UPLOAD_HANDLERS[0], None), InTurn)
        for size in (1, 100_000, 3_000_000):  # in memory, and in a file
            content = bytes(n % 251 for n in range(size))
            request = RequestFactory().post("/bulk/", {"file": SimpleUploadedFile("x", content)})
            self.assertEqual(request.FILES["file"].read(), content)
