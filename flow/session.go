package flow

import (
	"time"

	"mq/packet"
)

// session is what both sides keep for a client identifier (section 4.1).
type session struct {
	key   string
	conn  *conn // nil while nobody is connected
	known bool  // in view from its beginning
	ended bool

	out              [2]flights // handshakes begun by the client, by the server
	failed           [2]recent  // PUBLISH that were refused
	done             [2]recent  // PUBLISH that were completed
	suback, unsuback recent

	subs         map[string]*subscription
	subIDs       map[uint32]bool
	subsLost     bool // not all are followed
	gen          uint32
	cache        []match
	misses       int
	unsubscribed int64
	charged      int

	oldAliases [2]aliasSet
	expiry     uint32
	closedAt   int64
	will       *will // of its last connection
	// Who had it last, for what is reported when nobody is connected.
	lastID     ConnID
	lastNumber int
	clientID   string
}

type aliasSet []uint16

func (a aliasSet) has(alias uint16) bool {
	for _, n := range a {
		if n == alias {
			return true
		}
	}
	return false
}

type idleSession struct {
	key  string
	sess *session
}

func newSession(key string) *session { return &session{key: key} }

// sameMessage returns a handshake of an earlier connection with the message of that hash.
func (s *session) sameMessage(d int, hash uint64) *flight {
	for i := range s.out[d].slots {
		if f := &s.out[d].slots[i]; f.used && f.carried && f.hash == hash {
			return f
		}
	}
	return nil
}

// beginSession finds the session a CONNECT is about. Which one it will be, CONNACK decides.
func (t *Tracker) beginSession(c *conn, ok bool) {
	key := ""
	if c.clientID != "" {
		key = c.meta.Server + "\x00" + c.clientID
	}
	t.dropFlights(c, c.sess, "the session ended")
	t.dropSession(c.sess)
	c.sess = newSession(key)
	c.sess.known = c.whole && ok
	if prior := t.sessions[key]; prior != nil && key != "" {
		c.prior = prior
		c.sess.oldAliases = prior.oldAliases
		if prior.conn != nil {
			c.sess.oldAliases = prior.conn.aliases()
		}
	}
}

func (c *conn) aliases() (a [2]aliasSet) {
	for d := range a {
		for alias := range c.alias[d] {
			if len(a[d]) < 32 {
				a[d] = append(a[d], alias)
			}
		}
	}
	return a
}

// beginLife decides about the session when the server has accepted.
func (t *Tracker) beginLife(c *conn, p *packet.Connack) {
	s, prior := c.sess, c.prior
	if s.key == "" && c.assigned && c.connect.number != 0 {
		s.key = c.meta.Server + "\x00" + c.clientID
		t.assignedOnce(c)
	}
	if c.connect.number == 0 {
		s.known = false
		return
	}
	if prior != nil && prior.conn != nil && prior.conn != c {
		t.overtake(prior)
	}
	t.judgePresent(c, p.SessionPresent)
	switch {
	case c.connect.clean || c.version != packet.V31 && !p.SessionPresent:
		c.fresh = true
		if prior != nil {
			t.outdate(c, prior)
		}
	case prior != nil && !prior.ended:
		t.resume(c, prior)
	default:
		s.known = false
		c.resumed = true
	}
	if prior != nil {
		t.wills.returned(t, c)
	}
	if w := c.connect.will; w != nil {
		w.armed, w.number = true, c.connect.number
	}
	if s.key == "" {
		return
	}
	if old := t.sessions[s.key]; old != nil && old != s {
		if old.conn != nil {
			t.overtake(old)
		}
		t.abandon(old, "the session was dropped") // unless they have moved
		t.dropSession(old)
	}
	s.conn = c
	t.sessions[s.key] = s
}

// staleFlight is a handshake of a session that was dropped.
type staleFlight struct {
	hash   uint64
	number int64
}

// outdate drops the session prior, but remembers some of what was under way, which must not be carried on with.
func (t *Tracker) outdate(c *conn, prior *session) {
	for d := range prior.out {
		for _, id := range prior.out[d].ids() {
			if len(c.stale[d]) >= 64 {
				break
			}
			if c.stale[d] == nil {
				c.stale[d] = make(map[uint16]staleFlight)
			}
			f := prior.out[d].get(id)
			c.stale[d][id] = staleFlight{f.hash, f.steps[0].number}
		}
	}
	t.abandon(prior, "the session was dropped")
	t.dropSession(prior)
}

// assignedOnce judges an identifier the server assigned.
func (t *Tracker) assignedOnce(c *conn) {
	if old := t.sessions[c.sess.key]; old != nil && old.conn != nil && old.conn != c {
		t.fault(c, "D30", server, "%q is connected", c.clientID).about(old.conn.connect.number)
	}
}

// overtake parts the session from its connection, because the client identifier has connected again.
func (t *Tracker) overtake(s *session) {
	old := s.conn
	old.overtaken = t.now
	s.closedAt, s.expiry, s.oldAliases = t.now, old.limits.SessionExpiry, old.aliases()
	s.lastID, s.lastNumber, s.clientID = old.id, old.number, old.clientID
	s.ended = !old.persistent()
	s.conn = nil
	old.sess = newSession("")
	old.unacked = [2]int{}
	old.nextAck = 0
}

// persistent reports whether the session outlives the connection.
func (c *conn) persistent() bool {
	if c.version == packet.V5 {
		return c.limits.SessionExpiry > 0
	}
	return !c.connect.clean
}

// judgePresent applies the rules about the session present flag.
func (t *Tracker) judgePresent(c *conn, present bool) {
	prior := c.prior
	if c.connect.clean || c.version == packet.V31 || prior == nil || c.inferred || !prior.inView() {
		return
	}
	away := since(t.now - prior.closedAt)
	expiry := time.Duration(prior.expiry) * time.Second
	slack := max(2*time.Second, expiry/20)
	forever := prior.expiry == NoExpiry
	switch {
	case present && prior.ended:
		c.saidD6 = true
		t.fault(c, "D6", server, "the session ended with its last connection")
	case present && !forever && away > expiry+slack:
		t.fault(c, "M18", server, "it was away for %v, the expiry interval is %v", away, expiry)
	case present || prior.ended:
	case c.version != packet.V5:
		t.fault(c, "D5", server, "the client was away for %v", away)
	case forever || away+slack < expiry:
		t.fault(c, "M17", server, "it was away for %v, the expiry interval is %d s", away, prior.expiry)
	}
}

// inView reports whether the end of the session's last connection was seen.
func (s *session) inView() bool { return s.closedAt != 0 }

// resume carries on with the session of an earlier connection.
func (t *Tracker) resume(c *conn, prior *session) {
	s := c.sess
	c.resumed = true
	s.known = s.known && prior.known && c.version != packet.V31 // 3.1 does not say whether the server had it
	s.failed, s.done = prior.failed, prior.done
	carried := 0
	for d := range prior.out {
		for i := range prior.out[d].slots {
			f := &prior.out[d].slots[i]
			if !f.used {
				continue
			}
			c.acted[d].recs = max(c.acted[d].recs, f.recSeq)
			k := max(f.kind, KindQoS1) - KindQoS1
			if k < 2 {
				c.acted[d].seq[k] = max(c.acted[d].seq[k], f.seq)
			}
			if now := s.out[d].get(f.id); now != nil {
				now.resent++ // it was sent again before CONNACK
				t.inflight--
				continue
			}
			moved := *f
			moved.carried, moved.counted, moved.reported = true, false, false
			*s.out[d].put(f.id) = moved
			carried++
		}
		prior.out[d] = flights{}
	}
	s.subsLost = s.subsLost || prior.subsLost
	for filter, sub := range prior.subs {
		if s.subs[filter] == nil {
			s.keep(sub)
		}
	}
	for id := range prior.subIDs {
		s.addSubID(id)
	}
	s.charged += prior.charged
	prior.charged, prior.subs = 0, nil
	s.gen++
	if n := len(t.lives); n > 0 {
		t.lives[n-1].Resumed = carried
	}
	if carried > 0 {
		t.expect(c)
	}
}

// closeSession ends the session or puts it aside when its connection closes.
func (t *Tracker) closeSession(c *conn, normal bool, by Closer) {
	s := c.sess
	if c.phase == established && c.connect.will != nil {
		t.wills.closed(t, c, normal, by)
	}
	if s.conn != c || c.phase != established {
		t.dropFlights(c, s, "the connection was closed")
		t.dropSession(s)
		return
	}
	s.conn, s.closedAt, s.expiry, s.oldAliases = nil, t.now, c.limits.SessionExpiry, c.aliases()
	s.lastID, s.lastNumber, s.clientID, s.will = c.id, c.number, c.clientID, c.connect.will
	if !c.persistent() {
		s.ended = true
		t.dropFlights(c, s, "the connection was closed")
		t.dropSession(s)
	}
	s.cache = nil
	if by == ClosedUnknown || !c.whole {
		s.known = false
		s.closedAt = 0 // whether and when it ended was not seen
	}
	t.idle = append(t.idle, idleSession{s.key, s})
	if len(t.idle) > t.o.MaxSessions {
		e := t.idle[0]
		t.idle = t.idle[1:]
		if t.sessions[e.key] == e.sess && e.sess.conn == nil {
			t.dropSession(e.sess)
			delete(t.sessions, e.key)
		}
	}
}

// dropSession forgets what is left of s.
func (t *Tracker) dropSession(s *session) {
	for d := range s.out {
		t.inflight -= s.out[d].n
		s.out[d] = flights{}
	}
	t.charged -= s.charged
	s.charged, s.subs = 0, nil
}

// dropFlights hands out what is unfinished as incomplete.
func (t *Tracker) dropFlights(c *conn, s *session, why string) {
	kept := c.sess
	c.sess = s
	for d := range s.out {
		for _, id := range s.out[d].ids() {
			f := s.out[d].get(id)
			t.endFlight(c, d, f, Incomplete, 0, f.missing()+", "+why)
		}
	}
	c.sess = kept
}

// ids lists the identifiers in the order their handshakes began.
func (t *flights) ids() []uint16 {
	var list []*flight
	for i := range t.slots {
		if t.slots[i].used {
			list = append(list, &t.slots[i])
		}
	}
	sortFlights(list)
	ids := make([]uint16, len(list))
	for i, f := range list {
		ids[i] = f.id
	}
	return ids
}

// abandonSessions hands out, at the end, what sessions without a connection have not finished.
func (t *Tracker) abandonSessions() {
	for _, e := range t.idle {
		if t.sessions[e.key] != e.sess || e.sess.conn != nil {
			continue
		}
		t.abandon(e.sess, "the input ended")
	}
}

// abandon hands out what a session without a connection has not finished.
func (t *Tracker) abandon(s *session, why string) {
	c := &conn{id: s.lastID, number: s.lastNumber, clientID: s.clientID, sess: s}
	t.dropFlights(c, s, why)
}
