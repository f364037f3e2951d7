"""How files are received: many at once shall not keep those waiting who look at pages."""

import time
from threading import Lock

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

PAUSE = 0.002  # seconds after each 64 KiB: two thirds of a second for the largest file

_turn = Lock()


class InTurn(FileUploadHandler):
    """Lets one part come after the other, whoever sends it, and leaves time in between.

    The threads of a process share one processor. Part by part, and not file by file, so that one
    that comes slowly holds up nobody.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        with _turn:
            time.sleep(PAUSE)
        return raw_data

    def file_complete(self, file_size: int) -> "UploadedFile[bytes] | None":
        return None  # the next handler has it
