"""print goes to the log"""
import sys
def on_client_request():
    print("one", 2, [3], sep="|", end="!\n")
    print("to stderr", file=sys.stderr)
    print("no line end", end="")
    sys.stdout.write("; more\n")
    sys.stdout.flush()
    return "printed"

# GET /
