package flow

import (
	"bytes"
	"hash/maphash"

	"mq/packet"
)

// willBook knows the wills of clients, to recognise them when they are published.
type willBook struct {
	byHash map[uint64]*will
	due    []*will
}

// maxSubscribers is the number of connections that are asked whether they should get a will.
const (
	maxWills       = 4096
	maxSubscribers = 256
)

// will is one client's will message, whatever connection it was given on.
type will struct {
	hash     uint64
	topic    []byte
	qos      packet.QoS
	retain   bool
	delay    int64
	props    []byte
	owner    string // key of the session
	armed    bool   // its client is connected
	abnormal int    // connections that ended so that it is due
	normal   int    // connections that ended so that it is not
	unclear  bool   // how one ended was not seen
	returned bool   // the client came back in time
	closedAt int64
	number   int64 // of the last CONNECT
	// One subscriber that is counted on: what it got, and until when it should have got it.
	got   int
	by    int   // its connection
	wait  *conn // whom to report
	until int64
}

// newWill notes the will of a CONNECT.
func (t *Tracker) newWill(c *conn, p *packet.Will) *will {
	hash := t.messageHash(c, []byte(p.Topic), p.Payload)
	w := t.wills.byHash[hash]
	owner := c.meta.Server + "\x00" + c.clientID
	if w != nil && w.owner == owner && c.clientID != "" {
		return w
	}
	if len(t.wills.byHash) >= maxWills || len(p.Topic)+len(p.Properties) > 1024 {
		return &will{unclear: true}
	}
	if w != nil {
		w.unclear = true // two clients have the same one
		return w
	}
	delay, _ := p.Properties.Uint(packet.PropWillDelayInterval)
	w = &will{
		hash: hash, topic: []byte(p.Topic), qos: p.QoS, retain: p.Retain, delay: int64(delay) * 1e9,
		props: bytes.Clone(p.Properties), owner: owner,
	}
	t.wills.byHash[hash] = w
	return w
}

// returned notes that a client has connected again.
func (b *willBook) returned(t *Tracker, c *conn) {
	w := c.prior.will
	if w != nil && w.abnormal > 0 && w.delay > 0 && !c.connect.clean && t.now < w.closedAt+w.delay {
		w.abnormal--
		w.returned, w.wait = true, nil
	}
}

// closed notes how a connection with a will ended.
func (b *willBook) closed(t *Tracker, c *conn, normal bool, by Closer) {
	w := c.connect.will
	w.armed, w.closedAt, w.number = false, t.now, c.connect.number
	switch {
	case by == ClosedUnknown || c.overtaken != 0 || !c.whole:
		w.unclear = true
		return
	case normal || c.version != packet.V5 && c.bye[0].number != 0:
		w.normal++
		return
	}
	w.abnormal++
	w.returned = false
	delay := w.delay
	if limit := int64(c.limits.SessionExpiry) * 1e9; delay > limit {
		delay = limit // the end of the session publishes it too
	}
	if w.retain && delay == 0 && w.qos > 0 {
		t.storeWill(c, w)
	}
	hash := maphash.Bytes(t.seed, w.topic)
	for o, n := t.first, 0; o != nil && n < maxSubscribers; o, n = o.next, n+1 {
		if o == c || o.serverHash != c.serverHash || !o.known() || o.sess.subsLost {
			continue
		}
		if k := o.sess.matchTopic(w.topic, hash); k.plain > 0 && !k.wait && !k.noLocal {
			w.wait, w.until = o, t.now+delay+int64(t.o.AnswerTimeout)
			if len(b.due) < 256 {
				b.due = append(b.due, w)
			}
			return
		}
	}
}

// storeWill notes that the server should have stored a will.
func (t *Tracker) storeWill(c *conn, w *will) {
	if len(t.retained.byTopic) < maxRetained {
		key := maphash.Bytes(t.seed, w.topic) ^ c.serverHash
		t.retained.byTopic[key] = &stored{hash: w.hash, at: t.now, number: w.number, qos: w.qos, will: true}
	}
}

func (t *Tracker) hashString(s string) uint64 { return maphash.String(t.seed, s) }

// delivered judges a delivery that may be a will.
func (b *willBook) delivered(t *Tracker, c *conn, m *message) {
	w := b.byHash[m.hash]
	if w == nil || m.origin != nil || w.unclear {
		return
	}
	if m.p.Retain && !m.match.someRap {
		if !w.retain && w.abnormal > 0 && t.retained.byTopic[m.topicHash^c.serverHash] == nil && !c.bridge {
			t.fault(c, "M23", server, "").about(w.number)
		}
		return
	}
	w.wait = nil
	if w.by == 0 {
		w.by = c.number
	}
	if w.by == c.number {
		w.got++
	}
	if sameUser(w.props, m.p.Properties) == userMoved && c.version == packet.V5 {
		t.fault(c, "M26", server, "").about(w.number)
	}
	if w.armed || w.by != c.number || w.got <= w.abnormal || !c.known() || m.match.n > 1 {
		return
	}
	switch {
	case w.returned:
		t.fault(c, "M25", server, "").about(w.number)
	case w.abnormal > 0:
		t.fault(c, "M21", server, "").about(w.number)
	case w.normal > 0:
		t.fault(c, "J14", server, "").about(w.number)
	}
}

// sweep reports wills that were not published.
func (b *willBook) sweep(t *Tracker) {
	n := 0
	for _, w := range b.due {
		switch {
		case w.wait == nil || t.conns[w.wait.id] != w.wait || !w.wait.known():
		case t.now > w.until:
			t.late(w.wait, "M20", server, w.number, "topic %q", w.topic)
			w.wait = nil
		default:
			b.due[n] = w
			n++
		}
	}
	clear(b.due[n:])
	b.due = b.due[:n]
}
