package flow

import (
	"strings"

	"mq/packet"
)

// retainedBook follows what servers should have stored.
type retainedBook struct {
	byTopic map[uint64]*stored
	due     []expectation
}

const maxRetained = 4096

// stored is the retained message of a topic.
type stored struct {
	hash, before, live uint64 // of the message, the one before it, and the last with RETAIN 0
	at                 int64
	number             int64
	qos                packet.QoS
	empty              bool
	expires            bool
	will               bool // the server stored it as a will
}

// expectation is a retained message that a new subscription should get.
type expectation struct {
	c      *conn
	sub    *subscription
	topic  uint64
	number int64
	at     int64
	will   bool
}

// publish notes a client's message.
func (b *retainedBook) publish(t *Tracker, c *conn, m *message) {
	key := m.topicHash ^ c.serverHash
	e := b.byTopic[key]
	if !m.p.Retain {
		if e != nil {
			e.live = m.hash
		}
		return
	}
	if e == nil {
		if len(b.byTopic) >= maxRetained {
			b.prune()
		}
		if len(b.byTopic) >= maxRetained {
			return
		}
		e = new(stored)
		b.byTopic[key] = e
	}
	*e = stored{
		hash: m.hash, before: e.hash, live: e.live, at: t.now, number: t.ev.Number, qos: m.p.QoS,
		empty: len(m.p.Payload) == 0, expires: m.props.hasExpiry,
	}
	if e.live == e.hash {
		e.live = 0
	}
}

// prune forgets what was removed.
func (b *retainedBook) prune() {
	for key, e := range b.byTopic {
		if e.empty {
			delete(b.byTopic, key)
		}
	}
}

// judgeRetained applies the rules about a delivery with RETAIN 1.
func (t *Tracker) judgeRetained(c *conn, m *message) {
	b, k := &t.retained, m.match
	b.fulfilled(c, m)
	if c.bridge || k.someRap || k.n == 0 || !c.known() || c.sess.subsLost || t.now-k.asked > int64(t.o.RetainGrace) {
		return // a live message, or E38 has been said
	}
	switch {
	case len(m.p.Payload) == 0:
		t.fault(c, "E47", server, "")
		return
	case k.plain == 0:
		t.fault(c, "P12", server, "%q", k.share)
		return
	case k.noRetained && k.never:
		t.fault(c, "E43", server, "")
		return
	case k.noRetained:
		t.fault(c, "E42", server, "")
		return
	}
	e := b.byTopic[m.topicHash^c.serverHash]
	if e == nil || m.hash == e.hash || t.now-e.at < int64(t.o.CloseGrace) {
		return
	}
	switch {
	case e.empty && m.hash == e.before:
		t.fault(c, "E46", server, "").about(e.number)
	case m.hash == e.live:
		t.fault(c, "E48", server, "").about(e.number)
	case m.hash == e.before && e.qos == 0:
		t.fault(c, "E45", server, "").about(e.number)
	case m.hash == e.before:
		t.fault(c, "E44", server, "").about(e.number)
	}
}

// expect notes that a subscription should get a retained message.
func (b *retainedBook) expect(t *Tracker, c *conn, sub *subscription) {
	o := &sub.opts
	if len(b.byTopic) == 0 || sub.shared || o.RetainHandling == 2 || o.RetainHandling == 1 && !sub.isNew ||
		strings.ContainsAny(sub.filter, "+#") || len(b.due) >= 256 || !c.whole {
		return
	}
	topic := t.hashString(sub.filter)
	e := b.byTopic[topic^c.serverHash]
	if e == nil || e.empty || e.expires || e.qos == 0 || t.now-e.at < int64(t.o.CloseGrace) {
		return
	}
	b.due = append(b.due, expectation{c, sub, topic, t.ev.Number, t.now, e.will})
}

func (b *retainedBook) fulfilled(c *conn, m *message) {
	for i := range b.due {
		if b.due[i].c == c && b.due[i].topic == m.topicHash {
			b.due[i].c = nil
		}
	}
}

// sweep reports what did not come.
func (b *retainedBook) sweep(t *Tracker) {
	n := 0
	for _, e := range b.due {
		switch {
		case e.c == nil || t.conns[e.c.id] != e.c || !e.sub.live && e.sub.wait == 0:
		case t.now-e.at > int64(t.o.AnswerTimeout):
			if e.sub.live && e.c.whole {
				key := "E41"
				if e.will {
					key = "M24"
				}
				t.late(e.c, key, server, e.number, "%q", e.sub.filter)
			}
		default:
			b.due[n] = e
			n++
		}
	}
	clear(b.due[n:])
	b.due = b.due[:n]
}
