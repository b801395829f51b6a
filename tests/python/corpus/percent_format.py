"""formatting by per cent"""
def on_client_request():
    return "%s %r %d %5.1f %x %-5s| %05d %(a)s" .replace("%(a)s", "%%") % ("s", "r", 3.9, 2.25, 255, "ab", 42) + " %(k)s" % {"k": 1}

# GET /
