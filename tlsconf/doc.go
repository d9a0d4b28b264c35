// Package tlsconf turns connection flags into a *tls.Config and TLS failures into plain words.
//
// It opens no sockets, prints nothing and asks nobody anything: a passphrase comes from a function that the caller
// supplies. It refuses to guess: a file that cannot be used is an *Error naming its flag, never a silent fallback to
// some other trust store, and text that came out of a certificate is quoted before anybody sees it.
package tlsconf
