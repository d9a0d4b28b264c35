package tap

import (
	"time"

	"mq/packet"
)

// flow is one TCP connection of a capture.
type flow struct {
	link
	a      *assembler
	key    flowKey
	half   [2]half
	client int // which half is the client's, -1 while that is not known
	top    stage
	// ignored is set on a connection that is no concern of ours, or over: it stays as a tombstone, so that what is still
	// to come of it is not taken for a new one.
	ignored bool
	closer  Closer // who sent the first FIN

	newer, older *flow // in the order of use
}

// half is what one end of a connection sends.
type half struct {
	known  bool   // next has a value
	syn    bool   // the SYN was seen, so the stream is known from its first byte
	next   uint32 // the sequence number expected
	isn    uint32
	acked  uint32 // the other end has everything before
	fin    bool
	finSeq uint32

	held      []piece // segments that came too early, by sequence number
	heldBytes int
	patience  int // segments to wait for one that the other end has acknowledged and the capture does not show; 0: not waiting
	deadline  time.Time
}

// piece is a segment that waits for an earlier one.
type piece struct {
	seq  uint32
	data []byte
	cut  int
	edge bool
}

func (p *piece) end() uint32 { return p.seq + uint32(len(p.data)+p.cut) }

// heldCost is what a held segment takes up besides its bytes.
const heldCost = 128

const (
	// Captures show an acknowledgement before the data it is about when the two pass through different queues. The data
	// then comes within a few segments.
	gapPatience = 16
	gapDelay    = 200 * time.Millisecond
	maxHeld     = 2048 // segments held in one direction
)

// after returns how far a lies after b in the circle of sequence numbers.
func after(a, b uint32) int { return int(int32(a - b)) }

// direction returns the direction in which end i sends.
func (f *flow) direction(i int) packet.Direction {
	if i == f.client {
		return packet.ClientToServer
	}
	return packet.ServerToClient
}

// push takes a segment's payload.
func (f *flow) push(i int, s *segment) {
	h := &f.half[i]
	seq, b, cut, edge := s.seq, s.payload, s.cut, true
	if s.flags&tcpSYN != 0 {
		seq++ // data in a SYN: TCP Fast Open
	}
	if !h.known {
		h.known, h.next = true, seq
	}
	switch d := after(seq, h.next); {
	case d > 0:
		f.holdBack(i, piece{seq: seq, data: b, cut: cut, edge: true})
		return
	case d < 0 && -d >= len(b)+cut:
		return // sent again, or a keep-alive probe
	case d < 0: // partly sent again: what came first counts
		over := min(-d, len(b))
		b, cut, edge = b[over:], cut-(-d-over), false
	}
	f.deliver(i, b, cut, edge)
	if len(h.held) > 0 {
		f.catchUp(i)
	}
}

// deliver hands the next bytes on.
func (f *flow) deliver(i int, b []byte, cut int, edge bool) {
	h := &f.half[i]
	h.next += uint32(len(b) + cut)
	if len(b) > 0 && !f.ignored {
		f.bytes(i, b, edge)
	}
	if cut > 0 {
		f.missing(i, int64(cut))
	}
}

// bytes passes bytes to the protocol stage, choosing it first if need be.
func (f *flow) bytes(i int, b []byte, edge bool) {
	if f.top == nil {
		f.choose(i, b)
		if f.ignored {
			return
		}
	}
	f.top.data(f.direction(i), b, edge)
}

func (f *flow) missing(i int, n int64) {
	switch {
	case f.ignored:
	case f.top != nil:
		f.top.gap(f.direction(i), n, true)
	case !f.half[i].syn: // the capture began late: what was never seen is not missed
	default:
		f.ignore()
	}
}

// holdBack keeps a segment that came before its turn. Bytes held already win over new ones.
func (f *flow) holdBack(i int, p piece) {
	h := &f.half[i]
	at := len(h.held)
	for at > 0 && after(p.seq, h.held[at-1].seq) < 0 {
		at--
	}
	if at > 0 {
		if over := after(h.held[at-1].end(), p.seq); over > 0 && !p.trim(over) {
			return
		}
	}
	if at < len(h.held) {
		// Where the new segment reaches past the next one only its head is kept; the tail is rare and will be sent again.
		if room := after(h.held[at].seq, p.seq); room < len(p.data)+p.cut {
			p.data, p.cut = p.data[:min(room, len(p.data))], max(0, min(p.cut, room-len(p.data)))
		}
	}
	if len(p.data)+p.cut == 0 {
		return
	}
	p.data = append([]byte(nil), p.data...)
	h.held = append(h.held, piece{})
	copy(h.held[at+1:], h.held[at:])
	h.held[at] = p
	h.heldBytes += len(p.data) + heldCost
	f.hold(len(p.data) + heldCost)
	for len(h.held) > 0 && (h.heldBytes > f.limits.MaxOutOfOrder || len(h.held) > maxHeld || !f.room(0)) {
		f.skipHole(i)
	}
}

// trim takes n bytes off the front and reports whether anything is left.
func (p *piece) trim(n int) bool {
	if n >= len(p.data)+p.cut {
		return false
	}
	over := min(n, len(p.data))
	p.seq += uint32(n)
	p.data, p.cut, p.edge = p.data[over:], p.cut-(n-over), false
	return true
}

// catchUp delivers the held segments whose turn has come.
func (f *flow) catchUp(i int) {
	h := &f.half[i]
	n := 0
	for ; n < len(h.held); n++ {
		p := h.held[n]
		late := after(h.next, p.seq)
		if late < 0 {
			break
		}
		h.heldBytes -= len(p.data) + heldCost
		f.hold(-len(p.data) - heldCost)
		if late == 0 || p.trim(late) {
			f.deliver(i, p.data, p.cut, p.edge)
		}
	}
	h.held = h.held[:copy(h.held, h.held[n:])]
	clear(h.held[len(h.held):cap(h.held)])
	if len(h.held) == 0 && cap(h.held) > 64 {
		h.held = nil
	}
	h.patience = 0
}

// skipHole goes on after the hole before the first held segment.
func (f *flow) skipHole(i int) {
	h := &f.half[i]
	n := after(h.held[0].seq, h.next)
	h.next = h.held[0].seq
	f.missing(i, int64(n))
	f.catchUp(i)
}

// noteAck takes the acknowledgement of what end i sent.
func (f *flow) noteAck(i int, ack uint32) {
	h := &f.half[i]
	if !h.known {
		return
	}
	if ahead := after(ack, h.acked); ahead > 0 && after(ack, h.next) < 1<<30 {
		h.acked = ack
	}
	if len(h.held) == 0 {
		return
	}
	switch {
	case h.patience == 0 && after(h.acked, h.held[0].seq) >= 0:
		// The other end has what the capture does not show.
		h.patience, h.deadline = gapPatience, f.at.Add(gapDelay)
	case h.patience > 0:
		h.patience--
		if h.patience == 0 || f.at.After(h.deadline) {
			f.skipHole(i)
		}
	}
}

// drain gives up waiting for anything that is missing in what end i sent.
func (f *flow) drain(i int) {
	h := &f.half[i]
	for len(h.held) > 0 {
		f.skipHole(i)
	}
	if !h.known {
		return
	}
	// What the other end has acknowledged was sent, whether or not it was captured. One byte more may be the FIN.
	if n := after(h.acked, h.next); n > 1 {
		h.next += uint32(n)
		f.missing(i, int64(n))
	}
}

// close ends the connection.
func (f *flow) close(by Closer) {
	if f.ignored {
		return
	}
	f.drain(0)
	f.drain(1)
	if f.top != nil {
		why := ErrEnded
		if by == CaptureEnded || by == Forgotten {
			why = ErrCaptureEnd
		}
		f.top.finish(why)
	}
	if f.ignored { // what was missing, or the end, settled that it is not MQTT
		return
	}
	if !f.opened && f.ours && f.top != nil && by != CaptureEnded && by != Forgotten && f.half[f.client].syn {
		f.open(LayerTCP)
		f.note(f.silence(by))
	}
	if f.opened {
		f.sink.Close(&f.conn, f.at, by)
	}
	f.forget()
}

// silence says what happened on a connection without MQTT on an MQTT port.
func (f *flow) silence(by Closer) string {
	server := &f.half[1-f.client]
	switch {
	case by == ResetByServer && !server.syn:
		return "connection refused"
	case f.half[0].next == f.half[0].isn+1 && f.half[1].next == f.half[1].isn+1:
		return "closed before a byte was sent"
	}
	return "not MQTT"
}

// ignore gives the connection up as not MQTT. On a port where MQTT is expected it says so.
func (f *flow) ignore() {
	if (f.a.noteOther || f.ours) && !f.opened && !f.ignored {
		if f.client < 0 {
			f.setClient(0)
		}
		f.open(LayerTCP)
		f.note("not MQTT")
		f.sink.Close(&f.conn, f.at, ClosedUnknown)
	}
	f.forget()
}

// forget leaves a tombstone.
func (f *flow) forget() {
	for i := range f.half {
		f.half[i].held, f.half[i].heldBytes = nil, 0
	}
	f.release()
	f.ignored, f.top = true, nil
	f.a.bury(f)
}
