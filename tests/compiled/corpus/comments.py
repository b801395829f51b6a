"""comments and texts that C++ or Pythran might take for more"""
# GET /?x
#omp parallel for
"omp critical"
def on_client_request(query):  # \
    "omp parallel"
    # omp for
    total = 0 # // */ \
    for i in range(3):  # omp
        "omp atomic"
        total += i
    return str(total)
