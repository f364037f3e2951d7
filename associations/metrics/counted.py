"""What the processes of this machine have counted, put together from their files."""

import logging
import struct
from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from hubadmin.web.measuring import Counter, Instrument, folder

logger = logging.getLogger(__name__)


class CountedCollector(Collector):
    """Every instrument of this version, and nothing that another one may have left there."""

    def collect(self) -> Iterator[Metric]:
        found = {}
        try:
            found = {each.name: each for each in MultiProcessCollector(None, folder()).collect()}
            is_read = True
        except (OSError, ValueError, RuntimeError, struct.error) as error:
            logger.warning("metrics could not be read", extra={"part": "counts", "why": str(error)})
            is_read = False
        for name, instrument in Instrument.known.items():
            yield _family(instrument, found[name].samples if name in found else ())
        text = "1 if what was counted on this machine could be read, else 0."
        yield GaugeMetricFamily("hubadmin_counts_read", text, value=is_read)


def _family(instrument: Instrument, samples: Iterable[Sample]) -> Metric:
    family = Metric(instrument.name, instrument.text, instrument.kind)
    ours = [each for each in samples if {*each.labels} - {"le"} == {*instrument.labels}]
    family.samples = ours
    if instrument.kind == Counter.kind:
        counted = {tuple(each.labels[name] for name in instrument.labels) for each in ours}
        zeros = instrument.zeros() if instrument.labels else [()]
        for values in dict.fromkeys(zeros):
            if values not in counted:
                labels = dict(zip(instrument.labels, values, strict=True))
                family.add_sample(f"{instrument.name}_total", labels, 0.0)
    return family
