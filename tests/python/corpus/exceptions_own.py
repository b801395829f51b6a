"""exceptions of one's own"""
class AppError(Exception):
    def __init__(self, code, msg): super().__init__(msg); self.code = code
class NotFound(AppError): pass
def on_client_request():
    try: raise NotFound(404, "gone")
    except (KeyError, AppError) as e:
        e.add_note("a note")
        return repr([e.code, str(e), e.args, type(e).__mro__[1].__name__, e.__notes__])

# GET /
