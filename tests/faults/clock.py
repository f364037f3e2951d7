"""A clock that jumps for the processes that are told so, as when somebody sets that of a machine.

Their monotonic clock goes on, as it does then; faketime's would jump with it, or break `sleep`.
What the kernel dates (files) keeps the real time. It takes a C compiler.
"""

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Self

COMPILER = shutil.which("cc")
_LIBRARY = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long *ahead;
static long none;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("CLOCK_FILE"), O_RDONLY | O_CLOEXEC);
    void *page = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    ahead = page == MAP_FAILED ? &none : page;
}

static long seconds(void) { return ahead ? *ahead : 0; }

int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, now);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += seconds();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    int failed = clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *told) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (told) *told = found.tv_sec;
    return found.tv_sec;
}
"""


class Clock:
    """Use it by `with`; whoever gets its `environment` goes by it."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="clock-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # PostgreSQL has an account of its own
        self._file, library = folder / "ahead", folder / "clock.so"
        self._file.write_bytes(struct.pack("l", 0))
        command = [COMPILER or "cc", "-shared", "-fPIC", "-O2", "-xc", "-", "-ldl"]
        subprocess.run([*command, f"-o{library}"], input=_LIBRARY, text=True, check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(self._file)}
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def be_ahead(self, seconds: int) -> None:
        """Jump to so many seconds after the real time."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("l", seconds))
