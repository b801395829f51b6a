"""calendars"""
import calendar
def on_client_request():
    return calendar.month(2024, 2) + repr([calendar.isleap(1900), calendar.monthrange(2023, 2)[1], calendar.day_name[0]])

# GET /
