"""One person's many submits at once, on whichever database the tests run."""

from concurrent.futures import ThreadPoolExecutor

from django.db import connection
from django.test import override_settings

from associations.audit import recorder
from associations.audit.recorder import RequestMeta
from associations.audit.throttling import ThrottledError, check_rate_of_submits
from associations.models import AssociationRequest
from tests.support import LINK, LogTransactionTestCase, person

LIMIT, THREADS, SUBMITS = 10, 8, 40


class LimitTests(LogTransactionTestCase):
    @override_settings(SUBMITS_PER_PERSON_PER_MINUTE=LIMIT)
    def test_no_race_lets_more_through(self) -> None:
        people = [person(), person("admin")]

        def submit(number: int) -> bool:
            try:
                recorder.open_entry(
                    user=people[number % 2],
                    submit_token="",
                    meta=RequestMeta(),
                    admit=check_rate_of_submits,
                    reason="",
                    **LINK,
                )
            except ThrottledError:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(THREADS) as pool:
            taken = list(pool.map(submit, range(SUBMITS)))
        self.assertEqual(sum(taken), 2 * LIMIT)
        for someone in people:
            self.assertEqual(AssociationRequest.objects.of(someone).count(), LIMIT)
