"""a traceback names the program's file and line"""
import traceback
def on_client_request():
    try:
        [].pop()
    except IndexError:
        return traceback.format_exc().splitlines()[1].strip()

# expect: File "/app/app.py", line 5, in on_client_request
# GET /
