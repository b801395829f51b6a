"""languages"""
import gettext, locale
def on_client_request():
    return repr([gettext.gettext("hello"), gettext.ngettext("one", "many", 2), locale.format_string("%d", 1234), locale.localeconv()["decimal_point"]])

# GET /
