"""tracebacks as text"""
import traceback
def bad():
    raise ValueError("what")
def on_client_request():
    try:
        bad()
    except ValueError as e:
        frames = traceback.extract_tb(e.__traceback__)
        last = traceback.format_exception_only(e)
        return repr([frames[-1].name, frames[-1].line, frames[-1].lineno, last, traceback.format_exc().splitlines()[-1]])

# GET /
