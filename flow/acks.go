package flow

import "mq/packet"

// newFlight begins a handshake of side d with the packet at hand; nil when there are too many.
func (t *Tracker) newFlight(c *conn, d int, id uint16, kind Kind) *flight {
	if t.inflight >= t.o.MaxInFlight {
		t.sum.untracked++
		c.sess.known = false
		return nil
	}
	t.inflight++
	t.flowNumber++
	f := c.sess.out[d].put(id)
	f.kind, f.number = kind, t.flowNumber
	f.add(t.step())
	t.ev.Flow, t.ev.Step = f.number, 1
	t.expect(c)
	return f
}

// advance adds the packet at hand to f.
func (t *Tracker) advance(c *conn, f *flight) {
	f.add(t.step())
	f.reported, f.carried = false, false
	t.ev.Flow, t.ev.Step = f.number, int(f.n)
	t.expect(c)
}

// expect sees to it that the sweep looks for answers that do not come.
func (t *Tracker) expect(c *conn) {
	if c.nextAck == 0 {
		c.nextAck = t.now + int64(t.o.AnswerTimeout)
	}
}

// endFlight hands out the handshake f of side d and frees its identifier.
func (t *Tracker) endFlight(c *conn, d int, f *flight, o Outcome, code packet.ReasonCode, words string) {
	item := t.flow(c, f.kind, f.number, f.steps[:f.n])
	item.PacketID, item.Outcome, item.Code, item.Words = f.id, o, code, words
	item.Resent = int(f.resent)
	if f.kind == KindQoS1 || f.kind == KindQoS2 {
		item.Topic = t.sum.topics.name(f.topic)
		if o != Incomplete {
			t.sum.latency[f.kind].add(int64(item.Total))
		} else {
			t.sum.incomplete[f.kind]++
		}
	}
	if f.counted {
		c.unacked[d]--
	}
	t.freeFlight(c.sess, d, f)
}

func (t *Tracker) freeFlight(s *session, d int, f *flight) {
	t.inflight--
	s.out[d].remove(f.id)
}

// flow begins a flow event.
func (t *Tracker) flow(c *conn, k Kind, number int64, steps []step) *flowItem {
	if len(t.flows) < cap(t.flows) {
		t.flows = t.flows[:len(t.flows)+1]
	} else {
		t.flows = append(t.flows, flowItem{})
	}
	item := &t.flows[len(t.flows)-1]
	item.FlowEvent = FlowEvent{Number: number, Kind: k, Conn: c.id, ConnNumber: c.number, ClientID: c.clientID}
	n := 0
	for _, s := range steps {
		if n < len(item.steps) {
			item.steps[n] = Step{s.number, s.typ, s.dir, t.timeOf(s.at), s.conn}
			n++
		}
	}
	item.Steps = item.steps[:n]
	if n > 0 {
		item.Dir = steps[0].dir
		item.Total = since(steps[n-1].at - steps[0].at)
	}
	if t.ev.Number != 0 && n > 0 && item.steps[n-1].Packet == t.ev.Number {
		t.completes = len(t.flows) - 1
	}
	return item
}

// answered looks up what an acknowledgement of side d answers, which side 1-d began.
func (t *Tracker) answered(c *conn, d int, id uint16, typ packet.Type) *flight {
	f := c.sess.out[1-d].get(id)
	want := KindQoS1
	if typ != packet.PUBACK {
		want = KindQoS2
	}
	switch {
	case f == nil:
		t.unknown(c, d, id, typ)
		return nil
	case f.kind != want && (f.kind == KindQoS1 || f.kind == KindQoS2):
		t.fault(c, "E30", sideOf(d), "%v for a PUBLISH at %v", typ, f.kind).about(f.steps[0].number)
		return nil
	case f.kind != want:
		t.fault(c, "F8", sideOf(d), "packet identifier %d belongs to %v", id, f.kind).about(f.steps[0].number)
		return nil
	}
	return f
}

// unknown reports an acknowledgement that answers nothing.
func (t *Tracker) unknown(c *conn, d int, id uint16, typ packet.Type) {
	if !c.known() {
		return
	}
	if _, again := c.sess.done[1-d].has(id); again && typ == packet.PUBCOMP {
		return // a repeated PUBREL is legal and answered again (annex 3, trap 42)
	}
	f := t.fault(c, "F8", sideOf(d), "there is no unacknowledged PUBLISH with packet identifier %d", id)
	if f != nil && typ == packet.PUBCOMP && c.version == packet.V311 {
		f.Rule = "MQTT-4.3.3-2" // the other statement does not name PUBCOMP (annex 3, trap 24)
	}
}

func (t *Tracker) onPuback(c *conn, d int, p *packet.Puback) {
	f := t.answered(c, d, p.PacketID, packet.PUBACK)
	if f == nil {
		return
	}
	o := &c.acted[1-d]
	if d == 0 && f.seq < o.puback {
		t.fault(c, "M10", client, "a later PUBLISH was acknowledged before").about(f.steps[0].number)
	}
	o.puback = max(o.puback, f.seq)
	t.advance(c, f)
	t.concluded(c, d, f, p.ReasonCode, "at least once")
}

func (t *Tracker) onPubrec(c *conn, d int, p *packet.Pubrec) {
	f := t.answered(c, d, p.PacketID, packet.PUBREC)
	if f == nil {
		return
	}
	if f.recSeq != 0 {
		f.reported = false
		t.ev.Flow, t.ev.Step, t.ev.Resent = f.number, 2, true
		return
	}
	o := &c.acted[1-d]
	if d == 0 && f.seq < o.pubrec {
		t.fault(c, "M11", client, "a later PUBLISH was acknowledged before").about(f.steps[0].number)
	}
	o.pubrec = max(o.pubrec, f.seq)
	o.recs++
	f.recSeq = o.recs
	t.advance(c, f)
	if p.ReasonCode.Failed() {
		t.concluded(c, d, f, p.ReasonCode, "")
	}
}

// concluded ends a PUBLISH handshake by the code of its receiver, side d.
func (t *Tracker) concluded(c *conn, d int, f *flight, code packet.ReasonCode, words string) {
	outcome := Completed
	if code.Failed() {
		outcome = Refused
		c.sess.failed[1-d].add(f.id, f.hash)
		t.corr.refuse(f.origin, c)
	} else {
		c.sess.done[1-d].add(f.id, f.hash)
	}
	if code != 0 {
		words = codeWords(code, packet.PUBACK)
	}
	t.endFlight(c, 1-d, f, outcome, code, words)
}

func (t *Tracker) onPubrel(c *conn, d int, p *packet.Pubrel) {
	f := c.sess.out[d].get(p.PacketID)
	if f == nil || f.kind != KindQoS2 {
		t.strayPubrel(c, d, p.PacketID)
		return
	}
	if f.released {
		t.ev.Resent = true
		f.resent++
		t.sum.resent[d]++
		f.carried = false
		t.ev.Flow, t.ev.Step = f.number, 3
		return
	}
	o := &c.acted[d]
	if d == 0 && f.recSeq != 0 && f.recSeq < o.pubrel {
		t.fault(c, "M12", client, "a later PUBREC was answered before").about(f.steps[0].number)
	}
	o.pubrel = max(o.pubrel, f.recSeq)
	f.released = true
	t.advance(c, f)
}

// strayPubrel reports a PUBREL that belongs to nothing.
func (t *Tracker) strayPubrel(c *conn, d int, id uint16) {
	if _, ok := c.sess.done[d].has(id); ok {
		t.ev.Resent = true
		return // repeated, because PUBCOMP was lost with the connection
	}
	if _, ok := c.sess.failed[d].has(id); ok {
		t.fault(c, "F12", sideOf(d), "")
		return
	}
	if f, ok := c.stale[d][id]; ok {
		t.oldSession(c, d, f.number)
		return
	}
	t.unknown(c, d, id, packet.PUBREL)
}

func (t *Tracker) onPubcomp(c *conn, d int, p *packet.Pubcomp) {
	f := t.answered(c, d, p.PacketID, packet.PUBCOMP)
	if f == nil {
		return
	}
	t.advance(c, f)
	c.sess.done[1-d].add(f.id, f.hash)
	words := "exactly once"
	if p.ReasonCode != 0 {
		words = codeWords(p.ReasonCode, packet.PUBCOMP)
	}
	outcome := Completed
	if p.ReasonCode.Failed() {
		outcome = Refused
	}
	t.endFlight(c, 1-d, f, outcome, p.ReasonCode, words)
}

// closeFlows ends what does not outlive the connection.
func (t *Tracker) closeFlows(c *conn) {
	if c.phase == connecting && c.connect.number != 0 {
		item := t.flow(c, KindConnect, c.connect.flow, c.connect.steps[:c.connect.n])
		item.Outcome, item.Words = Incomplete, "no CONNACK"
		t.sum.incomplete[KindConnect]++
	}
	for i := range c.ping.n {
		item := t.flow(c, KindPing, c.ping.flows[i], c.ping.list[i:i+1])
		item.Outcome, item.Words = Incomplete, "no PINGRESP"
		t.sum.incomplete[KindPing]++
	}
	if c.auth.n > 0 {
		item := t.flow(c, KindAuth, c.auth.flow, c.auth.steps[:c.auth.n])
		item.Outcome, item.Words = Incomplete, "not ended"
		t.sum.incomplete[KindAuth]++
	}
}

func (t *Tracker) nextFlow() int64 { t.flowNumber++; return t.flowNumber }

// missing says which packet a handshake lacks.
func (f *flight) missing() string {
	switch {
	case f.kind == KindSubscribe:
		return "no SUBACK"
	case f.kind == KindUnsubscribe:
		return "no UNSUBACK"
	case f.kind == KindQoS1:
		return "no PUBACK"
	case f.released:
		return "no PUBCOMP"
	case f.recSeq != 0:
		return "no PUBREL"
	}
	return "no PUBREC"
}
