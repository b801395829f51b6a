"""refused: decorators"""
# GET /?x
def twice(function):
    def call():
        return function() + function()
    return call

@twice
def word():
    return "a"

def on_client_request(query):
    return word()
