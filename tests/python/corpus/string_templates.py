"""string.Template"""
import string
def on_client_request():
    t = string.Template("$who owes $$${amount} ${missing}")
    return t.safe_substitute(who="Ann", amount=5) + " " + string.capwords("two words") + string.ascii_lowercase[:3]

# GET /
