package tap

import (
	"slices"
)

// assembler puts the TCP connections of a capture together.
type assembler struct {
	scope
	ports     []uint16
	noteOther bool

	flows          map[flowKey]*flow
	last           *flow // of the segment before
	newest, oldest *flow
	tombs          []*flow // a ring
	buried         int     // tombs ever
}

// maxTombs is how many connections are remembered that are over or not MQTT.
const maxTombs = 16384

// mqttPorts are the ports on which MQTT is expected: 1883 and 8883 are registered, the next ones commonly used beside
// them. A client there that does not begin with CONNECT is still taken for one.
var mqttPorts = []uint16{1883, 8883, 1884, 8884}

// webPorts are those on which brokers offer WebSocket.
var webPorts = []uint16{8080, 8083, 8084, 9001}

func newAssembler(sink Sink, o *ReadOptions) *assembler {
	keys := o.KeyLog
	if keys == nil {
		keys = &KeyLog{}
	}
	return &assembler{scope: scope{sink: sink, limits: o.Limits.withDefaults(), keys: keys},
		ports: o.Ports, noteOther: o.NoteOther, flows: map[flowKey]*flow{}}
}

// expects reports whether MQTT is expected on port p.
func (a *assembler) expects(p uint16) bool {
	return slices.Contains(mqttPorts, p) || slices.Contains(a.ports, p)
}

// segment takes the next segment of the capture.
func (a *assembler) segment(s *segment) {
	f := a.last
	if f == nil || f.key != s.key {
		f = a.flows[s.key]
	}
	if f != nil && s.flags&(tcpSYN|tcpACK|tcpRST) == tcpSYN && (!f.half[s.from].syn || f.half[s.from].isn != s.seq) {
		f.close(ClosedUnknown) // the same ends once more
		a.remove(f)
		f = nil
	}
	if f == nil {
		if len(s.payload)+s.cut == 0 && s.flags&tcpSYN == 0 {
			return // nothing to learn from
		}
		f = a.add(s)
	}
	a.last = f
	if f != a.newest {
		a.unlink(f)
		a.pushNewest(f)
	}
	if !f.ignored {
		a.advance(f, s)
	}
}

// advance takes a segment of a connection of interest.
func (a *assembler) advance(f *flow, s *segment) {
	i := s.from
	h := &f.half[i]
	if s.flags&tcpSYN != 0 {
		f.begin(i, s)
	}
	if s.flags&tcpRST != 0 {
		// A reset far from what is expected is none: the receiver ignores it, and so it may be anybody's.
		if d := after(s.seq, h.next); !h.known || d >= -1<<16 && d < 1<<24 || s.seq == 0 {
			f.reset(i)
		}
		return
	}
	if len(s.payload)+s.cut > 0 {
		f.push(i, s)
		if f.ignored {
			return
		}
	}
	if s.flags&tcpACK != 0 {
		f.noteAck(1-i, s.ack)
	}
	if s.flags&tcpFIN != 0 && !h.fin {
		h.fin, h.finSeq = true, s.seq+uint32(len(s.payload)+s.cut)
		if !h.known {
			h.known, h.next = true, h.finSeq
		}
		if f.closer == ClosedUnknown {
			f.closer = f.closedBy(i)
		}
	}
	if !f.ignored && f.ended(0) && f.ended(1) {
		f.close(f.closer)
	}
}

func (f *flow) ended(i int) bool {
	h := &f.half[i]
	return h.fin && after(h.next, h.finSeq) >= 0
}

// begin takes a SYN.
func (f *flow) begin(i int, s *segment) {
	h := &f.half[i]
	if h.known {
		return // sent again
	}
	h.known, h.syn, h.isn, h.next, h.acked = true, true, s.seq, s.seq+1, s.seq+1
	if f.client >= 0 {
		return
	}
	if s.flags&tcpACK == 0 {
		f.setClient(i)
		f.conn.FromStart = true
	} else {
		f.setClient(1 - i)
	}
	f.top = newProbe(&f.link, &f.top, LayerTCP, f.ignore)
}

func (f *flow) reset(i int) {
	by := f.closer
	switch {
	case by != ClosedUnknown:
	case i == f.client:
		by = ResetByClient
	default:
		by = ResetByServer
	}
	f.close(by)
}

func (f *flow) closedBy(i int) Closer {
	if i == f.client {
		return ClosedByClient
	}
	return ClosedByServer
}

// setClient tells which end is the client.
func (f *flow) setClient(i int) {
	f.client = i
	f.conn.Client, f.conn.Server = f.key.end(i), f.key.end(1-i)
}

// add begins to follow the connection of s.
func (a *assembler) add(s *segment) *flow {
	if len(a.flows) >= a.limits.MaxConns {
		old := a.oldest
		old.close(Forgotten)
		if a.flows[old.key] == old { // it may have been buried over already
			a.remove(old)
		}
	}
	f := &flow{a: a, key: s.key, client: -1}
	f.link = link{scope: &a.scope, since: a.at, ours: a.expects(s.key.port[0]) || a.expects(s.key.port[1])}
	a.flows[s.key] = f
	a.pushNewest(f)
	return f
}

// bury remembers a connection that is over, in place of one that has been for long.
func (a *assembler) bury(f *flow) {
	at := a.buried % maxTombs
	a.buried++
	if at == len(a.tombs) {
		a.tombs = append(a.tombs, f)
		return
	}
	if old := a.tombs[at]; a.flows[old.key] == old {
		a.remove(old)
	}
	a.tombs[at] = f
}

func (a *assembler) remove(f *flow) {
	delete(a.flows, f.key)
	a.unlink(f)
	if a.last == f {
		a.last = nil
	}
}

func (a *assembler) pushNewest(f *flow) {
	f.older, f.newer = a.newest, nil
	if a.newest != nil {
		a.newest.newer = f
	}
	a.newest = f
	if a.oldest == nil {
		a.oldest = f
	}
}

func (a *assembler) unlink(f *flow) {
	if f.newer != nil {
		f.newer.older = f.older
	} else if a.newest == f {
		a.newest = f.older
	}
	if f.older != nil {
		f.older.newer = f.newer
	} else if a.oldest == f {
		a.oldest = f.newer
	}
	f.newer, f.older = nil, nil
}

// finish ends what is still open, the connection idle longest first.
func (a *assembler) finish() {
	for f := a.oldest; f != nil; {
		newer := f.newer
		by := CaptureEnded
		if f.closer != ClosedUnknown {
			by = f.closer // one end has said goodbye
		}
		f.close(by)
		f = newer
	}
}
