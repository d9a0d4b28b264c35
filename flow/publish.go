package flow

import (
	"bytes"
	"hash/maphash"

	"mq/packet"
)

// onPublish applies a PUBLISH.
func (t *Tracker) onPublish(c *conn, d int, p *packet.Publish) {
	props := &t.noProps
	if len(p.Properties) > 0 {
		props = &t.props
		props.read(p.Properties)
	}
	topic := p.Topic
	if props.alias != 0 {
		topic = t.resolve(c, d, uint16(props.alias), p)
	}
	t.ev.Topic = topic
	th := maphash.Bytes(t.seed, topic)
	if len(topic) > 0 {
		s := t.sum.topics.get(th, topic)
		s.count++
		s.bytes += int64(len(t.ev.Raw))
	}
	m := message{topic: topic, topicHash: th, hash: maphash.Bytes(t.seed, p.Payload)*31 + th ^ c.serverHash, p: p, props: props}
	t.sum.qos[d][p.QoS&3]++
	if d == 0 {
		t.published(c, &m)
	} else {
		t.delivered(c, &m)
	}
}

// message is a PUBLISH with what was found out about it.
type message struct {
	topic     []byte
	topicHash uint64
	hash      uint64 // of broker, topic and payload
	p         *packet.Publish
	props     *pubProps
	resent    bool
	match     *match
	origin    *published
	unique    bool // only one remembered message fits
}

func (t *Tracker) published(c *conn, m *message) {
	p := m.p
	t.clientLimits(c, p)
	if p.QoS > 0 {
		t.startPublish(c, 0, m)
	}
	if !t.o.NoCorrelation && !m.resent && t.ev.Topic != nil {
		t.corr.add(t, c, m)
	} else if m.resent {
		t.corr.markResent(m)
	}
	if p.Retain || len(t.retained.byTopic) > 0 {
		t.retained.publish(t, c, m)
	}
	if len(p.Properties) > 0 {
		t.requests.publish(t, c, m)
	}
}

// clientLimits judges a client's PUBLISH by what the server announced.
func (t *Tracker) clientLimits(c *conn, p *packet.Publish) {
	if c.version != packet.V5 {
		return
	}
	if c.phase == connecting {
		// The client could not know (annex 3, trap 38): judged when CONNACK tells.
		if p.QoS > c.early.maxQoS {
			c.early.maxQoS, c.early.qos = p.QoS, t.ev.Number
		}
		if p.Retain && c.early.retain == 0 {
			c.early.retain = t.ev.Number
		}
		return
	}
	if c.phase != established {
		return
	}
	if p.QoS > c.limits.MaximumQoS {
		t.fault(c, "E57", client, "QoS %v, the maximum is %v", p.QoS, c.limits.MaximumQoS).in("QoS", 0, 1)
	}
	if p.Retain && !c.limits.RetainAvailable {
		t.fault(c, "E58", client, "").in("RETAIN", 0, 1)
	}
}

// resolve sets or looks up a topic alias.
func (t *Tracker) resolve(c *conn, d int, alias uint16, p *packet.Publish) []byte {
	t.aliasLimit(c, d, alias)
	if c.alias[d] == nil {
		c.alias[d] = make(map[uint16][]byte)
	}
	a, ok := c.alias[d][alias]
	if len(p.Topic) > 0 {
		if ok && bytes.Equal(a, p.Topic) {
			return p.Topic
		}
		if ok {
			t.release(c, cap(a)+aliasSize)
			delete(c.alias[d], alias)
		}
		if cap(a) < len(p.Topic) {
			a = make([]byte, 0, len(p.Topic))
		}
		if !t.charge(c, cap(a)+aliasSize) {
			c.aliasLost[d] = true
			return p.Topic
		}
		c.alias[d][alias] = append(a[:0], p.Topic...)
		return p.Topic
	}
	if ok {
		t.ev.Aliased = true
		return a
	}
	if c.aliasLost[d] || !c.whole {
		return nil
	}
	c.aliasFault[d] = true
	if c.sess.oldAliases[d].has(alias) {
		t.fault(c, "E24", sideOf(d), "topic alias %d was set on an earlier connection", alias)
	} else {
		t.fault(c, "E23", sideOf(d), "topic alias %d was not set", alias)
	}
	return nil
}

// aliasSize is about what a topic alias takes beside its topic.
const aliasSize = 64

// aliasLimit judges a topic alias by what the receiver announced.
func (t *Tracker) aliasLimit(c *conn, d int, alias uint16) {
	limit, over, none := c.limits.ServerAliasMaximum, "E18", "E19"
	if d == 1 {
		limit, over, none = c.limits.ClientAliasMaximum, "E20", "E21"
	}
	switch {
	case c.inferred || c.phase == waiting:
	case c.phase == connecting && d == 0:
		if alias > c.early.maxAlias {
			c.early.maxAlias, c.early.alias = alias, t.ev.Number
		}
	case alias <= limit:
	case limit == 0:
		c.aliasFault[d] = true
		t.fault(c, none, sideOf(d), "topic alias %d", alias)
	default:
		c.aliasFault[d] = true
		t.fault(c, over, sideOf(d), "topic alias %d, the maximum is %d", alias, limit)
	}
}

// startPublish begins or repeats the handshake of a PUBLISH above QoS 0.
func (t *Tracker) startPublish(c *conn, d int, m *message) {
	p, s := m.p, c.sess
	kind := KindQoS1
	if p.QoS == packet.ExactlyOnce {
		kind = KindQoS2
	}
	if p.PacketID == 0 {
		return
	}
	f := s.out[d].get(p.PacketID)
	if f != nil && t.repeated(c, d, m, f, kind) {
		return
	}
	if f == nil {
		t.firstSent(c, d, m, kind)
	}
	s.failed[d].forget(p.PacketID)
	if f = t.newFlight(c, d, p.PacketID, kind); f == nil {
		return
	}
	f.hash, f.topic = m.hash, m.topicHash
	c.acted[d].seq[kind-KindQoS1]++
	f.seq = c.acted[d].seq[kind-KindQoS1]
	f.expiry = m.props.expiry
	if d == 1 {
		f.wanted = m.match == nil || m.match.n > 0 || !c.known()
		f.shared = m.match != nil && m.match.n > 0 && m.match.plain == 0
		if m.origin != nil {
			f.origin = m.origin.seq
		}
	}
	t.take(c, d, f)
}

// take counts f towards the receive maximum of the other side (section 4.9).
func (t *Tracker) take(c *conn, d int, f *flight) {
	if f.counted {
		return
	}
	f.counted = true
	c.unacked[d]++
	if c.unacked[d] <= c.receiveMaximum(d) {
		c.exceeded[d] = false
		return
	}
	if c.exceeded[d] || c.version != packet.V5 || c.inferred || d == 0 && c.phase != established {
		return
	}
	c.exceeded[d] = true // said once, until the number has come down
	key := "N1"
	if d == 1 {
		key = "N2"
	}
	if f.resent > 0 {
		key = "N4"
	}
	t.fault(c, key, sideOf(d), "%d are unacknowledged, the receive maximum is %d", c.unacked[d], c.receiveMaximum(d))
}

// repeated judges a PUBLISH whose identifier is in use. It returns true when it is the same message again.
func (t *Tracker) repeated(c *conn, d int, m *message, f *flight, kind Kind) bool {
	p := m.p
	first := f.steps[0].number
	same := f.hash == m.hash && f.kind == kind
	switch {
	case f.released && p.Dup && f.kind == KindQoS2:
		t.fault(c, "F14", sideOf(d), "PUBREL for it was sent").about(f.last().number)
	case same && f.carried && !p.Dup && c.resumed:
		t.fault(c, "E25", sideOf(d), "").about(first).in("DUP", 0, 1)
	case same && f.carried:
	case same && p.Dup && (c.phase == connecting || !c.whole):
	case same && p.Dup:
		t.fault(c, "M8", sideOf(d), "it was sent on this connection").about(f.last().number)
	case c.phase == connecting && f.carried:
		return t.replace(c, d, f)
	default:
		t.inUse(c, d, p.PacketID, f)
		return t.replace(c, d, f)
	}
	if f.carried && d == 0 && !f.released {
		if f.seq < c.acted[d].resent {
			t.fault(c, "M9", client, "").about(first)
		}
		c.acted[d].resent = max(c.acted[d].resent, f.seq)
	}
	f.carried, f.reported = false, false
	f.resent++
	t.sum.resent[d]++
	m.resent, t.ev.Resent = true, true
	t.ev.Flow, t.ev.Step = f.number, 1
	f.last().at = t.now
	t.take(c, d, f)
	t.expect(c)
	return true
}

// inUse reports an identifier that is not free.
func (t *Tracker) inUse(c *conn, d int, id uint16, f *flight) {
	key := "M4"
	if d == 1 {
		key = "M5"
	}
	t.fault(c, key, sideOf(d), "packet identifier %d belongs to a %v that has not ended", id, f.kind).about(f.steps[0].number)
}

// replace gives up an old handshake for a new one of the same identifier.
func (t *Tracker) replace(c *conn, d int, f *flight) bool {
	t.endFlight(c, d, f, Incomplete, 0, "its packet identifier was used again")
	return false
}

// firstSent judges the DUP flag of what was not sent before, as far as can be seen.
func (t *Tracker) firstSent(c *conn, d int, m *message, kind Kind) {
	if !m.p.Dup || c.phase != established || !c.whole {
		return
	}
	side := sideOf(d)
	if h, ok := c.sess.failed[d].has(m.p.PacketID); ok && h == m.hash {
		t.fault(c, "F19", side, "")
		return
	}
	if f, ok := c.stale[d][m.p.PacketID]; ok && f.hash == m.hash {
		t.oldSession(c, d, f.number)
		return
	}
	if c.resumed {
		if f := c.sess.sameMessage(d, m.hash); f != nil {
			t.fault(c, "M6", side, "it was sent with packet identifier %d", f.id).about(f.steps[0].number)
			f.carried = false
			return
		}
	}
	if !c.known() || c.resumed {
		return
	}
	switch {
	case d == 1 && m.origin != nil && m.origin.dup:
		t.fault(c, "E26", side, "").about(m.origin.number).in("DUP", 0, 1)
	case kind == KindQoS1:
		t.fault(c, "E27", side, "").in("DUP", 0, 1)
	default:
		t.fault(c, "E28", side, "").in("DUP", 0, 1)
	}
}

// oldSession reports the use of a session that was dropped.
func (t *Tracker) oldSession(c *conn, d int, number int64) {
	if c.connect.clean || d == 1 {
		t.fault(c, "M1", sideOf(d), "").about(number)
	} else {
		t.fault(c, "D12", sideOf(d), "").about(number)
	}
}
