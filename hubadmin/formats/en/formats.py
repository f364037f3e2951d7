"""English: with the month's name, so that no reader takes the day for the month."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "j M Y, H:i:s"
DATE_INPUT_FORMATS = ["%Y-%m-%d"]  # what fields of type date send
