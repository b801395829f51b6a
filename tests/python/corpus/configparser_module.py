"""configuration files"""
import configparser, tomllib
def on_client_request():
    c = configparser.ConfigParser(); c.read_string("[a]\nx = 1\npath = %(x)s/y\n[b]\non = yes\n")
    return repr([c.sections(), c["a"]["path"], c.getint("a", "x"), c["b"].getboolean("on"), c.get("a", "no", fallback="f"), tomllib.loads('a = [1, 2.5]\n[t]\nd = 2024-01-02\ns = """x\ny"""')])

# GET /
