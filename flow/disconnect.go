package flow

import "mq/packet"

// authState follows an extended authentication (section 4.12).
type authState struct {
	again  bool // a re-authentication was begun and has not ended well
	flow   int64
	number int64
	steps  [4]step
	n      int
}

// onAuth applies an AUTH.
func (t *Tracker) onAuth(c *conn, d int, p *packet.Auth) {
	ci, a := &c.connect, &c.auth
	if ci.number == 0 || c.inferred {
		return
	}
	at := t.step()
	if c.phase == established {
		if d == 0 && p.ReasonCode == packet.ReasonReauthenticate {
			*a = authState{again: true, flow: t.nextFlow(), number: t.ev.Number}
		}
		if a.again {
			t.ev.Flow = a.flow
			a.n = min(a.n+1, len(a.steps))
			a.steps[a.n-1] = at
			t.ev.Step = a.n
		}
	} else if c.phase == connecting {
		ci.add(at)
		t.ev.Flow, t.ev.Step = ci.flow, ci.n
	}
	t.judgeAuth(c, d, p)
	if a.again && d == 1 && p.ReasonCode == packet.ReasonSuccess {
		item := t.flow(c, KindAuth, a.flow, a.steps[:a.n])
		item.Outcome, item.Words = Completed, "re-authenticated"
		t.sum.latency[KindAuth].add(int64(item.Total))
		*a = authState{}
	}
}

// judgeAuth applies the rules about AUTH; one finding is enough.
func (t *Tracker) judgeAuth(c *conn, d int, p *packet.Auth) {
	ci, side := &c.connect, sideOf(d)
	method, has := p.Properties.Text(packet.PropAuthenticationMethod)
	other := has && ci.hasMethod && method != ci.method
	switch {
	case !ci.hasMethod && d == 1:
		t.fault(c, "K9", side, "").about(ci.number)
	case !ci.hasMethod:
		t.fault(c, "K10", side, "").about(ci.number)
	case d == 0 && p.ReasonCode == packet.ReasonReauthenticate && other:
		t.fault(c, "K11", side, "method %q, it was %q", method, ci.method).about(ci.number)
	case d == 0 && p.ReasonCode == packet.ReasonReauthenticate && c.phase == connecting:
		t.fault(c, "K7", side, "").about(ci.number)
	case other:
		t.fault(c, "K8", side, "method %q, it was %q", method, ci.method).about(ci.number)
	case d == 1 && c.phase == connecting && p.ReasonCode == packet.ReasonSuccess:
		t.fault(c, "K6", side, "")
	}
}

// connackMethod judges the authentication method of a CONNACK.
func (t *Tracker) connackMethod(c *conn, p *packet.Connack) {
	ci := &c.connect
	method, has := p.Properties.Text(packet.PropAuthenticationMethod)
	switch {
	case has && !ci.hasMethod:
		t.fault(c, "K9", server, "").about(ci.number)
	case ci.hasMethod && (has && method != ci.method || !has && !p.Refused()):
		t.fault(c, "K8", server, "CONNECT named %q", ci.method).about(ci.number)
	}
}

// onDisconnect applies a DISCONNECT.
func (t *Tracker) onDisconnect(c *conn, d int, p *packet.Disconnect) {
	if c.bye[d].number != 0 || d == 1 && c.version != packet.V5 {
		return
	}
	c.bye[d] = goodbye{t.ev.Number, t.now, p.ReasonCode}
	if c.version != packet.V5 || c.inferred {
		return
	}
	if v, ok := p.Properties.Uint(packet.PropSessionExpiryInterval); ok && d == 0 {
		if v != 0 && c.connect.expiry == 0 && c.connect.number != 0 {
			t.fault(c, "J10", client, "%d s", v).about(c.connect.number)
		} else {
			c.limits.SessionExpiry = v
		}
	}
	switch p.ReasonCode {
	case packet.ReasonTopicAliasInvalid:
		if c.whole && !c.aliasFault[1-d] {
			t.fault(c, "E22", sideOf(d), "no topic alias above the maximum was used")
		}
	case packet.ReasonQoSNotSupported:
		if d == 1 && c.phase == established {
			t.qosRefused(c)
		}
	case packet.ReasonKeepAliveTimeout:
		t.tooSoon(c)
	}
}

// qosRefused judges a server that disconnects for a QoS it does not support.
func (t *Tracker) qosRefused(c *conn) {
	asked := false
	s := &c.sess.out[0]
	for i := range s.slots {
		if f := &s.slots[i]; f.used && f.kind == KindSubscribe && f.request != nil {
			for _, sub := range f.request.subs {
				asked = asked || sub.QoS > c.limits.MaximumQoS
			}
		}
	}
	switch {
	case c.limits.MaximumQoS == packet.ExactlyOnce && c.connect.number != 0:
		t.fault(c, "D33", server, "CONNACK announced no maximum QoS")
	case asked:
		t.fault(c, "G22", server, "")
	}
}
