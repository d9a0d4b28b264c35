// Package flow knows what an MQTT conversation means: handshakes, packet identifiers, topic aliases, sessions across
// reconnects, negotiated limits, time, and the rules that more than one packet is needed to break. It takes whole control
// packets with their times and hands out typed events. It refuses to know where packets come from and how things look: it
// opens no sockets, reads no clocks and starts no goroutines, and of mq it imports only package packet.
package flow

import (
	"time"

	"mq/packet"
)

// ConnID names a connection. The caller chooses it; one that was closed may be used again.
type ConnID uint64

// Meta is what is known of a connection before its first packet.
type Meta struct {
	// Client and Server are addresses as they are to be shown. Server also tells brokers apart: sessions, retained messages
	// and deliveries are matched only between connections to the same one.
	Client, Server string
	// FromStart tells that the connection was seen from its first byte. Without it nothing is said about what came before.
	FromStart bool
}

// Closer is who closed a connection.
type Closer byte

// The ways a connection ends.
const (
	ClosedUnknown  Closer = 0 // the input does not tell, or ended first
	ClosedByClient Closer = 1
	ClosedByServer Closer = 2
	ClosedByReset  Closer = 3
)

// String returns "unknown", "client", "server" or "reset".
func (c Closer) String() string {
	switch c {
	case ClosedByClient:
		return "client"
	case ClosedByServer:
		return "server"
	case ClosedByReset:
		return "reset"
	}
	return "unknown"
}

// Options are the limits of a Tracker. A zero field takes its default.
type Options struct {
	// KeepAliveTolerance is the part of the keep alive that a client's silence may go beyond it; 0.2.
	KeepAliveTolerance float64
	// AnswerTimeout is how long an answer may take before its absence is reported; 10 s.
	AnswerTimeout time.Duration
	// CloseGrace is how long a connection that must be closed may stay open; 2 s.
	CloseGrace time.Duration
	// RetainGrace is how long after SUBSCRIBE stored messages may arrive, and how long messages that were under way may be
	// late for a change; 5 s.
	RetainGrace time.Duration
	// Window is how long a delivery is matched with what was published; 60 s.
	Window time.Duration
	// MaxConnections is the number of open connections followed; 100,000. Beyond it the one opened first is forgotten.
	MaxConnections int
	// MaxInFlight is the number of unfinished handshakes followed, over all connections; 200,000.
	MaxInFlight int
	// MaxSessions is the number of sessions remembered that have no connection; 10,000.
	MaxSessions int
	// MaxMessages is the number of published messages remembered for matching; 8,192, rounded up to a power of two.
	MaxMessages int
	// MaxTopics is the number of topics counted, clients likewise; 1,024. Beyond it counts become upper bounds.
	MaxTopics int
	// MaxConnBytes and MaxBytes limit the memory for topic filters, topic aliases and wills: of one connection, 1 MiB, and
	// of all, 64 MiB. What does not fit is not followed, and rules that need it are not applied.
	MaxConnBytes, MaxBytes int
	// NoCorrelation leaves out matching deliveries with what was published.
	NoCorrelation bool
}

func (o *Options) fill() {
	set(&o.KeepAliveTolerance, 0.2)
	set(&o.AnswerTimeout, 10*time.Second)
	set(&o.CloseGrace, 2*time.Second)
	set(&o.RetainGrace, 5*time.Second)
	set(&o.Window, time.Minute)
	set(&o.MaxConnections, 100_000)
	set(&o.MaxInFlight, 200_000)
	set(&o.MaxSessions, 10_000)
	set(&o.MaxMessages, 8192)
	set(&o.MaxTopics, 1024)
	set(&o.MaxConnBytes, 1<<20)
	set(&o.MaxBytes, 64<<20)
}

func set[T int | float64 | time.Duration](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}

// Limits are what the two ends of a connection agreed on, with the defaults of the specification where nothing was sent.
type Limits struct {
	// KeepAlive is the one in force, 0 for none. ServerKeepAlive tells that the server set it.
	KeepAlive       time.Duration
	ServerKeepAlive bool
	// CleanStart is what the client asked for, SessionPresent what the server answered.
	CleanStart, SessionPresent bool
	// SessionExpiry is in seconds; NoExpiry is for ever. Before 5.0 it is 0 after a clean session, else NoExpiry.
	SessionExpiry uint32
	// ClientReceiveMaximum limits the server's unacknowledged PUBLISH packets, ServerReceiveMaximum the client's.
	ClientReceiveMaximum, ServerReceiveMaximum uint16
	// ClientMaximumPacket limits what the server sends, ServerMaximumPacket what the client sends; 0 is no limit.
	ClientMaximumPacket, ServerMaximumPacket uint32
	// ClientAliasMaximum limits the server's topic aliases, ServerAliasMaximum the client's.
	ClientAliasMaximum, ServerAliasMaximum uint16
	// MaximumQoS and the Available fields are the server's.
	MaximumQoS                                                   packet.QoS
	RetainAvailable, WildcardAvailable, SubscriptionIDsAvailable bool
	SharedAvailable                                              bool
	// ProblemInformation and ResponseInformation are what the client asked for.
	ProblemInformation, ResponseInformation bool
}

// NoExpiry is the session expiry interval of a session that never ends.
const NoExpiry = 0xFFFFFFFF

func defaultLimits() Limits {
	return Limits{
		ClientReceiveMaximum: 65535, ServerReceiveMaximum: 65535, MaximumQoS: packet.ExactlyOnce, RetainAvailable: true,
		WildcardAvailable: true, SubscriptionIDsAvailable: true, SharedAvailable: true, ProblemInformation: true,
	}
}
