package flow

import (
	"mq/packet"
)

type phase byte

const (
	waiting     phase = 0 // for CONNECT
	connecting  phase = 1 // for CONNACK
	established phase = 2
	refused     phase = 3
)

// conn is the state of one connection. Arrays of two are by sender: the client's, the server's.
type conn struct {
	id         ConnID
	number     int
	meta       Meta
	prev, next *conn
	serverHash uint64
	opened     int64
	last       int64
	seen       [2]int64
	packets    [2]int64
	bytes      [2]int64

	version  packet.Version
	inferred bool
	evidence evidence
	bridge   bool
	whole    bool // seen from its first byte, nothing missing
	phase    phase
	clientID string
	assigned bool
	limits   Limits

	connect connectInfo
	early   early
	sess    *session
	prior   *session // the session of the same client identifier, until CONNACK decides
	resumed bool

	alias      [2]map[uint16][]byte
	aliasLost  [2]bool
	aliasFault [2]bool
	charged    int
	unacked    [2]int
	exceeded   [2]bool // that the receive maximum is exceeded was reported
	ping       pings
	auth       authState
	broke      [2]violation
	bye        [2]goodbye
	nextAck    int64
	overtaken  int64 // when the same client identifier connected again
	refusal    violation
	refusedBy  packet.ReasonCode
	silent     bool // the silence was reported
	overdue    bool // that the server tolerates it was reported
	saidC40    bool
	saidD6     bool
	saidClose  bool
	subscribed int64 // when the last SUBSCRIBE was answered
	acted      [2]order
	deliveries []lastDelivery
	stale      [2]map[uint16]staleFlight
	fresh      bool // the client's session began on this connection
}

// violation is a fault that the connection should not survive.
type violation struct {
	number, at int64
	key        string
	flags      bool
}

// goodbye is a DISCONNECT.
type goodbye struct {
	number, at int64
	code       packet.ReasonCode
}

// order holds the greatest sequence numbers acknowledged so far.
type order struct {
	seq                  [2]uint64 // given to PUBLISH at QoS 1 and 2
	puback, pubrec       uint64
	recs, pubrel, resent uint64
}

// connectInfo is what CONNECT said.
type connectInfo struct {
	number, at int64
	flow       int64
	clean      bool
	emptyID    bool
	malformed  bool
	badLevel   bool
	willQoS    packet.QoS
	willRetain bool
	method     string
	hasMethod  bool
	keepAlive  uint16
	expiry     uint32
	will       *will
	steps      [4]step
	n          int
}

// early is what the client sent before CONNACK, when it could not know the server's limits.
type early struct {
	alias, qos, retain, large int64 // the packets, 0 for none
	maxAlias                  uint16
	maxQoS                    packet.QoS
	largest                   int
}

// lose notes that something was missed: what depends on all that was said before can no longer be judged.
func (c *conn) lose() {
	c.whole = false
	c.sess.known = false
	c.aliasLost = [2]bool{true, true}
	c.nextAck = 0
	c.ping = pings{}
}

// known reports whether the session was in view from its beginning.
func (c *conn) known() bool { return c.whole && c.sess.known && c.phase == established }

// receiveMaximum returns the limit on what side d may have unacknowledged.
func (c *conn) receiveMaximum(d int) int {
	if d == 0 {
		return int(c.limits.ServerReceiveMaximum)
	}
	return int(c.limits.ClientReceiveMaximum)
}

// charge asks for n bytes of memory that c keeps.
func (t *Tracker) charge(c *conn, n int) bool {
	if c.charged+n > t.o.MaxConnBytes || t.charged+n > t.o.MaxBytes {
		return false
	}
	c.charged += n
	t.charged += n
	return true
}

// release gives memory back.
func (t *Tracker) release(c *conn, n int) {
	c.charged -= n
	t.charged -= n
}

// close ends c.
func (t *Tracker) close(c *conn, by Closer) {
	t.due(c)
	t.closeFlows(c)
	normal := c.bye[0].number != 0 && c.bye[0].code == 0
	t.closeSession(c, normal, by)
	e := t.life(c, ConnClosed)
	e.By, e.Normal = by, normal
	for d := 1; d >= 0; d-- {
		if g := c.bye[d]; g.number != 0 {
			e.Code, e.Words = g.code, codeWords(g.code, packet.DISCONNECT)
		}
	}
	t.sum.clientDone(t, c)
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		t.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		t.tail = c.prev
	}
	delete(t.conns, c.id)
	if t.recentConn == c {
		t.recentConn = nil
	}
	t.charged -= c.charged
}

// codeWords returns a reason code as words, failures with their number.
func codeWords(c packet.ReasonCode, in packet.Type) string {
	if !c.Failed() {
		return c.In(in)
	}
	const hex = "0123456789abcdef"
	return c.In(in) + " (0x" + string([]byte{hex[c>>4], hex[c&15]}) + ")"
}

// pings are the PINGREQ packets not answered yet.
type pings struct {
	list     [8]step
	flows    [8]int64
	n        int
	reported bool
	stubborn bool // that the client goes on without an answer was reported
}

// push adds a PINGREQ; of too many the newest is replaced.
func (p *pings) push(s step, flow int64) {
	p.n = min(p.n+1, len(p.list))
	p.list[p.n-1], p.flows[p.n-1] = s, flow
}

func (p *pings) pop() step {
	s := p.list[0]
	copy(p.list[:], p.list[1:p.n])
	copy(p.flows[:], p.flows[1:p.n])
	p.n--
	p.reported, p.stubborn = false, false
	return s
}

// isPlainID reports whether every server must accept the client identifier.
func isPlainID(s string) bool {
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 23
}
