"""modules that few programs need"""
import importlib
NAMES = "tarfile mailbox plistlib colorsys sched cmd code bdb fileinput filecmp ftplib imaplib poplib smtplib netrc modulefinder optparse getopt pstats profile cProfile pyclbr symtable tabnanny trace tracemalloc wave xmlrpc.client zipapp zipimport graphlib dbm.dumb shelve encodings.cp437 encodings.big5 ctypes".split()
def on_client_request():
    out = []
    for n in NAMES:
        try: out.append(importlib.import_module(n).__name__)
        except ImportError: out.append("-")
    return " ".join(x for x in out if x not in ("-", "ctypes"))

# GET /
