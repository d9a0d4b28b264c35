// Package broker is a small MQTT 3.1, 3.1.1 and 5.0 broker for development, tests and smoke tests, built on
// mochi-mqtt. It refuses to be a production broker: there is no clustering, bridging or replicated storage, no reload of
// its configuration, and by default nobody may connect anonymously from another machine.
//
// What it promises about messages: a message sent at QoS 1 or 2 to a subscriber that keeps reading and acknowledging
// is not dropped, whatever the publisher's speed, and messages of one publisher arrive in order. When the queue of a
// subscriber is full, the broker stops reading from the publisher until there is room (TCP then slows the publisher
// down). Only when a subscriber makes no progress at all for [Options].Patience is it passed over: from then until it
// moves again, messages that do not fit into its queue are dropped, and counted in [Stats].Dropped. For a subscriber
// whose own PUBLISH or SUBSCRIBE is being processed at that moment the time is 50 ms, so that clients that publish to
// each other (or themselves) do not wait for each other. A session holds at most 65,535 unacknowledged messages, the
// number of packet identifiers; what an offline session cannot hold is dropped and counted too.
package broker

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// Anonymous says who may connect without a user name.
type Anonymous int

// The rules for clients without a user name.
const (
	AnonymousAuto   Anonymous = iota // only from this machine (loopback, unix socket), and only when no users are given
	AnonymousAlways                  // from everywhere
	AnonymousNever                   // from nowhere
)

// Listener is one place to accept connections at.
type Listener struct {
	Network string // "tcp", "tls", "ws", "wss" or "unix"
	Address string // host:port, where port 0 takes a free one; the path of the socket for "unix"
}

// Options is what a broker can be told. The zero value of every field but Listeners is usable.
type Options struct {
	Listeners []Listener
	TLS       *tls.Config // the server side of "tls" and "wss"
	Anonymous Anonymous
	Users     *Users // who may connect and do what; nil for everyone and everything
	// StoreFile keeps retained messages and sessions (subscriptions, unacknowledged messages) across restarts. It is
	// written every 100 ms and by Close; a broker that is killed loses what came after the last write.
	StoreFile string
	// ReceiveMaximum is how many QoS 1 and 2 messages a client may have in flight towards the broker; 0 means 65,535.
	// A client that exceeds it is disconnected.
	ReceiveMaximum uint16
	MaxPacketSize  uint32 // the largest packet a client may send; 0 means no limit
	// QueueLength is how many messages wait, at most, to be written to one connection; 0 means 2,000.
	QueueLength int
	// Patience is how long publishers wait for a subscriber that makes no progress; 0 means 5 s.
	Patience time.Duration
	// ConnectTimeout is how long a new connection may take to send its CONNECT; 0 means 10 s.
	ConnectTimeout time.Duration
	// OnEvent is told what happens, from the goroutine of the client it happens to: it must be quick and safe for
	// concurrent use.
	OnEvent       func(Event)
	PublishEvents bool // report every PUBLISH too
}

// Stats are the broker's counters since it was started.
type Stats struct {
	Connected     int64 // clients connected now
	Received      int64 // PUBLISH packets received
	Sent          int64 // PUBLISH packets sent
	Dropped       int64 // messages that one subscriber did not get: it was stalled or its session was full
	BytesReceived int64
	BytesSent     int64
	Retained      int64
	Subscriptions int64
}

// Server is a running broker.
type Server struct {
	opts      Options
	mqtt      *mochi.Server
	listeners []*listener
	store     *store
	sequence  atomic.Int64 // numbers messages in the order they were queued
	closing   chan struct{}
	close     sync.Once
	closeErr  error
}

// Start binds every listener, opens the store and starts the broker. All listeners accept when it returns; when it
// fails, nothing is left behind. Errors are a *ListenError or a *StoreError, both of which have hints.
func Start(opts Options) (*Server, error) {
	s := &Server{opts: withDefaults(opts), closing: make(chan struct{})}
	s.sequence.Store(time.Now().UnixNano())
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	return s, nil
}

func withDefaults(o Options) Options {
	if o.ReceiveMaximum == 0 {
		o.ReceiveMaximum = 65535
	}
	if o.QueueLength == 0 {
		o.QueueLength = 2000
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 10 * time.Second
	}
	return o
}

func (s *Server) start() error {
	if len(s.opts.Listeners) == 0 {
		return errors.New("broker: no listeners given")
	}
	for i, l := range s.opts.Listeners {
		bound, err := s.bind(i, l)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, bound)
	}
	if s.opts.StoreFile != "" {
		st, err := openStore(s.opts.StoreFile)
		if err != nil {
			return err
		}
		s.store = st
	}
	s.mqtt = mochi.New(mochiOptions(&s.opts))
	if err := s.mqtt.AddHook(&hook{s: s}, nil); err != nil {
		return err
	}
	if err := s.store.restore(s); err != nil {
		return err
	}
	for _, l := range s.listeners {
		if err := s.mqtt.AddListener(l); err != nil {
			return err
		}
	}
	return s.mqtt.Serve()
}

// abandon undoes a start that failed half-way.
func (s *Server) abandon() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.ln.Close())
	}
	return errors.Join(append(errs, s.store.close())...)
}

// mochiOptions sets limits so that mochi itself never drops what this package lets through, and switches off what
// would change messages on their way.
func mochiOptions(o *Options) *mochi.Options {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumInflight = maxInflight
	c.MaximumClientWritesPending = int32(o.QueueLength)
	c.ReceiveMaximum = o.ReceiveMaximum
	c.MaximumPacketSize = o.MaxPacketSize
	c.TopicAliasMaximum = 1000
	// A maximum would be written into every message to an MQTT 5 client as its Message Expiry Interval.
	c.MaximumMessageExpiryInterval = 0
	// Otherwise a PUBACK repeats the user properties of the PUBLISH.
	c.Compatibilities.NoInheritedPropertiesOnAck = true
	return &mochi.Options{
		Capabilities: c,
		// mochi's own write buffer can keep a packet back until the next one comes; conn coalesces instead.
		ClientNetWriteBufferSize: 1,
		ClientNetReadBufferSize:  4096,
		SysTopicResendInterval:   10,
		Logger:                   slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 4})),
	}
}

// Addr returns the bound address (host:port, or a path) of the first listener of that network, "" if there is none.
func (s *Server) Addr(network string) string {
	for _, l := range s.listeners {
		if l.network == network {
			return l.Address()
		}
	}
	return ""
}

// URLs returns where clients can connect to, in the order of the listeners: mqtt://127.0.0.1:1883, mqtts://,
// ws://127.0.0.1:8080/mqtt, wss://, unix:///path.
func (s *Server) URLs() []string {
	var urls []string
	for _, l := range s.listeners {
		urls = append(urls, l.url())
	}
	return urls
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	i := s.mqtt.Info.Clone()
	return Stats{
		Connected: i.ClientsConnected, Received: i.MessagesReceived, Sent: i.MessagesSent,
		Dropped: i.MessagesDropped + i.InflightDropped, BytesReceived: i.BytesReceived, BytesSent: i.BytesSent,
		Retained: i.Retained, Subscriptions: i.Subscriptions,
	}
}

// ErrNotConnected means that no client of that identifier is connected.
var ErrNotConnected = errors.New("no such client is connected")

// DisconnectClient closes the connection of a client without a DISCONNECT, as a network failure would, so that reconnection
// can be tested. Its will message is sent. It returns when the broker is done with the connection, so OnEvent must not
// call it.
func (s *Server) DisconnectClient(id string) error {
	cl, ok := s.mqtt.Clients.Get(id)
	if !ok || cl.Closed() {
		return ErrNotConnected
	}
	ss := sessionOf(cl)
	err := ss.conn.abort()
	select {
	case <-ss.gone:
	case <-s.closing:
	}
	return err
}

// Close stops the broker: MQTT 5 clients get a DISCONNECT with reason 0x8B, all connections are closed, the unix
// socket is removed, the store is written and closed. It takes at most about a second, also when clients do not read,
// and may be called more than once.
func (s *Server) Close() error {
	s.close.Do(func() {
		close(s.closing)
		for _, l := range s.listeners {
			l.hurry(time.Second)
		}
		err := s.mqtt.Close()
		s.closeErr = errors.Join(err, s.store.close())
	})
	return s.closeErr
}

func (s *Server) emit(e Event) {
	if s.opts.OnEvent != nil {
		s.opts.OnEvent(e)
	}
}
