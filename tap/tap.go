// Package tap is where MQTT byte streams come from: capture files, a network interface, a proxy in the middle, or bytes
// that somebody typed. It takes off what carries them (link layers, IP, TCP, TLS, WebSocket), cuts them into control
// packets and hands those to a Sink. It refuses to know what the packets mean, it never prints, and it keeps nothing of
// a stream but what is needed to find the next packet.
package tap

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"mq/packet"
)

// Sink takes what a source finds. Calls follow one another, also when the source has many connections; what is called
// may keep the *Conn, which stays the same for all events of a connection, but no bytes. For one connection Open comes
// first and Close last; for one direction of it offsets never go back.
type Sink interface {
	// Open tells of a connection that carries MQTT; at is when its first segment was seen.
	Open(c *Conn, at time.Time)
	// Packet hands over one whole control packet, fixed header included; raw is valid until it returns. The time and the
	// frame are those of the capture frame that completed it, counted from 1, 0 where there are no frames. offset is
	// the packet's position in the MQTT stream of its direction.
	Packet(c *Conn, d packet.Direction, at time.Time, frame int, offset int64, raw []byte)
	// Broken hands over bytes that are no whole packet; raw is valid until it returns. err wraps an error of package
	// packet, or is ErrCut, ErrEnded, ErrCaptureEnd or ErrUnaligned.
	Broken(c *Conn, d packet.Direction, at time.Time, offset int64, raw []byte, err error)
	// Gap tells that n bytes of the transport are missing from the capture. Decoding goes on at the next packet boundary
	// that is known or plausible.
	Gap(c *Conn, d packet.Direction, at time.Time, n int64)
	// Note tells in words what else there is to know. c is nil when it concerns the whole source.
	Note(c *Conn, at time.Time, text string)
	// Fault tells of a fault that the proxy injected, right after the Packet it was done to.
	Fault(c *Conn, d packet.Direction, at time.Time, f Fault)
	// Close ends a connection.
	Close(c *Conn, at time.Time, by Closer)
}

// Discard is a Sink that ignores everything; embed it to write one that cares about some events only.
type Discard struct{}

// Open does nothing.
func (Discard) Open(*Conn, time.Time) {}

// Packet does nothing.
func (Discard) Packet(*Conn, packet.Direction, time.Time, int, int64, []byte) {}

// Broken does nothing.
func (Discard) Broken(*Conn, packet.Direction, time.Time, int64, []byte, error) {}

// Gap does nothing.
func (Discard) Gap(*Conn, packet.Direction, time.Time, int64) {}

// Note does nothing.
func (Discard) Note(*Conn, time.Time, string) {}

// Fault does nothing.
func (Discard) Fault(*Conn, packet.Direction, time.Time, Fault) {}

// Close does nothing.
func (Discard) Close(*Conn, time.Time, Closer) {}

// Layer says what carries the MQTT bytes of a connection.
type Layer string

// The layers.
const (
	LayerTCP   Layer = "tcp"
	LayerWS    Layer = "ws"
	LayerTLS   Layer = "tls"
	LayerWSS   Layer = "wss"
	LayerUnix  Layer = "unix"
	LayerBytes Layer = "bytes" // no connection at all: bytes that were typed or read from a file
)

// Conn is one connection.
type Conn struct {
	// Number counts the connections of a source from 1, in the order of Open.
	Number int
	// Client and Server are the two ends, zero where they are not known or are no IP addresses.
	Client, Server netip.AddrPort
	// ClientName and ServerName describe ends that have no IP address, else "".
	ClientName, ServerName string
	// Layer is what carries the MQTT bytes.
	Layer Layer
	// FromStart tells that the client's stream was seen from its first byte.
	FromStart bool
	// Version is the protocol version to assume until a CONNECT says otherwise, 0 when nothing is known.
	Version packet.Version
}

// ClientAddr returns the client's address or name, "client" when there is neither.
func (c *Conn) ClientAddr() string { return endName(c.Client, c.ClientName, "client") }

// ServerAddr returns the server's address or name, "server" when there is neither.
func (c *Conn) ServerAddr() string { return endName(c.Server, c.ServerName, "server") }

func endName(a netip.AddrPort, name, none string) string {
	switch {
	case name != "":
		return name
	case a.IsValid():
		return a.String()
	}
	return none
}

// Closer says how a connection ended, and who ended it.
type Closer byte

// The ways a connection ends.
const (
	ClosedUnknown  Closer = iota // it was replaced by another between the same ends, without a word
	ClosedByClient               // the client was the first to close
	ClosedByServer
	ResetByClient // the client broke it off with a TCP reset
	ResetByServer
	CaptureEnded      // it was still open when the capture, or the watching, ended
	Forgotten         // too many connections were being followed and this one had been idle longest
	ClosedByFault     // the proxy cut it, as it was told to
	ClosedByProxy     // the proxy was stopped
	NoConnection      // the proxy did not reach the server
	numClosers    int = iota
)

var closerNames = [numClosers]string{
	"unknown", "client", "server", "reset by client", "reset by server", "end of capture", "forgotten", "fault", "proxy",
	"no connection",
}

// String returns the name of b, or "Closer(n)" for a value that has none.
func (b Closer) String() string {
	if int(b) < len(closerNames) {
		return closerNames[b]
	}
	return fmt.Sprintf("Closer(%d)", byte(b))
}

// The reasons, besides those of package packet, for which bytes are no whole packet. The first three wrap
// packet.ErrTruncated.
var (
	// ErrCut is about a packet whose end is missing from the capture.
	ErrCut = fmt.Errorf("%w: the rest is missing from the capture", packet.ErrTruncated)
	// ErrEnded is about a packet the connection ended in.
	ErrEnded = fmt.Errorf("%w: the connection ended inside it", packet.ErrTruncated)
	// ErrCaptureEnd is about a packet the capture ended in.
	ErrCaptureEnd = fmt.Errorf("%w: the capture ends inside it", packet.ErrTruncated)
	// ErrUnaligned is about bytes that were passed over in search of the beginning of a packet.
	ErrUnaligned = errors.New("no packet boundary known")
)

// Error is a failure of a source, with advice.
type Error struct {
	// What says what failed, on what.
	What string
	// Err is the cause, may be nil.
	Err   error
	hints []string
}

// Error says what failed and why.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.What
	}
	return e.What + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hints returns what to try next.
func (e *Error) Hints() []string { return e.hints }
