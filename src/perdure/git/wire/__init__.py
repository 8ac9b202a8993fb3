"""The wire: how perdure speaks to another repository, wherever that is.

A *remote* is the repository on the other side, an *address* (`address.py`) is where it is: a URL,
or a path on this machine. `connect.py`, the file to open first, makes a *transport* to it
(`transport.py`): what it has (it *advertises* its refs), a fetch from it, a push to it, each one
*conversation*. `client.py` has these conversations by dulwich's clients over a *line* (`line.py`:
git's own protocol, and ssh by `ssh.py`) or over HTTP (`http.py`). A *host key* (`host_key.py`) says
which machine answers at the other end of ssh. A *credential* (`credentials.py`) is a name and a
password or token for HTTP. `public.py` asks as a stranger whether everyone can read a remote.

No setting of a companion's repository holds here: who made it may have made that, too.
"""
