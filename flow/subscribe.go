package flow

import (
	"slices"
	"strings"

	"mq/packet"
)

// subscription is one topic filter of a session.
type subscription struct {
	filter string
	shared bool
	opts   packet.Subscription
	id     uint32
	live   bool // granted
	wait   int  // SUBSCRIBE packets not answered yet
	isNew  bool // the last SUBSCRIBE made it
	// Granted is the QoS in force, was the one before; times are of the last SUBSCRIBE, SUBACK and UNSUBACK.
	granted, was       packet.QoS
	asked, since, gone int64
}

// request is what a SUBSCRIBE or UNSUBSCRIBE asks for.
type request struct {
	subs    []packet.Subscription
	filters []string
	id      uint32
	unknown bool // none of the filters of UNSUBSCRIBE was subscribed
}

func (s *session) keep(sub *subscription) {
	if s.subs == nil {
		s.subs = make(map[string]*subscription)
	}
	s.subs[sub.filter] = sub
	s.gen++
}

func (s *session) addSubID(id uint32) {
	if id == 0 {
		return
	}
	if s.subIDs == nil {
		s.subIDs = make(map[uint32]bool)
	}
	if len(s.subIDs) >= 4096 {
		s.subsLost = true
		return
	}
	s.subIDs[id] = true
}

// chargeSession asks for n bytes that outlive the connection.
func (t *Tracker) chargeSession(c *conn, n int) bool {
	if c.charged+c.sess.charged+n > t.o.MaxConnBytes || t.charged+n > t.o.MaxBytes {
		c.sess.subsLost = true
		return false
	}
	c.sess.charged += n
	t.charged += n
	return true
}

const subscriptionSize = 256

func (t *Tracker) onSubscribe(c *conn, d int, p *packet.Subscribe) {
	if d != 0 {
		return
	}
	id, _ := p.Properties.Uint(packet.PropSubscriptionIdentifier)
	t.subscribeLimits(c, p, id)
	r := &request{subs: p.Subscriptions, id: id}
	if !t.ask(c, p.PacketID, KindSubscribe, p.Dup, r) {
		return
	}
	s := c.sess
	s.addSubID(id)
	for _, o := range p.Subscriptions {
		sub := s.subs[o.Filter]
		if sub == nil {
			if !t.chargeSession(c, len(o.Filter)+subscriptionSize) {
				continue
			}
			_, _, shared := splitShare(o.Filter)
			sub = &subscription{filter: o.Filter, shared: shared && c.version == packet.V5, isNew: true}
			s.keep(sub)
		} else {
			sub.isNew = !sub.live
			s.gen++
		}
		sub.wait++
		sub.opts, sub.id, sub.asked = o, id, t.now
		t.retained.expect(t, c, sub)
	}
}

// splitShare cuts a shared subscription into the name of the share and the filter.
func splitShare(filter string) (share, rest string, ok bool) {
	if s, found := strings.CutPrefix(filter, "$share/"); found {
		share, rest, ok = strings.Cut(s, "/")
		return share, rest, ok
	}
	return "", filter, false
}

// ask begins the handshake of SUBSCRIBE or UNSUBSCRIBE; false when it only repeats one, as 3.1 may.
func (t *Tracker) ask(c *conn, id uint16, k Kind, dup bool, r *request) bool {
	if f := c.sess.out[0].get(id); f != nil {
		if f.kind == k && dup {
			f.resent++
			t.ev.Resent, t.ev.Flow, t.ev.Step = true, f.number, 1
			return false
		}
		if c.phase == established && c.whole {
			t.inUse(c, 0, id, f)
		}
		t.replace(c, 0, f)
	}
	c.sess.done[0].forget(id)
	c.sess.failed[0].forget(id)
	if f := t.newFlight(c, 0, id, k); f != nil {
		f.request = r
		n := 0
		for _, s := range r.subs {
			n += len(s.Filter)
		}
		for _, s := range r.filters {
			n += len(s)
		}
		if n > t.o.MaxConnBytes/4 {
			f.request = nil // too large to keep
			c.sess.subsLost = true
		}
	}
	return true
}

// subscribeLimits judges a SUBSCRIBE by what the server announced.
func (t *Tracker) subscribeLimits(c *conn, p *packet.Subscribe, id uint32) {
	l := &c.limits
	if c.version != packet.V5 || c.phase != established || c.inferred {
		return
	}
	if id != 0 && !l.SubscriptionIDsAvailable {
		t.fault(c, "G20", client, "subscription identifier %d", id)
	}
	for _, s := range p.Subscriptions {
		if _, _, shared := splitShare(s.Filter); shared && !l.SharedAvailable {
			t.fault(c, "G21", client, "%q", s.Filter)
			return
		}
		if !l.WildcardAvailable && strings.ContainsAny(s.Filter, "+#") {
			t.fault(c, "G19", client, "%q", s.Filter)
			return
		}
	}
}

// requested looks up what a SUBACK or UNSUBACK answers.
func (t *Tracker) requested(c *conn, id uint16, k Kind) *flight {
	f := c.sess.out[0].get(id)
	if f != nil && f.kind == k {
		t.advance(c, f)
		return f
	}
	wrong, again, ring := "G12", "G17", &c.sess.suback
	if k == KindUnsubscribe {
		wrong, again, ring = "H7", "H10", &c.sess.unsuback
	}
	switch {
	case f != nil && (f.kind == KindSubscribe || f.kind == KindUnsubscribe):
		t.fault(c, "G13", server, "packet identifier %d belongs to %v", id, f.kind).about(f.steps[0].number)
	case !c.known():
	default:
		if _, ok := ring.has(id); ok {
			t.fault(c, again, server, "packet identifier %d was answered before", id)
		} else {
			t.fault(c, wrong, server, "packet identifier %d is not in use", id)
		}
	}
	return nil
}

func (t *Tracker) onSuback(c *conn, d int, p *packet.Suback) {
	if d != 1 {
		return
	}
	f := t.requested(c, p.PacketID, KindSubscribe)
	if f == nil {
		return
	}
	if r := f.request; r != nil {
		if len(p.Codes) != len(r.subs) {
			t.fault(c, "G14", server, "%d codes for %d filters", len(p.Codes), len(r.subs)).about(f.steps[0].number)
		} else {
			t.judgeGrants(c, f, p.Codes)
		}
		for i, o := range r.subs {
			if i < len(p.Codes) {
				c.sess.grant(t, o.Filter, p.Codes[i])
			}
		}
	}
	c.subscribed = t.now
	c.sess.suback.add(f.id, 0)
	worst, words := grantWords(p.Codes, packet.SUBACK, c.version)
	t.endRequest(c, f, worst, words)
}

func (t *Tracker) endRequest(c *conn, f *flight, worst packet.ReasonCode, words string) {
	o := Completed
	if worst.Failed() {
		o = Refused
	}
	k, total := f.kind, f.last().at-f.steps[0].at
	t.endFlight(c, 0, f, o, worst, words)
	t.sum.latency[k].add(total)
}

// judgeGrants compares the granted QoS with the requested ones.
func (t *Tracker) judgeGrants(c *conn, f *flight, codes []packet.ReasonCode) {
	over := -1
	var want, got []int
	for i, code := range codes {
		if !code.Failed() {
			want, got = append(want, int(f.request.subs[i].QoS)), append(got, int(code))
			if over < 0 && int(code) > int(f.request.subs[i].QoS) {
				over = i
			}
		}
	}
	if over < 0 {
		return
	}
	slices.Sort(want)
	slices.Sort(got)
	key := "G16" // in another order they would fit
	for i := range got {
		if got[i] > want[i] {
			key = "G15"
		}
	}
	s := f.request.subs[over]
	t.fault(c, key, server, "%q: requested QoS %v, granted %v", s.Filter, s.QoS, byte(codes[over])).about(f.steps[0].number)
}

// grant applies one code of a SUBACK.
func (s *session) grant(t *Tracker, filter string, code packet.ReasonCode) {
	sub := s.subs[filter]
	if sub == nil {
		return
	}
	s.gen++
	sub.wait = max(0, sub.wait-1)
	if code.Failed() {
		if !sub.live && sub.wait == 0 && sub.gone == 0 {
			t.drop(s, filter)
		}
		return
	}
	if sub.live {
		sub.was = max(sub.granted, packet.QoS(code))
	} else {
		sub.was = packet.QoS(code)
	}
	sub.live, sub.granted, sub.since, sub.gone = true, packet.QoS(code), t.now, 0
}

// drop forgets a subscription.
func (t *Tracker) drop(s *session, filter string) {
	delete(s.subs, filter)
	n := min(s.charged, len(filter)+subscriptionSize)
	s.charged -= n
	t.charged -= n
}

func (t *Tracker) onUnsubscribe(c *conn, d int, p *packet.Unsubscribe) {
	if d != 0 {
		return
	}
	r := &request{filters: p.Filters, unknown: c.known() && !c.sess.subsLost}
	for _, f := range p.Filters {
		if sub := c.sess.subs[f]; sub != nil && (sub.live || sub.wait > 0) {
			r.unknown = false
		}
	}
	t.ask(c, p.PacketID, KindUnsubscribe, p.Dup, r)
}

func (t *Tracker) onUnsuback(c *conn, d int, p *packet.Unsuback) {
	if d != 1 {
		return
	}
	f := t.requested(c, p.PacketID, KindUnsubscribe)
	if f == nil {
		return
	}
	s := c.sess
	if r := f.request; r != nil {
		if c.version == packet.V5 && len(p.Codes) != len(r.filters) {
			t.fault(c, "H9", server, "%d codes for %d filters", len(p.Codes), len(r.filters)).about(f.steps[0].number)
		}
		for i, filter := range r.filters {
			code := packet.ReasonCode(0)
			if i < len(p.Codes) {
				code = p.Codes[i]
			}
			t.unsubscribe(c, filter, code)
		}
	}
	s.unsubscribed = t.now
	s.unsuback.add(f.id, 0)
	worst, words := grantWords(p.Codes, packet.UNSUBACK, c.version)
	if len(p.Codes) == 0 {
		words = "done"
	}
	t.endRequest(c, f, worst, words)
}

// unsubscribe applies one code of an UNSUBACK.
func (t *Tracker) unsubscribe(c *conn, filter string, code packet.ReasonCode) {
	s := c.sess
	sub := s.subs[filter]
	if sub == nil || code.Failed() {
		return
	}
	if sub.live && sub.wait == 0 && code == packet.ReasonNoSubscriptionExisted && c.known() {
		t.fault(c, "H11", server, "%q was granted", filter)
	}
	sub.live, sub.gone = false, t.now
	s.gen++
	if len(s.subs) > 64 {
		for name, old := range s.subs {
			if !old.live && old.wait == 0 && t.now-old.gone > int64(t.o.Window) {
				t.drop(s, name)
			}
		}
	}
}
