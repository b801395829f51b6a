"""warnings"""
import warnings
def on_client_request():
    with warnings.catch_warnings(record=True) as w:
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error"); warnings.warn("bad")
    except UserWarning as e: return repr([str(w[0].message), w[0].category.__name__, str(e)])

# GET /
