"""messages"""
from email.message import EmailMessage
from email import message_from_string, policy
from email.utils import parseaddr, formatdate, format_datetime
def on_client_request():
    m = EmailMessage(); m["Subject"] = "Grüße"; m["To"] = "a@b.c"; m.set_content("hi\n")
    p = message_from_string("From: x\nSubject: =?utf-8?q?=C3=A9?=\n\nbody", policy=policy.default)
    return repr([m.as_string(), p["subject"], p.get_content() if p.get_content_type() == "text/plain" else "", parseaddr("A <a@b>"), formatdate(0, usegmt=True)])

# GET /
