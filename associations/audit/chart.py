"""Where the marks of the day's chart stand; the template draws them."""

from dataclasses import dataclass

from associations.status.latency import Times

WIDTH, HEIGHT = 720, 120  # of 24 hours, in the drawing's own units
GAP = 4
MIN_MARK = 2  # what is there is seen, however little it is
SLOT = WIDTH / 24


@dataclass(frozen=True, slots=True)
class HourBar:
    """The answers of an hour: a bar up to the median, a paler one behind it up to the 95th."""

    hour: int
    times: Times
    x: float
    median_height: float
    slow_height: float
    is_labelled: bool

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def width(self) -> float:
        return SLOT - GAP

    @property
    def median_y(self) -> float:
        return HEIGHT - self.median_height

    @property
    def slow_y(self) -> float:
        return HEIGHT - self.slow_height

    @property
    def label_anchor(self) -> str:
        """To which side of its middle a label goes, so that none leaves the drawing."""
        return "start" if self.hour < 2 else "end" if self.hour > 21 else "middle"


def bars_of(by_hour: list[tuple[int, Times]]) -> list[HourBar]:
    """Return a bar for each hour with an answer; the slowest says its number."""
    answered = [(hour, times) for hour, times in by_hour if times.slow is not None]
    highest = max((times.slow for _, times in answered), default=0.0)
    labelled = next((hour for hour, times in answered if times.slow == highest), None)
    return [
        HourBar(
            hour=hour,
            times=times,
            x=round(hour * SLOT + GAP / 2, 2),
            median_height=_height(times.median, highest),
            slow_height=_height(times.slow, highest),
            is_labelled=hour == labelled,
        )
        for hour, times in answered
    ]


def _height(seconds: float, highest: float) -> float:
    share = seconds / highest if highest else 0.0
    return round(max(MIN_MARK, share * HEIGHT), 2)
