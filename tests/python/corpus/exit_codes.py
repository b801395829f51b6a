"""os._exit ends the request at once"""
import os
def on_client_request():
    os._exit(3)

# status: 500
# GET /
