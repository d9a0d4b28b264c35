package broker

import (
	"cmp"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// Limits of one session.
const (
	maxInflight   = 65535                 // packet identifiers; mochi numbers a message when it queues it
	softInflight  = 8192                  // unacknowledged messages of a connected client at which publishers wait
	firstSequence = 1e15                  // less than any number given to a message, more than any Unix time in seconds
	busyPatience  = 50 * time.Millisecond // for a client whose own packets are being processed, and so cannot be read
)

// session is what this package adds to one mochi client: flow control in both directions, the order of redelivery, and
// safe take-over by a new connection. mochi's own flow control (inflight quotas) is switched off: it delivers in random
// order, forgets messages it has sent and can deadlock.
type session struct {
	s        *Server
	conn     *conn
	cl       *mochi.Client // nil until CONNECT
	id       string
	username string
	version  byte
	acl      *acl
	ackID    uint16 // the packet identifier of the SUBSCRIBE or UNSUBSCRIBE being processed
	refused  bool   // a Refused event was emitted

	busy     atomic.Bool // a packet of this client that can make others wait is being processed
	queue    gate        // opened when a queued message was written
	unacked  gate        // opened when a message was acknowledged
	stash    []packets.Packet
	previous *session      // whose messages are in stash
	ready    chan struct{} // closed when the session is established and may be given messages
	resumed  chan struct{} // closed when the messages of an earlier connection were sent again
	gone     chan struct{} // closed when the connection has ended

	mu        sync.Mutex
	window    int                 // the client's Receive Maximum, 0 for none
	sent      map[uint16]struct{} // messages sent and not yet acknowledged
	room      chan struct{}       // has one element when sent got smaller
	successor *session            // the connection that took the session over
	taken     map[uint16]struct{} // messages that successor has inherited before they were numbered
	aliasMax  uint16
	aliases   map[string]uint16
}

func newSession(s *Server, c *conn) *session {
	return &session{
		s: s, conn: c, sent: map[uint16]struct{}{}, taken: map[uint16]struct{}{}, room: make(chan struct{}, 1),
		ready: make(chan struct{}), resumed: make(chan struct{}), gone: make(chan struct{}),
	}
}

// sessionOf returns the session of a client that mochi passes to a hook.
func sessionOf(cl *mochi.Client) *session { return cl.Net.Conn.(*conn).session }

// adopt makes cl the client of the session, and takes from mochi what this package does itself.
func (ss *session) adopt(cl *mochi.Client) {
	p := &cl.Properties.Props
	ss.cl, ss.id, ss.username, ss.version = cl, cl.ID, string(cl.Properties.Username), cl.Properties.ProtocolVersion
	ss.window, ss.aliasMax = int(p.ReceiveMaximum), p.TopicAliasMaximum
	p.ReceiveMaximum, p.TopicAliasMaximum = 0, 0
	cl.State.Inflight.ResetSendQuota(0)
}

// expires reports whether the session ends with the connection.
func expires(cl *mochi.Client) bool {
	p := &cl.Properties
	if p.ProtocolVersion == 5 {
		return p.Props.SessionExpiryInterval == 0
	}
	return p.Clean
}

// queued returns how many messages wait to be written. mochi keeps its queue private; the length of a channel may be
// read through reflection, and a test watches over the name.
func (ss *session) queued() int {
	if ss.cl == nil {
		return 0
	}
	return reflect.ValueOf(&ss.cl.State).Elem().FieldByIndex(outboundField).Len()
}

var outboundField = func() []int {
	f, ok := reflect.TypeFor[mochi.ClientState]().FieldByName("outbound")
	if !ok || f.Type.Kind() != reflect.Chan {
		panic("broker: mochi.ClientState has no channel outbound")
	}
	return f.Index
}()

// admit waits until the client can take one more message, in the goroutine of the publisher: mochi asks for leave to
// deliver before it queues. This is what slows down a publisher that is faster than its subscribers.
func (ss *session) admit() {
	ss.waitReady()
	if ss.cl == nil || ss.cl.Closed() {
		return
	}
	limit := ss.s.opts.QueueLength / 2
	ss.queue.wait(ss, func() bool { return ss.queued() >= limit })
	ss.unacked.wait(ss, func() bool { return ss.cl.State.Inflight.Len() >= softInflight })
}

// waitReady waits until the connection that has (or is just taking over) the session is established.
func (ss *session) waitReady() {
	ss.mu.Lock()
	next := ss.successor
	ss.mu.Unlock()
	if next == nil {
		next = ss
	}
	select {
	case <-next.ready:
	case <-next.gone:
	case <-ss.s.closing:
	}
}

func (ss *session) takenOver() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.successor != nil
}

// gate lets publishers wait for progress of one subscriber.
type gate struct {
	waiters atomic.Int32
	stalled atomic.Bool // a publisher lost its patience and nothing has moved since
	mu      sync.Mutex
	moved   chan struct{} // closed at the next progress
}

// open reports progress.
func (g *gate) open() {
	if g.stalled.Load() {
		g.stalled.Store(false)
	}
	if g.waiters.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.moved != nil {
		close(g.moved)
		g.moved = nil
	}
}

func (g *gate) next() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.moved == nil {
		g.moved = make(chan struct{})
	}
	return g.moved
}

// wait returns when full no longer holds, the connection ends, or nothing has moved for as long as is bearable.
func (g *gate) wait(ss *session, full func() bool) {
	if !full() || g.stalled.Load() {
		return
	}
	g.waiters.Add(1)
	defer g.waiters.Add(-1)
	for {
		moved := g.next() // before full is asked, so that no progress is missed
		if !full() || g.stalled.Load() {
			return
		}
		patience := ss.s.opts.Patience
		if ss.busy.Load() {
			patience = min(patience, busyPatience)
		}
		select {
		case <-moved:
		case <-time.After(patience):
			g.stalled.Store(true)
			return
		case <-ss.gone:
			return
		case <-ss.s.closing:
			return
		}
	}
}

// acquire waits until the client's Receive Maximum allows one more message [MQTT-3.3.4-9], and notes it as sent.
func (ss *session) acquire(id uint16) {
	for flushed := false; ; {
		ss.mu.Lock()
		if ss.window == 0 || len(ss.sent) < ss.window {
			ss.sent[id] = struct{}{}
			ss.mu.Unlock()
			return
		}
		ss.mu.Unlock()
		if !flushed {
			ss.conn.flush()
			flushed = true
		}
		select {
		case <-ss.room:
		case <-ss.gone:
			return
		case <-ss.s.closing:
			return
		}
	}
}

// release notes that the client has finished the handshake of a message.
func (ss *session) release(id uint16) {
	ss.mu.Lock()
	delete(ss.sent, id)
	ss.mu.Unlock()
	select {
	case ss.room <- struct{}{}:
	default:
	}
}

// alias replaces the topic of pk by a topic alias when the client takes them. Only the writer of the queue calls it, so
// that the packet that introduces an alias is written before those that use it.
func (ss *session) alias(pk *packets.Packet) {
	// A packet that is too large is not sent, and could have introduced an alias.
	if ss.aliasMax == 0 || ss.cl.Properties.Props.MaximumPacketSize > 0 {
		return
	}
	if ss.aliases == nil {
		ss.aliases = map[string]uint16{}
	}
	n, known := ss.aliases[pk.TopicName]
	if !known {
		if len(ss.aliases) == int(ss.aliasMax) {
			return
		}
		n = uint16(len(ss.aliases) + 1)
		ss.aliases[pk.TopicName] = n
	}
	pk.Properties.TopicAlias, pk.Properties.TopicAliasFlag = n, true
	if known {
		pk.TopicName = ""
	}
}

// takeOver is called before mochi has the session inherit the messages of an earlier connection.
func (ss *session) takeOver(old *session) {
	if !old.cl.Closed() {
		old.conn.hurry(500 * time.Millisecond) // mochi is about to write a DISCONNECT, which may block
	}
	old.mu.Lock()
	old.successor = ss
	old.mu.Unlock()
	ss.previous = old
}

// collect takes the inherited messages away, before mochi would resend them: it does so in random order.
func (ss *session) collect() {
	old, inflight := ss.previous, ss.cl.State.Inflight
	old.mu.Lock()
	defer old.mu.Unlock()
	for _, pk := range inflight.GetAll(false) {
		inflight.Delete(pk.PacketID)
		if pk.FixedHeader.Type == packets.Publish {
			if _, ok := old.sent[pk.PacketID]; ok {
				pk.FixedHeader.Dup = true // [MQTT-3.3.1-1]
			}
			if pk.Created < firstSequence { // not numbered yet: queued this moment, and forward will see it
				old.taken[pk.PacketID] = struct{}{}
				pk.Created = ss.s.sequence.Add(1)
				ss.s.store.putMessage(ss.cl, pk)
			}
		}
		ss.stash = append(ss.stash, pk)
	}
	slices.SortStableFunc(ss.stash, func(a, b packets.Packet) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.PacketID, b.PacketID))
	})
}

// establish gives the session its messages back and starts to send them again.
func (ss *session) establish() {
	for _, pk := range ss.stash {
		ss.cl.State.Inflight.Set(pk)
	}
	pending := slices.DeleteFunc(ss.stash, func(pk packets.Packet) bool {
		return pk.FixedHeader.Type != packets.Publish && pk.FixedHeader.Type != packets.Pubrel
	})
	ss.stash = nil
	ss.mu.Lock()
	for _, pk := range pending {
		if pk.FixedHeader.Type == packets.Pubrel {
			ss.sent[pk.PacketID] = struct{}{}
		}
	}
	ss.mu.Unlock()
	close(ss.ready)
	if len(pending) == 0 {
		close(ss.resumed)
		return
	}
	go ss.resend(pending)
}

// resend sends unacknowledged messages in their original order [MQTT-4.6.0-1]; new ones wait until it is done.
func (ss *session) resend(pending []packets.Packet) {
	defer close(ss.resumed)
	for _, pk := range pending {
		pk.Ignore = true // marks it for OnPacketEncode
		if ss.cl.WritePacket(pk) != nil && ss.cl.Closed() {
			return
		}
	}
	ss.conn.flush()
}

// number gives a message its place in the order of the session, and reports whether the session still is the one to
// keep it.
func (ss *session) number(pk *packets.Packet) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	pk.Created = ss.s.sequence.Add(1)
	if ss.successor != nil {
		return false
	}
	ss.cl.State.Inflight.Set(*pk)
	return true
}

// forward passes a message that mochi gave to a connection just taken over on to the one that took over.
func (ss *session) forward(pk packets.Packet) {
	for {
		ss.waitReady()
		ss.mu.Lock()
		next := ss.successor
		_, taken := ss.taken[pk.PacketID]
		ss.mu.Unlock()
		if taken {
			return
		}
		id, err := next.cl.NextPacketID()
		if err != nil {
			return
		}
		pk.PacketID = uint16(id)
		next.cl.State.Inflight.Set(pk)
		if next.number(&pk) {
			next.sendForwarded(pk)
			return
		}
		ss = next
	}
}

func (ss *session) sendForwarded(pk packets.Packet) {
	ss.s.store.putMessage(ss.cl, pk)
	select {
	case <-ss.resumed:
		pk.Ignore = true
		_ = ss.cl.WritePacket(pk)
	case <-ss.gone: // the next connection of the session sends it
	}
}

// finish is called when mochi is done with the connection.
func (ss *session) finish(err error) {
	close(ss.gone)
	if ss.cl == nil {
		ss.refuse(0, connectReason(err))
		return
	}
	select {
	case <-ss.ready:
		<-ss.resumed
		return
	default:
	}
	ss.refuse(0, connectReason(err))
	// CONNACK could not be written: mochi has the client, but nobody told it that the connection is over.
	for _, pk := range ss.stash {
		ss.cl.State.Inflight.Set(pk)
	}
	close(ss.ready)
	if cl, ok := ss.s.mqtt.Clients.Get(ss.id); ok && cl == ss.cl && expires(cl) {
		ss.s.mqtt.UnsubscribeClient(cl)
		ss.s.mqtt.Clients.Delete(ss.id)
	}
}

// refuse emits a Refused event for the connection, once.
func (ss *session) refuse(code byte, detail string) {
	if ss.refused {
		return
	}
	ss.refused = true
	e := ss.event(Refused)
	e.Code, e.Detail = code, detail
	ss.s.emit(e)
}
