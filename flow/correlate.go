package flow

import (
	"bytes"

	"mq/packet"
)

// correlator remembers what clients published, to recognise it when the broker delivers it. It is a ring; entries of the
// same hash are chained from the newest to the oldest, and a chain ends where the ring has been written over.
type correlator struct {
	ring  []published
	heads []int64
	seq   int64 // of the newest entry, from 1
	short []shortCopy
}

// published is a message a client sent.
type published struct {
	seq, older int64
	hash       uint64
	at         int64
	number     int64 // of the packet
	conn       int   // number of the connection
	qos        packet.QoS
	version    packet.Version
	retain     bool
	dup        bool
	resent     bool
	bom        bool // the entry stands for the topic without its leading EF BB BF
	propsLost  bool
	props      []byte
	copies     int
	to         [4]delivery
}

// delivery is one copy of a message.
type delivery struct {
	id      ConnID
	conn    int
	sess    *session
	share   uint64 // hash of the filter of the shared subscription, when only that matches
	qos     packet.QoS
	refused bool
}

// shortCopy is a delivery at less QoS than overlapping subscriptions ask for; another copy may make good for it.
type shortCopy struct {
	c           *conn
	seq, number int64
	at          int64
	want        packet.QoS
}

// lastDelivery is the newest message of a publisher, topic and QoS that a connection has got.
type lastDelivery struct {
	key uint64
	seq int64
}

const maxProps = 1024

func newCorrelator(n int) *correlator {
	size := 16
	for size < n {
		size *= 2
	}
	return &correlator{ring: make([]published, size), heads: make([]int64, 2*size)}
}

func (r *correlator) slot(seq int64) *published { return &r.ring[seq&int64(len(r.ring)-1)] }
func (r *correlator) head(hash uint64) *int64   { return &r.heads[hash&uint64(len(r.heads)-1)] }

// live returns the entry seq, nil when it was written over.
func (r *correlator) live(seq int64) *published {
	if seq <= 0 || seq <= r.seq-int64(len(r.ring)) {
		return nil
	}
	return r.slot(seq)
}

// add remembers a client's message.
func (r *correlator) add(t *Tracker, c *conn, m *message) {
	r.put(t, c, m, m.hash, false)
	if rest, ok := bytes.CutPrefix(m.topic, bom); ok {
		r.put(t, c, m, t.messageHash(c, rest, m.p.Payload), true)
	}
}

var bom = []byte("\xef\xbb\xbf")

func (r *correlator) put(t *Tracker, c *conn, m *message, hash uint64, bom bool) {
	r.seq++
	e, head := r.slot(r.seq), r.head(hash)
	props := e.props[:0]
	lost := len(m.p.Properties) > maxProps
	if len(m.p.Properties) > 0 && !lost {
		props = append(props, m.p.Properties...)
	}
	// Field by field: to is as it was and copies says that nothing in it counts.
	e.seq, e.older, e.hash, e.at, e.number, e.conn = r.seq, *head, hash, t.now, t.ev.Number, c.number
	e.qos, e.version, e.retain, e.dup, e.resent = m.p.QoS, c.version, m.p.Retain, m.p.Dup, false
	e.bom, e.propsLost, e.props, e.copies = bom, lost || c.inferred, props, 0
	*head = r.seq
}

// markResent notes that a message was sent again.
func (r *correlator) markResent(m *message) {
	for e := r.live(*r.head(m.hash)); e != nil; e = r.live(e.older) {
		if e.hash == m.hash {
			e.resent = true
			return
		}
	}
}

// refuse notes that the receiver of a delivery refused it.
func (r *correlator) refuse(seq int64, c *conn) {
	if e := r.live(seq); e != nil {
		for i := range min(e.copies, len(e.to)) {
			e.to[i].refused = e.to[i].refused || e.to[i].conn == c.number
		}
	}
}

// find looks for the message of a delivery: of those that fit, the oldest this connection has not got yet that was
// published after it subscribed, else the newest. Unique tells that there is one only.
func (r *correlator) find(t *Tracker, c *conn, m *message) (best *published, unique bool) {
	fit := 0
	var newest *published
	for e, n := r.live(*r.head(m.hash)), 0; e != nil && n < 16; e, n = r.live(e.older), n+1 {
		if e.hash != m.hash || e.bom {
			continue
		}
		if t.now-e.at > int64(t.o.Window) {
			break
		}
		fit++
		if newest == nil {
			newest = e
		}
		if !e.got(c.number) && (m.match == nil || e.at >= m.match.asked) {
			best = e
		}
	}
	if best == nil {
		best = newest
	}
	return best, fit == 1
}

// stripped reports whether the message was published with a byte order mark before its topic.
func (r *correlator) stripped(t *Tracker, m *message) *published {
	for e, n := r.live(*r.head(m.hash)), 0; e != nil && n < 16; e, n = r.live(e.older), n+1 {
		if e.hash == m.hash && e.bom && t.now-e.at <= int64(t.o.Window) {
			return e
		}
	}
	return nil
}

func (e *published) got(conn int) bool {
	for i := range min(e.copies, len(e.to)) {
		if e.to[i].conn == conn {
			return true
		}
	}
	return false
}

type userOrder int

const (
	userSame userOrder = iota
	userMoved
	userLost
)

// sameUser compares the user properties of two lists.
func sameUser(in, out packet.Properties) userOrder {
	a, b := in, out
	for {
		var x, y packet.Property
		var moreX, moreY bool
		x, a, moreX = nextUser(a)
		y, b, moreY = nextUser(b)
		switch {
		case !moreX && !moreY:
			return userSame
		case moreX != moreY || !bytes.Equal(x.Bytes, y.Bytes) || !bytes.Equal(x.Value, y.Value):
			return otherUser(in, out)
		}
	}
}

// nextUser returns the next user property of p and what follows it.
func nextUser(p packet.Properties) (f packet.Property, rest packet.Properties, ok bool) {
	for {
		if f, p, ok = p.Next(); !ok || f.ID == packet.PropUserProperty {
			return f, p, ok
		}
	}
}

// otherUser tells how two lists of user properties differ.
func otherUser(in, out packet.Properties) userOrder {
	pairs := func(p packet.Properties) (list []string) {
		for f := range p.All() {
			if f.ID == packet.PropUserProperty {
				list = append(list, string(f.Bytes)+"\x00"+string(f.Value))
			}
		}
		return list
	}
	a, b := pairs(in), pairs(out)
	if len(a) != len(b) {
		return userLost
	}
	count := map[string]int{}
	for i := range a {
		count[a[i]]++
		count[b[i]]--
	}
	for _, n := range count {
		if n != 0 {
			return userLost
		}
	}
	return userMoved
}

// sweepShort reports deliveries at too low a QoS that no other copy made good for.
func (r *correlator) sweepShort(t *Tracker, grace int64) {
	n := 0
	for _, s := range r.short {
		e := r.live(s.seq)
		switch {
		case e == nil || s.done(e):
		case t.now-s.at > grace:
			t.late(s.c, "E32", server, s.number, "QoS %v was due", s.want)
		default:
			r.short[n] = s
			n++
		}
	}
	r.short = r.short[:n]
}

func (s *shortCopy) done(e *published) bool {
	for i := range min(e.copies, len(e.to)) {
		if e.to[i].conn == s.c.number && e.to[i].qos >= s.want {
			return true
		}
	}
	return false
}
