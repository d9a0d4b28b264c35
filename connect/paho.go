package connect

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"mq/packet"
)

// ErrClosed is returned by the methods of a session after Close.
var ErrClosed = errors.New("the session is closed")

const (
	// publishStall is how long paho may take to accept a message before the connection is taken for broken. Its writers
	// never wait for the socket, so that only a connection that is being torn down gets there.
	publishStall = 2 * time.Second
	// closeGrace bounds how long Close waits for the handshakes of received messages.
	closeGrace = time.Second
	// disconnectQuiesce is how long, in milliseconds, paho may take to write its DISCONNECT. It is long because all that
	// was published before goes first; the connection has its own patience with a server that does not read.
	disconnectQuiesce = 24 * 60 * 60 * 1000
	// stableAfter is how long a connection must have been up to count as a success.
	stableAfter = 5 * time.Second
)

// pahoSession is a Session on Eclipse Paho. What paho lacks is added where it lets itself be extended: the connection
// (pahoConn), the store (ledger) and the function that opens connections, which is where reconnections are paced.
type pahoSession struct {
	opts     Options
	client   mqtt.Client
	ledger   *ledger
	ctx      context.Context // ends with the session
	cancel   context.CancelCauseFunc
	turn     chan struct{} // one Publish at a time: the order of calls is the order on the wire
	msg      packet.Message
	written0 atomic.Uint64
	handed   atomic.Int64 // messages given to paho during the present connection
	published,
	received,
	reconnects,
	bytesIn, bytesOut atomic.Uint64

	mu      sync.Mutex
	conn    *pahoConn // of the latest attempt
	number  uint64
	present bool
	opened  bool // Open has returned the session
	closing bool
	subs    map[string]packet.QoS
	backoff backoff
	flaps   int   // connections that were up for less than stableAfter, in a row
	dialErr error // of the latest attempt
	err     error // why the session ended
	done    chan struct{}
	losses  chan error // from paho: why a connection that was up has broken
}

func openPaho(ctx context.Context, o Options) (Session, error) {
	retry := backoff{policy: o.Retry}
	for {
		s, err := connectPaho(ctx, o)
		if err == nil {
			return s, nil
		}
		wait, again := retry.next(time.Now(), err)
		if !again {
			return nil, err
		}
		o.OnEvent(Event{Kind: EventRetrying, Err: err, Attempt: retry.attempt, Delay: wait})
		if err := Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// connectPaho makes one attempt.
func connectPaho(ctx context.Context, o Options) (*pahoSession, error) {
	s := &pahoSession{opts: o, ledger: newLedger(o.InFlight), subs: make(map[string]packet.QoS), done: make(chan struct{}), losses: make(chan error, 1), turn: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.backoff.policy = o.Reconnect
	s.client = mqtt.NewClient(s.pahoOptions())
	stop := context.AfterFunc(ctx, func() { s.cancel(ctx.Err()); s.closeConn() })
	defer stop()
	token := s.client.Connect()
	token.Wait()
	if err := token.Error(); err != nil {
		s.cancel(err)
		return nil, s.connectFailure(ctx, err)
	}
	s.mu.Lock()
	s.opened = true
	s.mu.Unlock()
	return s, nil
}

// connectFailure prefers what our own dialer and connection found out over paho's summary of it.
func (s *pahoSession) connectFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s.mu.Lock()
	c, dialErr := s.conn, s.dialErr
	s.mu.Unlock()
	if dialErr != nil {
		return dialErr
	}
	if r := c.reason(); r != nil {
		return r
	}
	return err
}

func (s *pahoSession) pahoOptions() *mqtt.ClientOptions {
	o := &s.opts
	po := mqtt.NewClientOptions()
	po.AddBroker("mq://transport") // CustomOpenConnectionFn knows the real address
	po.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return s.open() })
	po.SetProtocolVersion(uint(o.Version))
	po.SetClientID(o.ClientID)
	po.SetCleanSession(!o.KeepSession)
	po.SetKeepAlive(time.Duration(o.KeepAlive) * time.Second)
	po.SetUsername(o.Username)
	po.SetPassword(string(o.Password))
	if w := o.Will; w != nil {
		po.SetBinaryWill(w.Topic, w.Payload, byte(w.QoS), w.Retain)
	}
	po.SetStore(s.ledger)
	po.SetOrderMatters(true)
	po.SetAutoAckDisabled(true)
	po.SetAutoReconnect(o.Reconnect.Enabled)
	po.SetMaxReconnectInterval(time.Millisecond) // open waits between attempts
	po.SetWriteTimeout(publishStall)
	po.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { s.receive(m) })
	po.SetConnectionLostHandler(func(_ mqtt.Client, err error) { s.lost(err) })
	po.SetOnConnectHandler(func(mqtt.Client) { s.resubscribe() })
	return po
}

// open dials on paho's behalf: the first time once, after a loss as often as the policy says. An error ends the session
// when it had been open.
func (s *pahoSession) open() (net.Conn, error) {
	s.mu.Lock()
	opened, last := s.opened, s.conn
	s.mu.Unlock()
	if opened {
		if err := s.noteLoss(last); err != nil {
			return nil, s.end(err)
		}
	}
	for {
		if opened {
			if err := s.pace(); err != nil {
				return nil, s.end(err)
			}
		}
		conn, err := s.dial()
		if err == nil {
			return conn, nil
		}
		s.mu.Lock()
		s.dialErr = err
		s.mu.Unlock()
		if !opened {
			return nil, err
		}
	}
}

// noteLoss reports that c, if it was up, has broken. It is called before the next attempt, so that the events come in
// order. The error says that there is to be none.
func (s *pahoSession) noteLoss(c *pahoConn) error {
	if s.ctx.Err() != nil || c.upSince.Load() == 0 {
		return s.ctx.Err()
	}
	select {
	case err := <-s.losses:
		err = c.fail(c.lossOf(err))
		var pe *ProtocolError
		if errors.As(err, &pe) {
			return err
		}
		s.opts.OnEvent(Event{Kind: EventLost, Err: err})
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// pace waits before a reconnection. The first attempt after a loss is made at once, unless the connection before was
// lost at once as well. The error is that of the last attempt when there is to be no other.
func (s *pahoSession) pace() error {
	s.mu.Lock()
	err := s.dialErr
	s.dialErr = nil
	if up := s.conn.upSince.Load(); err == nil && up != 0 {
		if time.Since(time.Unix(0, up)) > stableAfter {
			s.backoff.attempt, s.flaps = 0, 0
		}
		s.flaps++
		if s.flaps == 1 {
			s.mu.Unlock()
			return s.ctx.Err()
		}
	}
	if err == nil {
		err = s.conn.reason()
	}
	if err == nil {
		err = &LostError{Addr: s.opts.Addr(), Reason: "the connection was closed"}
	}
	wait, again := s.backoff.next(time.Now(), err)
	attempt := s.backoff.attempt
	s.mu.Unlock()
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if !again {
		return err
	}
	s.opts.OnEvent(Event{Kind: EventRetrying, Err: err, Attempt: attempt, Delay: wait})
	return Sleep(s.ctx, wait)
}

func (s *pahoSession) dial() (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(s.ctx, s.opts.ConnectTimeout, errConnectTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	conn, err := Dial(ctx, s.opts)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		conn.Close()
		return nil, s.ctx.Err()
	}
	if s.conn != nil {
		s.bytesIn.Add(s.conn.in.Load())
		s.bytesOut.Add(s.conn.out.Load())
	}
	s.number++
	s.ledger.connecting(s.number)
	s.handed.Store(0)
	s.conn = newPahoConn(s, conn, s.number, deadline)
	return s.conn, nil
}

// connected is called by the connection when CONNACK has come, before paho has seen it.
func (s *pahoSession) connected(c *pahoConn, present bool) {
	s.mu.Lock()
	s.present = present
	again := c.number > 1 && s.opened
	s.mu.Unlock()
	s.ledger.connected(present)
	if again {
		s.reconnects.Add(1)
	}
	s.opts.OnEvent(Event{Kind: EventConnected, Reconnect: again})
}

// lost is called by paho, some time after the connection broke. A reconnection may be under way already.
func (s *pahoSession) lost(err error) {
	s.mu.Lock()
	c, closing := s.conn, s.closing
	s.mu.Unlock()
	switch {
	case closing:
	case s.opts.Reconnect.Enabled:
		s.losses <- err
	default:
		s.end(c.fail(c.lossOf(err)))
	}
}

// end finishes the session for good and returns err.
func (s *pahoSession) end(err error) error {
	s.mu.Lock()
	select {
	case <-s.done:
		s.mu.Unlock()
		return err
	default:
	}
	s.err = err
	if s.closing {
		s.err = nil
	}
	close(s.done)
	s.mu.Unlock()
	s.cancel(err)
	s.ledger.end(err)
	go s.client.Disconnect(0) // stops paho's own reconnecting; it may be waiting for us
	return err
}

func (s *pahoSession) closeConn() {
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		c.Close()
	}
}

func (s *pahoSession) receive(m mqtt.Message) {
	if m.Topic() == duplicateTopic {
		m.Ack()
		return
	}
	s.received.Add(1)
	s.msg = packet.Message{Topic: m.Topic(), Payload: m.Payload(), QoS: packet.QoS(m.Qos()), Retain: m.Retained(), Dup: m.Duplicate(), PacketID: m.MessageID()}
	if !s.opts.OnMessage(&s.msg) {
		s.ledger.withheld(m.MessageID())
		return
	}
	m.Ack()
}

// Drain implements Session.
func (s *pahoSession) Drain(ctx context.Context) error { return s.ledger.drain(ctx) }

// Close implements Session.
func (s *pahoSession) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	_ = s.ledger.settle(ctx) // what is not settled by then is delivered again, as QoS 1 and 2 provide
	s.mu.Lock()
	s.closing = true
	ended, c := s.err, s.conn
	s.mu.Unlock()
	select {
	case <-s.done:
		return ended
	default:
	}
	if c.upSince.Load() == 0 || c.isClosed() {
		var err error // there is nobody to take leave of
		if !s.opts.Reconnect.Enabled {
			err = c.reason()
		}
		c.Close()
		s.end(nil)
		return err
	}
	go s.client.Disconnect(disconnectQuiesce)
	err := c.transport.awaitClose()
	s.end(nil)
	if err != nil {
		return &LostError{Addr: s.opts.Addr(), Reason: plainReason(err), Err: err}
	}
	return nil
}

// Done implements Session.
func (s *pahoSession) Done() <-chan struct{} { return s.done }

// Err implements Session.
func (s *pahoSession) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// SessionPresent implements Session.
func (s *pahoSession) SessionPresent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present
}

// Stats implements Session.
func (s *pahoSession) Stats() Stats {
	st := Stats{Published: s.published.Load(), Received: s.received.Load(), Reconnects: s.reconnects.Load(),
		BytesIn: s.bytesIn.Load(), BytesOut: s.bytesOut.Load()}
	s.mu.Lock()
	if s.conn != nil {
		st.BytesIn += s.conn.in.Load()
		st.BytesOut += s.conn.out.Load()
	}
	s.mu.Unlock()
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	st.Written, st.Acknowledged, st.Pending, st.Duplicates = l.written+s.written0.Load(), l.acked, len(l.out), l.dups
	return st
}
