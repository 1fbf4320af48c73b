"""Several processes behind one listening socket, and the one that looks after them."""
