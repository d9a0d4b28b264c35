// Package connect is the connection builder: it turns one Options value into a dialled transport and that into a
// Session, an MQTT client's conversation with one server. It refuses to know about flags, output and exit statuses, and
// it never prints: what a person should hear comes out as typed errors and events.
package connect

import (
	"context"
	"time"

	"mq/packet"
)

// Session is one client's conversation with a server: it outlives the network connections it runs over. Its methods may
// be called from several goroutines. Sessions of Eclipse Paho and of mq's own client stand behind it.
type Session interface {
	// Publish hands m over for delivery and returns when it is on its way, not when it has arrived. It blocks while the
	// in-flight window is full, while the server does not read, and while the connection is down, until ctx ends. The
	// session keeps m.Payload until the QoS handshake is over. acked, if not nil, is called once then: with nil when the
	// server has acknowledged (QoS 0: when the bytes are on their way), else with the reason. It must not block.
	Publish(ctx context.Context, m *packet.Message, acked func(error)) error
	// Subscribe asks for every filter in one SUBSCRIBE and returns one answer each, in order. Refused filters are in the
	// answers, not in the error.
	Subscribe(ctx context.Context, subs []Subscription) ([]SubscribeResult, error)
	// Unsubscribe ends the subscriptions of the filters and returns when the server has acknowledged it.
	Unsubscribe(ctx context.Context, filters []string) error
	// Drain waits until no published message is waiting for its acknowledgement.
	Drain(ctx context.Context) error
	// Close waits, for a bounded time, for the handshakes of messages that were received, sends DISCONNECT and closes
	// the connection. It does not wait for published messages; Drain does.
	Close() error
	// Done is closed when the session has ended for good. Err then says why; it is nil after Close.
	Done() <-chan struct{}
	Err() error
	// SessionPresent reports whether the server still had the session at the last CONNACK (section 3.2.2.2).
	SessionPresent() bool
	// Stats returns the counters of the session as of now.
	Stats() Stats
}

// Subscription is one topic filter and the greatest QoS at which its messages may be sent (section 3.8.3).
type Subscription struct {
	Filter string
	QoS    packet.QoS
}

// SubscribeResult is the server's answer to one Subscription: the QoS it granted, or a refusal.
type SubscribeResult struct {
	Filter string
	QoS    packet.QoS
	// Refused is nil when the filter was accepted.
	Refused *RefusedError
}

// Stats counts what a session has done.
type Stats struct {
	Published    uint64 // messages handed to Publish
	Written      uint64 // messages whose PUBLISH went to the transport, repetitions left out
	Acknowledged uint64 // messages of QoS 1 and 2 whose handshake is over
	Pending      int    // messages of QoS 1 and 2 whose handshake is not over
	Received     uint64 // messages handed to OnMessage
	Duplicates   uint64 // QoS 2 messages that came again before PUBREL and were not handed over
	Reconnects   uint64 // connections after the first
	BytesIn      uint64 // bytes read from the transport, TLS and WebSocket framing left out
	BytesOut     uint64
}

// EventKind says what happened to a session.
type EventKind int

// The events of a session, in the order in which they usually come.
const (
	EventConnected    EventKind = iota // CONNACK with success
	EventRetrying                      // an attempt failed; the next one follows after Delay
	EventLost                          // the connection broke
	EventResubscribed                  // the subscriptions stand again after a reconnection
)

// Event tells the owner of a session what happened to its connection.
type Event struct {
	Kind      EventKind
	Reconnect bool          // Connected: not the first connection
	Err       error         // Retrying, Lost: why
	Attempt   int           // Retrying: number of attempts that failed, from 1
	Delay     time.Duration // Retrying: time until the next attempt
}

// Open connects to the server of o and returns the session. One attempt is made unless o.Retry says otherwise. The error
// is a *ConnectError, a *RefusedError, an *OptionError or ctx's.
func Open(ctx context.Context, o Options) (Session, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if err := o.prepareTLS(); err != nil {
		return nil, err
	}
	return openPaho(ctx, o)
}
