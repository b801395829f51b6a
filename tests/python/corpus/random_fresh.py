"""random numbers without a seed are somewhere"""
import random, secrets, uuid, os
def on_client_request():
    return repr([0 <= random.random() < 1, 1 <= random.randint(1, 3) <= 3, len(secrets.token_hex(8)), len(os.urandom(5)), uuid.uuid4().version, secrets.choice([1]), len(secrets.token_urlsafe(8)) > 8])

# GET /
