"""arguments of commands"""
import argparse
def on_client_request():
    a = argparse.ArgumentParser(prog="p", exit_on_error=False)
    a.add_argument("f"); a.add_argument("-n", type=int, default=3); a.add_argument("--v", action="store_true")
    ns = a.parse_args(["x", "-n", "5", "--v"])
    try: a.parse_args(["x", "-n", "q"])
    except argparse.ArgumentError as e: err = str(e)
    return repr([ns, err])

# GET /
