"""One file a training task: `make_loss(network, *, ...)` returns a pure loss; `STREAMS` names what it reads."""
