package flow

import (
	"hash/maphash"

	"mq/packet"
)

func (t *Tracker) messageHash(c *conn, topic, payload []byte) uint64 {
	return maphash.Bytes(t.seed, payload)*31 + maphash.Bytes(t.seed, topic) ^ c.serverHash
}

// delivered applies a server's PUBLISH.
func (t *Tracker) delivered(c *conn, m *message) {
	p := m.p
	if m.topic != nil {
		m.match = c.sess.matchTopic(m.topic, m.topicHash)
		if !t.o.NoCorrelation && !t.fromStore(m) {
			m.origin, m.unique = t.corr.find(t, c, m)
		}
	}
	if p.QoS > 0 {
		t.startPublish(c, 1, m)
	}
	if m.topic == nil || m.resent {
		return
	}
	t.judgeMatch(c, m)
	if m.origin != nil {
		t.trace(c, m)
	} else if !t.o.NoCorrelation && !p.Retain {
		if e := t.corr.stripped(t, m); e != nil {
			t.fault(c, "B3", server, "").about(e.number)
		}
	}
	if p.Retain {
		t.judgeRetained(c, m)
	}
	if len(t.wills.byHash) > 0 {
		t.wills.delivered(t, c, m)
	}
	if len(p.Properties) > 0 {
		t.requests.deliver(t, c, m)
	}
}

// fromStore tells that the message is a retained one from the server's store, as far as the flags tell.
func (t *Tracker) fromStore(m *message) bool { return m.p.Retain && !m.match.someRap }

// judgeMatch compares a delivery with the client's subscriptions.
func (t *Tracker) judgeMatch(c *conn, m *message) {
	k, p := m.match, m.p
	if !c.known() || c.sess.subsLost {
		return
	}
	if k.n == 0 {
		t.unmatched(c, m)
		return
	}
	if k.wait {
		return
	}
	late := t.now-k.since > int64(t.o.RetainGrace)
	switch {
	case p.QoS <= k.granted:
	case p.QoS <= k.was && !late:
	case p.QoS <= k.was:
		t.fault(c, "G18", server, "QoS %v, granted is now %v", p.QoS, k.granted).in("QoS", 0, 1)
	case k.plain == 0:
		t.fault(c, "P10", server, "QoS %v, granted %v for %q", p.QoS, k.granted, k.share).in("QoS", 0, 1)
	default:
		t.fault(c, "E31", server, "QoS %v, granted %v", p.QoS, k.granted).in("QoS", 0, 1)
	}
	if p.Retain && !k.someRap && !c.bridge && t.now-k.asked > int64(t.o.RetainGrace) {
		t.fault(c, "E38", server, "SUBSCRIBE was %v ago", since(t.now-k.asked)).in("RETAIN", 0, 1)
	}
	if c.version == packet.V5 {
		t.judgeIDs(c, m)
	}
}

// judgeIDs applies the rules about subscription identifiers.
func (t *Tracker) judgeIDs(c *conn, m *message) {
	k := m.match
	if m.props.hasID {
		for id := range m.p.Properties.SubscriptionIDs() {
			if !c.sess.subIDs[id] {
				t.fault(c, "E36", server, "subscription identifier %d", id)
				return
			}
		}
	}
	switch {
	case m.props.hasID || !k.allID:
	case k.n == 1:
		t.fault(c, "E34", server, "")
	default:
		t.fault(c, "E35", server, "%d subscriptions match, each with an identifier", k.n)
	}
}

// unmatched judges a delivery that no subscription asks for.
func (t *Tracker) unmatched(c *conn, m *message) {
	k := m.match
	switch {
	case k.gone != 0 && t.now-k.gone <= int64(t.o.RetainGrace):
		return // it was under way
	case k.gone != 0 && m.origin != nil && m.unique && m.origin.at-k.gone > int64(t.o.CloseGrace):
		t.fault(c, "H12", server, "UNSUBACK was %v ago", since(t.now-k.gone)).about(m.origin.number)
	case k.gone != 0:
		return
	case k.dollar:
		t.fault(c, "E59", server, "topic %q", m.topic)
	case k.folded != "":
		t.fault(c, "P7", server, "topic %q, filter %q", m.topic, k.folded)
	default:
		t.fault(c, "E29", server, "topic %q", m.topic)
	}
}

// trace follows a delivery back to its publisher.
func (t *Tracker) trace(c *conn, m *message) {
	e, p, k := m.origin, m.p, m.match
	again := e.got(c.number)
	t.ev.Origin, t.ev.Residence, t.ev.Copy = e.number, since(t.now-e.at), e.copies+1
	t.sum.residence.add(t.now - e.at)
	t.sum.deliveries++
	if c.known() && !c.sess.subsLost && k.n > 0 {
		t.judgeCopy(c, m, again)
	}
	if m.unique {
		t.judgeForward(c, m)
	}
	if m.unique && !p.Dup && !p.Retain && !e.resent && k.n == 1 && k.plain == 1 && !k.wait && c.known() {
		t.inOrder(c, m)
	}
	d := delivery{id: c.id, conn: c.number, qos: p.QoS, sess: c.sess}
	if k.plain == 0 {
		d.share = t.hashString(k.share)
	}
	if e.copies < len(e.to) {
		e.to[e.copies] = d
	}
	e.copies++
}

// judgeCopy applies the rules about who gets how many copies.
func (t *Tracker) judgeCopy(c *conn, m *message, again bool) {
	e, p, k := m.origin, m.p, m.match
	if k.n > 0 && k.noLocal && !k.wait && m.unique && e.conn == c.number && !p.Retain {
		t.fault(c, "E37", server, "").about(e.number)
	}
	if again && m.unique && e.resent && e.qos == packet.ExactlyOnce && p.QoS == packet.ExactlyOnce && k.n == 1 && !p.Dup {
		t.fault(c, "F15", server, "").about(e.number)
	}
	if want := min(e.qos, k.granted); p.QoS < want && k.n > 1 && k.plain == k.n && !k.wait && m.unique && len(t.corr.short) < 64 {
		t.corr.short = append(t.corr.short, shortCopy{c, e.seq, t.ev.Number, t.now, want})
	}
	if k.plain == 0 && m.unique && !p.Dup {
		t.judgeShare(c, m)
	}
}

// judgeShare applies the rules about the members of a share.
func (t *Tracker) judgeShare(c *conn, m *message) {
	e, share := m.origin, m.match.share
	hash := t.hashString(share)
	for i := range min(e.copies, len(e.to)) {
		o := &e.to[i]
		if o.share != hash || o.conn == c.number {
			continue
		}
		there := t.conns[o.id]
		if there != nil && there.number != o.conn {
			there = nil
		}
		switch {
		case o.refused:
			t.fault(c, "P15", server, "%q", share).about(e.number)
		case there != nil:
			t.fault(c, "P11", server, "%q", share).about(e.number)
		case o.qos == packet.ExactlyOnce && o.sess.ended:
			t.fault(c, "P14", server, "%q", share).about(e.number)
		default:
			continue
		}
		return
	}
}

// judgeForward compares what was delivered with what was published.
func (t *Tracker) judgeForward(c *conn, m *message) {
	e, p, k := m.origin, m.p, m.match
	if c.known() && !k.wait && k.n > 0 && k.rap && e.retain && !p.Retain && c.version == packet.V5 {
		t.fault(c, "E39", server, "").about(e.number).in("RETAIN", 0, 1)
	}
	if c.version != packet.V5 || e.version != packet.V5 || e.propsLost || c.inferred {
		return
	}
	in := packet.Properties(e.props)
	if len(in) == 0 && len(p.Properties) == 0 {
		return
	}
	was := &t.origin
	was.read(in)
	key := was.unaltered(m.props)
	if key == "" {
		switch sameUser(in, p.Properties) {
		case userLost:
			key = "E52"
		case userMoved:
			key = "E53"
		}
	}
	if key != "" {
		t.fault(c, key, server, "").about(e.number)
	}
	if was.hasExpiry {
		t.judgeExpiry(c, m, was.expiry)
	}
}

// judgeExpiry judges the expiry of a message that was published with one.
func (t *Tracker) judgeExpiry(c *conn, m *message, expiry uint32) {
	e, p := m.origin, m.p
	waited := (t.now - e.at) / 1e9
	left, has := m.props.expiry, m.props.hasExpiry
	switch due := int64(expiry) - waited; {
	case due < -1 && !p.Dup:
		t.fault(c, "E56", server, "published %d s ago with an expiry interval of %d s", waited, expiry).about(e.number)
	case has && (int64(left) > due+2 || int64(left) < due-2):
		t.fault(c, "E55", server, "received %d s, waited %d s, passed on %d s", expiry, waited, left).about(e.number)
	}
}

// inOrder judges the order of the messages of one publisher, topic and QoS.
func (t *Tracker) inOrder(c *conn, m *message) {
	e := m.origin
	if c.deliveries == nil {
		c.deliveries = make([]lastDelivery, 32)
	}
	key := m.topicHash ^ uint64(e.conn)<<8 ^ uint64(e.qos)<<2 ^ uint64(m.p.QoS)
	l := &c.deliveries[(key^key>>17)%32]
	if l.key != key {
		*l = lastDelivery{key, e.seq}
		return
	}
	if e.seq < l.seq {
		if later := t.corr.live(l.seq); later != nil {
			t.fault(c, "M13", server, "a later one was delivered before").about(later.number)
		}
		return
	}
	l.seq = e.seq
}
