"""sys.exit ends the request"""
import sys
def on_client_request():
    sys.exit("bye")

# GET /
