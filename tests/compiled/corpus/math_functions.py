"""math: floor, ceil, sqrt, log, domain errors"""
# GET /?2.5
# GET /?-2.5
# GET /?0
# GET /?100
import math

def on_client_request(query):
    x = float(query)
    out = [str(math.floor(x)), str(math.ceil(x)), str(math.trunc(x)), str(math.fabs(x)), str(math.pi)]
    out.append(str(math.atan2(x, 2.0)))
    out.append(str(math.hypot(x, 1.0)))
    out.append(str(math.isnan(x)))
    try:
        out.append(str(math.sqrt(x)))
    except ValueError as error:
        out.append("sqrt " + str(error))
    try:
        out.append(str(math.log(x)))
    except ValueError as error:
        out.append("log " + str(error))
    return " ".join(out)
