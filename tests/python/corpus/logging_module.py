"""logging goes to the log with its level"""
import logging
log = logging.getLogger("app")
def on_init():
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s:%(name)s:%(message)s")
def on_client_request():
    log.debug("d %s", 1); log.info("i"); log.warning("w %(a)s", {"a": 2}); log.error("e"); log.critical("c")
    try: 1 / 0
    except ZeroDivisionError: log.exception("oops")
    return repr([log.isEnabledFor(logging.DEBUG), log.getEffectiveLevel(), logging.getLevelName(30)])

# GET /
