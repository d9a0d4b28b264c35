package flow

import (
	"fmt"
	"hash/maphash"
	"time"

	"mq/packet"
)

// Tracker follows any number of connections. It is not safe for use by two goroutines.
type Tracker struct {
	o    Options
	sink func(Event)
	seed maphash.Seed

	conns       map[ConnID]*conn
	recentConn  *conn // the one of the last packet
	first, tail *conn // open connections in the order they were opened
	sessions    map[string]*session
	idle        []idleSession
	inflight    int
	charged     int

	number, flowNumber int64
	connNumber         int
	nextSweep          int64
	finished           bool

	ev    PacketEvent
	now   int64
	at    time.Time
	diags []Diagnostic
	flows []flowItem
	// completes is the place in flows of what the packet at hand ends, -1 for nothing.
	completes int
	lives     []ConnectionEvent

	pub     packet.Publish
	props   pubProps // of pub
	noProps pubProps
	origin  pubProps // of what a delivery was published as
	puback  packet.Puback
	pubrec  packet.Pubrec
	pubrel  packet.Pubrel
	pubcomp packet.Pubcomp

	corr     *correlator
	requests requests
	wills    willBook
	retained retainedBook
	sum      counters
}

// flowItem is a FlowEvent with the memory for its steps.
type flowItem struct {
	FlowEvent
	steps [6]Step
}

// NewTracker returns a Tracker that calls sink with every event, in order.
func NewTracker(o Options, sink func(Event)) *Tracker {
	o.fill()
	t := &Tracker{
		o: o, sink: sink, seed: maphash.MakeSeed(), conns: make(map[ConnID]*conn), sessions: make(map[string]*session),
		corr: newCorrelator(o.MaxMessages),
	}
	t.requests.waiting = make(map[uint64]*pendingRequest)
	t.wills.byHash = make(map[uint64]*will)
	t.retained.byTopic = make(map[uint64]*stored)
	t.sum.init(o.MaxTopics)
	return t
}

// Open begins a connection. One of the same name that is still open is closed.
func (t *Tracker) Open(id ConnID, m Meta, at time.Time) {
	t.tick(at)
	if c := t.conns[id]; c != nil {
		t.close(c, ClosedUnknown)
	}
	t.open(id, m)
	t.flush(false)
}

func (t *Tracker) open(id ConnID, m Meta) *conn {
	for len(t.conns) >= t.o.MaxConnections && t.first != nil {
		t.close(t.first, ClosedUnknown)
	}
	t.connNumber++
	c := &conn{
		id: id, number: t.connNumber, meta: m, opened: t.now, limits: defaultLimits(), whole: m.FromStart,
		serverHash: maphash.String(t.seed, m.Server), sess: newSession(""),
	}
	c.seen[0], c.seen[1] = t.now, t.now
	t.conns[id] = c
	if c.prev = t.tail; c.prev != nil {
		c.prev.next = c
	} else {
		t.first = c
	}
	t.tail = c
	t.sum.connections++
	t.life(c, ConnOpened)
	return c
}

// conn returns the connection of that name. A packet of an unknown one begins it in the middle.
func (t *Tracker) conn(id ConnID) *conn {
	if c := t.recentConn; c != nil && c.id == id {
		return c
	}
	c := t.conns[id]
	if c == nil {
		c = t.open(id, Meta{})
	}
	t.recentConn = c
	return c
}

// Packet takes one whole control packet, header and all, that was at offset in its direction's stream. It aliases
// nothing after it returns.
func (t *Tracker) Packet(id ConnID, dir packet.Direction, at time.Time, offset int64, raw []byte) {
	t.tick(at)
	c := t.conn(id)
	t.begin(c, dir, offset, raw)
	if len(raw) == 0 {
		t.flush(false)
		return
	}
	t.ev.Type = packet.Type(raw[0] >> 4)
	t.ev.Dir = guessDir(t.ev.Type, dir)
	t.count(c, dirIndex(t.ev.Dir), len(raw))
	t.dispatch(c)
	t.flush(true)
}

// Broken takes bytes that could not be framed; err says why.
func (t *Tracker) Broken(id ConnID, dir packet.Direction, at time.Time, offset int64, raw []byte, err error) {
	t.tick(at)
	c := t.conn(id)
	t.begin(c, dir, offset, raw)
	t.ev.Err = err
	t.sum.broken++
	v := c.version
	if v == 0 {
		v = packet.V5
	}
	if len(raw) > 0 {
		t.ev.Type = packet.Type(raw[0] >> 4)
		a := packet.Annotate(raw, v, t.ev.Dir)
		t.ev.Packet = a.Packet
		t.findings(c, a.Findings)
	}
	c.lose()
	t.flush(true)
}

// Gap tells that n bytes are missing in the input.
func (t *Tracker) Gap(id ConnID, dir packet.Direction, at time.Time, n int64) {
	t.tick(at)
	c := t.conn(id)
	c.lose()
	t.sum.gaps++
	e := t.life(c, ConnGap)
	e.Dir, e.Missing = dir, n
	t.flush(false)
}

// Close ends a connection.
func (t *Tracker) Close(id ConnID, at time.Time, by Closer) {
	t.tick(at)
	if c := t.conns[id]; c != nil {
		t.close(c, by)
	}
	t.flush(false)
}

// Tick tells that time has passed without anything to see, so that what fails to happen is noticed. Reading a file needs
// none.
func (t *Tracker) Tick(at time.Time) { t.tick(at) }

// Finish tells that the input has ended: it closes what is open, reports what never completed and hands out the Summary.
func (t *Tracker) Finish(at time.Time) {
	if t.finished {
		return
	}
	if at.IsZero() {
		at = t.at
	}
	t.tick(at)
	t.finished = true
	t.sweep()
	t.flush(false)
	for t.first != nil {
		t.close(t.first, ClosedUnknown)
		t.flush(false)
	}
	t.abandonSessions()
	t.flush(false)
	t.sink(t.Summary())
}

// tick moves the time on and does what is due.
func (t *Tracker) tick(at time.Time) {
	t.at, t.now = at, at.UnixNano()
	t.ev.Number, t.completes = 0, -1
	if t.sum.firstAt == 0 && !at.IsZero() {
		t.sum.firstAt = t.now
	}
	if t.sum.firstAt != 0 {
		t.sum.lastAt = max(t.sum.lastAt, t.now)
	}
	if t.now >= t.nextSweep {
		t.sweep()
		t.flush(false)
	}
}

// begin prepares the event of a packet.
func (t *Tracker) begin(c *conn, dir packet.Direction, offset int64, raw []byte) {
	t.number++
	e := &t.ev
	*e = PacketEvent{}
	e.Number, e.Conn, e.ConnNumber, e.ClientID, e.Dir = t.number, c.id, c.number, c.clientID, dir
	e.Time, e.Offset, e.Raw, e.Version, e.Inferred = t.at, offset, raw, c.version, c.inferred
	if c.packets[0]+c.packets[1] > 0 {
		t.ev.Delta = time.Duration(max(0, t.now-c.last))
	}
	c.last = t.now
}

func (t *Tracker) count(c *conn, d, n int) {
	c.packets[d]++
	c.bytes[d] += int64(n)
	s := &t.sum.types[t.ev.Type][d]
	s.Packets++
	s.Bytes += int64(n)
}

// flush hands out what has gathered.
func (t *Tracker) flush(packet bool) {
	if packet {
		t.ev.Findings = t.diags
		if t.completes >= 0 {
			t.fillFlow(&t.flows[t.completes])
			t.ev.Completes = &t.flows[t.completes].FlowEvent
		}
		t.sink(&t.ev)
	}
	for i := range t.diags {
		t.sum.diagnosed(&t.diags[i])
		t.sink(&t.diags[i])
	}
	for i := range t.lives {
		t.sink(&t.lives[i])
	}
	for i := range t.flows {
		t.fillFlow(&t.flows[i])
		t.sink(&t.flows[i].FlowEvent)
	}
	t.diags, t.lives, t.flows = t.diags[:0], t.lives[:0], t.flows[:0]
}

func (t *Tracker) fillFlow(f *flowItem) { f.Steps = f.steps[:len(f.Steps)] }

// life adds a connection event.
func (t *Tracker) life(c *conn, k ConnectionKind) *ConnectionEvent {
	t.lives = append(t.lives, ConnectionEvent{
		Kind: k, Conn: c.id, Number: c.number, Meta: c.meta, Time: t.at, Version: c.version, Inferred: c.inferred,
		Bridge: c.bridge, ClientID: c.clientID, Assigned: c.assigned, Limits: c.limits,
		Duration: time.Duration(max(0, t.now-c.opened)), Packets: c.packets, Bytes: c.bytes,
	})
	return &t.lives[len(t.lives)-1]
}

// fault reports that the packet at hand, or outside of packets something the connection lacks, breaks a rule. It returns
// nil when the rule does not apply to the connection.
func (t *Tracker) fault(c *conn, key string, side packet.Side, detail string, args ...any) *Diagnostic {
	w := lookup(key)
	if w == nil {
		return nil
	}
	r := w.rule()
	v, id, sev := c.version, r.ID(c.version), r.Severity(c.version)
	if c.inferred || v == 0 {
		// Without CONNECT only what holds in every version is said; that CONNECT is missing is certain.
		v, id = 0, ""
		if sev = r.Sev31; key != "C1" {
			sev = min(sev, warning)
		}
	}
	if sev == packet.SeverityNone {
		return nil
	}
	d := Diagnostic{
		Severity: sev, Key: key, Version: v, Rule: id, Text: r.Text, Conn: c.id, ConnNumber: c.number, ClientID: c.clientID,
		Time: t.at, Side: side,
	}
	if detail != "" {
		d.Detail = fmt.Sprintf(detail, args...)
	}
	if v == packet.V5 {
		d.Code, d.CodeNamed = r.Code, r.Named
	}
	if t.ev.Number != 0 {
		d.Packet, d.Dir, d.End = t.ev.Number, t.ev.Dir, len(t.ev.Raw)
	}
	t.diags = append(t.diags, d)
	return &t.diags[len(t.diags)-1]
}

// late is fault about an earlier packet.
func (t *Tracker) late(c *conn, key string, side packet.Side, number int64, detail string, args ...any) {
	if d := t.fault(c, key, side, detail, args...); d != nil {
		if d.Packet != number {
			d.Related = d.Packet
		}
		d.Packet, d.Start, d.End, d.Dir = number, 0, 0, packet.DirUnknown
	}
}

// about notes the other packet that d is about.
func (d *Diagnostic) about(number int64) *Diagnostic {
	if d != nil {
		d.Related = number
	}
	return d
}

// in notes the field at fault.
func (d *Diagnostic) in(field string, start, end int) *Diagnostic {
	if d != nil && end <= d.End {
		d.Field, d.Start, d.End = field, start, end
	}
	return d
}

// weigh lowers the severity.
func (d *Diagnostic) weigh(s packet.Severity) *Diagnostic {
	if d != nil {
		d.Severity = min(d.Severity, s)
	}
	return d
}

// findings turns what one packet alone breaks into diagnostics.
func (t *Tracker) findings(c *conn, list []packet.Finding) {
	for _, f := range list {
		d := Diagnostic{
			Severity: f.Severity, Key: f.Key, Version: f.Version, Rule: f.Rule, Text: f.Text, Conn: c.id, ConnNumber: c.number,
			ClientID: c.clientID, Dir: t.ev.Dir, Time: t.at, Packet: t.ev.Number, Field: f.Field, Start: f.Start, End: f.End,
			Side: f.Side, Code: f.Code, CodeNamed: f.CodeNamed,
		}
		if c.inferred {
			d.Version, d.Rule, d.Code, d.CodeNamed = 0, "", 0, false
			d.Severity = min(d.Severity, warning)
		}
		t.diags = append(t.diags, d)
	}
}

func dirIndex(d packet.Direction) int {
	if d == packet.ServerToClient {
		return 1
	}
	return 0
}

// guessDir tells the direction from the type where it was not told.
func guessDir(typ packet.Type, d packet.Direction) packet.Direction {
	if d == packet.ClientToServer || d == packet.ServerToClient {
		return d
	}
	switch typ {
	case packet.CONNACK, packet.SUBACK, packet.UNSUBACK, packet.PINGRESP:
		return packet.ServerToClient
	}
	return packet.ClientToServer
}

// sideOf returns the side that sends in direction d.
func sideOf(d int) packet.Side { return packet.Side(d + 1) }
