"""default and keyword arguments"""
# GET /?x
def greet(name, greeting="hello", mark="!"):
    return greeting + " " + name + mark

def on_client_request(query):
    return greet(query) + greet(query, "hi") + greet(query, mark="?")
