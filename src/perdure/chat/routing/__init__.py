"""Which backend answers.

Router: the backends of a session, and which of them is next; `router.py` is the file to begin with.
BackendSet: their drivers, made anew only where a manifest changed. BackendEntry: one of the tree.
BackendOrder: those that a turn tries: the one that the user chose, then those of companion.yaml.
Failover: asks them one after another until one replies. RoutedReply: which did, and its reply.
Unavailable: did not answer when it was asked last. Switch: a change of backend, once or for good.
"""
