"""a whole program: days of a year"""
# GET /?2024-02-29
def leap(y):
    return y % 4 == 0 and (y % 100 != 0 or y % 400 == 0)
DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
def on_client_request(query):
    y, m, d = [int(part) for part in query.split("-")]
    total = d
    for i in range(m - 1):
        total += DAYS[i] + (1 if i == 1 and leap(y) else 0)
    return f"day {total} of {y}, leap={leap(y)}, {y:04d}/{m:02d}/{d:02d}"
