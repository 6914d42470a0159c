"""How the back office writes times: `deepstack.exchange_zone` sees to it that they are these."""

DATE_FORMAT = "Y-m-d"
DATETIME_FORMAT = r"Y-m-d H:i:s \E\T"
TIME_FORMAT = r"H:i:s \E\T"
