"""the time zone that needs no database"""
import datetime as dt, zoneinfo
def on_client_request():
    utc = zoneinfo.ZoneInfo("UTC")
    d = dt.datetime(2024, 7, 1, 12, tzinfo=utc)
    try: zoneinfo.ZoneInfo("No/Such")
    except zoneinfo.ZoneInfoNotFoundError as e: err = type(e).__mro__[1].__name__
    return repr([d.isoformat(), d.tzname(), utc.key, d.astimezone(dt.timezone(dt.timedelta(hours=2))).hour, err])

# GET /
