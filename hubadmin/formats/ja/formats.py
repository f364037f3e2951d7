"""Japanese; how numbers are grouped stands in Django's own."""

DATE_FORMAT = "Y年n月j日"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "Y年n月j日 H:i:s"
DATE_INPUT_FORMATS = ["%Y-%m-%d"]  # what fields of type date send
