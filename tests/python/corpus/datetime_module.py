"""dates and times"""
import datetime as dt
def on_client_request():
    d = dt.datetime(2024, 2, 29, 12, 30, 45, 123456, tzinfo=dt.timezone.utc)
    e = dt.datetime.fromisoformat("2023-12-31T23:59:59+02:00")
    return repr([d.isoformat(), (d - e).total_seconds(), d + dt.timedelta(days=366), d.strftime("%A %d %B %Y %j %H:%M:%S.%f %z"), dt.datetime.strptime("01/02/23", "%d/%m/%y"), dt.date(2024, 1, 1).isocalendar()[:2], d.timestamp(), dt.datetime.fromtimestamp(0, dt.timezone.utc), e.astimezone(dt.timezone.utc).hour, dt.date.max - dt.date.min, str(dt.timedelta(-1, 5)), d.replace(year=2028).weekday()])

# GET /
