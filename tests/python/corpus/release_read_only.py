"""the files of the release cannot be changed"""
import os
def on_client_request():
    out = [open(__file__).readline().strip(), os.path.basename(__file__), os.listdir(os.path.dirname(__file__))]
    for f in (lambda: open(__file__, "w"), lambda: os.remove(__file__), lambda: os.mkdir("/app/x"), lambda: os.rename("/app/app.py", "/tmp/y"), lambda: open("/etc/x", "w")):
        try: f(); out.append("done")
        except OSError as e: out.append(e.strerror)
    return repr(out)

# expect: ['"""the files of the release cannot be changed"""', 'app.py', ['app.py'], 'Read-only file system', 'Read-only file system', 'Read-only file system', 'Read-only file system', 'Read-only file system']
# GET /
