"""refused: modules beyond math, random, time, numpy and the like"""
# GET /?x
import json

def on_client_request(query):
    return json.dumps({"a": query})
