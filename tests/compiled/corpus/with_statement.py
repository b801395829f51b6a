"""refused: with, open"""
# GET /?x
def on_client_request(query):
    with open("/etc/passwd") as file:
        return file.read()
