"""The data plane in processes of its own: one that serves, one that is ready to take its place.

channel   messages to and from one process, each checked as what it is: words of somebody who runs hostile programs
process   one worker process, from its start to its end
sockets   what is listened on, bound once and lent to one worker after the other
core      `WorkerCore`: what is published, and the watch over the workers
"""

from dayfly.worker.core import WorkerCore

__all__ = ["WorkerCore"]
