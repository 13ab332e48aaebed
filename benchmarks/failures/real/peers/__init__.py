"""The real peers, each as its documentation says and once tuned by hand; their workers are processes of their own.

The same front stands before each: it takes what arrives and hands it to the peer's own submit call, in order.
Submitting is the peer's cost, so that a peer whose submit path cannot carry the load falls behind there and is late
for it.
"""
