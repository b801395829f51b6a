"""What is imported while the base is built, so that a program's import of it costs nothing."""

import importlib

MODULES = """
__future__ abc argparse array ast asyncio atexit base64 binascii bisect builtins calendar cmath codecs codeop
collections collections.abc colorsys concurrent.futures concurrent.futures.thread configparser contextlib contextvars
copy copyreg csv dataclasses datetime decimal difflib dis email email.headerregistry email.message
email.mime.multipart email.mime.text email.parser email.policy email.utils encodings.ascii encodings.idna
encodings.latin_1 encodings.utf_8 encodings.utf_8_sig encodings.utf_16 enum errno fnmatch fractions functools gc
getpass gettext glob graphlib gzip hashlib heapq hmac html html.entities html.parser http http.client http.cookiejar
http.cookies http.server importlib.metadata importlib.resources importlib.util inspect io ipaddress itertools json
json.decoder json.encoder keyword linecache locale logging logging.config logging.handlers marshal math mimetypes
multiprocessing multiprocessing.process numbers opcode operator os pathlib pickle pkgutil platform posixpath pprint
queue quopri random re reprlib runpy sched secrets select selectors shelve shlex shutil signal socket socketserver
sqlite3 stat statistics string string.templatelib stringprep struct subprocess sys sysconfig tempfile textwrap
threading time timeit token tokenize tomllib traceback types typing unicodedata unittest unittest.mock urllib.error
urllib.parse urllib.request uuid warnings weakref wsgiref.handlers wsgiref.headers wsgiref.simple_server wsgiref.util
xml.dom.minidom xml.etree.ElementTree xml.sax xml.sax.saxutils zipfile zlib zoneinfo dayfly.handler
dayfly.handler.asgi dayfly.handler.first_request dayfly.handler.frameworks dayfly.handler.inline dayfly.handler.loop
dayfly.handler.wsgi
"""


def preload() -> None:
    """Import all of them."""
    for name in MODULES.split():
        importlib.import_module(name)
