package flow

import (
	"time"

	"mq/packet"
)

func seconds(n uint16) time.Duration { return time.Duration(n) * time.Second }

// since makes a duration of nanoseconds; time that runs backwards counts as none.
func since(ns int64) time.Duration { return time.Duration(max(ns, 0)) }

func (t *Tracker) timeOf(ns int64) time.Time { return time.Unix(0, ns).In(t.at.Location()) }

// sweep looks for what should have happened by now.
func (t *Tracker) sweep() {
	t.nextSweep = t.now + int64(t.o.AnswerTimeout/8)
	for c := t.first; c != nil; c = c.next {
		t.due(c)
	}
	t.corr.sweepShort(t, int64(t.o.RetainGrace))
	t.wills.sweep(t)
	t.retained.sweep(t)
	t.requests.sweep(t)
}

// due looks for what c lacks.
func (t *Tracker) due(c *conn) {
	limit := int64(t.o.AnswerTimeout)
	if c.phase == connecting && !c.saidC40 && c.whole && t.now-max(c.connect.at, c.seen[1]) > limit && c.bye[0].number == 0 {
		c.saidC40 = true
		t.late(c, "C40", server, c.connect.number, "none came in %v", since(t.now-c.connect.at))
	}
	leaving := c.bye[0].number != 0 || c.bye[1].number != 0
	if c.ping.n > 0 && !c.ping.reported && !leaving && c.phase != refused && t.now-c.ping.list[0].at > limit {
		c.ping.reported = true
		t.late(c, "I3", server, c.ping.list[0].number, "none came in %v", since(t.now-c.ping.list[0].at))
	}
	if c.phase == established && !leaving {
		t.silence(c)
		t.tolerated(c)
	}
	if c.nextAck != 0 && t.now >= c.nextAck && !leaving && c.phase != refused && c.phase != connecting {
		c.nextAck = 0
		for d := range c.sess.out {
			t.dueFlights(c, d)
		}
	}
	t.dueClose(c)
}

// silence reports a client that sends nothing for longer than its keep alive.
func (t *Tracker) silence(c *conn) {
	gap, ka := t.now-c.seen[0], int64(c.limits.KeepAlive)
	slack := func(d int64) int64 { return d + int64(float64(d)*t.o.KeepAliveTolerance) }
	if c.silent || ka == 0 || c.phase != established || gap <= slack(ka) || c.bye[0].number != 0 {
		return
	}
	c.silent = true
	if own := int64(seconds(c.connect.keepAlive)); c.limits.ServerKeepAlive && (own == 0 || gap <= slack(own) || own > ka) {
		t.fault(c, "O3", client, "%v of silence, the server set the keep alive to %v", since(gap), c.limits.KeepAlive)
		return
	}
	t.fault(c, "O1", client, "%v of silence, the keep alive is %v", since(gap), c.limits.KeepAlive)
}

// tolerated reports a server that keeps a silent connection open. Twice the keep alive is allowed for, because timers
// are coarse.
func (t *Tracker) tolerated(c *conn) {
	gap, ka := t.now-c.seen[0], int64(c.limits.KeepAlive)
	if !c.overdue && ka != 0 && gap > 2*ka+int64(time.Second) {
		c.overdue = true
		t.fault(c, "O2", server, "%v of silence, the keep alive is %v", since(gap), c.limits.KeepAlive)
	}
}

// tooSoon judges a DISCONNECT for a keep alive that has not run out.
func (t *Tracker) tooSoon(c *conn) {
	gap, ka := t.now-c.seen[0], int64(c.limits.KeepAlive)
	if c.phase == established && c.whole && gap < ka*14/10 {
		t.fault(c, "O4", server, "after %v of silence, the keep alive is %v", since(gap), c.limits.KeepAlive)
	}
}

// dueClose reports connections that should be closed.
func (t *Tracker) dueClose(c *conn) {
	if c.saidClose {
		return
	}
	limit := int64(t.o.AnswerTimeout)
	if c.phase == refused && t.now-c.refusal.at > limit {
		c.saidClose = true
		key := "D8"
		switch code := c.refusedBy; {
		case code == packet.ReasonClientIDNotValid:
			key = "C23"
		case c.connect.hasMethod && (code == packet.ReasonBadAuthenticationMethod || code == packet.ReasonNotAuthorized):
			key = "K13"
		}
		t.late(c, key, server, c.refusal.number, "it is still open after %v", since(t.now-c.refusal.at))
		return
	}
	for d, g := range c.bye {
		if g.number != 0 && t.now-g.at > limit {
			c.saidClose = true
			t.late(c, "J13", sideOf(d), g.number, "it is still open after %v", since(t.now-g.at))
		}
	}
}

// dueFlights reports handshakes of side d that lack an answer.
func (t *Tracker) dueFlights(c *conn, d int) {
	limit := int64(t.o.AnswerTimeout)
	s := &c.sess.out[d]
	for i := range s.slots {
		f := &s.slots[i]
		if !f.used || f.reported {
			continue
		}
		at := f.last().at
		if f.carried {
			at = max(at, c.connect.at)
		}
		if t.now-at <= limit {
			if next := at + limit; c.nextAck == 0 || next < c.nextAck {
				c.nextAck = next + 1
			}
			continue
		}
		f.reported = true
		if c.whole {
			t.unanswered(c, d, f, since(t.now-at))
		}
	}
}

// unanswered reports the handshake f of side d.
func (t *Tracker) unanswered(c *conn, d int, f *flight, age time.Duration) {
	key, side := "", sideOf(1-d)
	switch {
	case f.carried && !c.resumed:
		return
	case f.carried && f.shared && d == 1 && f.kind == KindQoS2:
		key, side = "P13", server
	case f.carried && (f.kind == KindQoS1 || f.kind == KindQoS2):
		key, side = "M7", sideOf(d)
	case f.carried:
		return
	case f.kind == KindSubscribe:
		key = "G11"
	case f.kind == KindUnsubscribe:
		key = "H7"
		if f.request != nil && f.request.unknown {
			key = "H8"
		}
	case f.kind == KindQoS1 || f.kind == KindQoS2 && f.recSeq == 0:
		key = "F9"
		if f.kind == KindQoS2 {
			key = "F10"
		}
		if d == 1 && !f.wanted {
			key = "F20"
		}
	case f.released:
		key = "F13"
	default:
		key, side = "F11", sideOf(d)
		switch {
		case f.expiry != 0 && t.now-f.steps[0].at > int64(f.expiry)*int64(time.Second):
			key = "F24"
		case d == 1 && c.sess.unsubscribed > f.steps[0].at:
			key = "H13"
		}
	}
	t.late(c, key, side, f.last().number, "packet identifier %d, %s in %v", f.id, f.missing(), age)
}

// onPingreq and onPingresp pair pings.
func (t *Tracker) onPingreq(c *conn, d int) {
	if d != 0 {
		return
	}
	t.ev.Flow, t.ev.Step = t.nextFlow(), 1
	c.ping.push(t.step(), t.ev.Flow)
}

func (t *Tracker) onPingresp(c *conn, d int) {
	if d != 1 || c.phase == refused {
		return
	}
	if c.ping.n == 0 {
		if c.whole && c.phase == established && c.bye[1].number == 0 {
			t.fault(c, "I4", server, "")
		}
		return
	}
	number, first := c.ping.flows[0], c.ping.pop()
	t.ev.Flow, t.ev.Step = number, 2
	item := t.flow(c, KindPing, number, []step{first, t.step()})
	item.Outcome, item.Words = Completed, "answered"
	t.sum.latency[KindPing].add(int64(item.Total))
}
