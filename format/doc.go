// Package format knows how things look: it turns received messages, rates and progress into the bytes that a terminal, a
// script or a JSON reader gets. It refuses to know where messages come from and what time it is: it opens no sockets,
// reads no clocks and no environment, keeps no globals, and never asks whether its writer is a terminal. Times, sizes
// and colour decisions come in as values.
package format
