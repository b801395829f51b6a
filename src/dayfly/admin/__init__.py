"""The admin API: what an operator and the holders of tokens may ask of a running server, and its client.

    app       the routes: one call of `dayfly.operator.Operator` each
    guard     what every request passes first: where it comes from, whose it is, how much of it is read
    caller    who asks, and what they may do
    archive   a tenant directory as it was sent
    problem   every refusal in one form
    listener  the sockets and the thread that serve it
    client    the other end of it, for the command line

Nothing is imported here: the command line uses the client alone, and starts sooner without the rest.
"""
