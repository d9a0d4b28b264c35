package tap

import (
	"unicode/utf8"

	"mq/packet"
)

// search is a search for the beginning of a packet in mqttDir.buf.
type search struct {
	edges   []int // where in the buffer segments begin
	scanned int   // the length of the buffer at the last full scan
}

const (
	searchWindow = 16 << 10 // bytes in which a boundary is searched at a time
	// maxSearchWork is how many bytes are decoded in one scan: a capture can be made so that a long packet seems to begin
	// at every byte.
	maxSearchWork = 64 * searchWindow
	maxEdges      = 64 // segment starts remembered; each costs little, but they may be one byte apart
)

// seek adds b to the bytes of unknown alignment. When a packet boundary is found in them it hands over what lies before
// it as broken and returns what follows.
func (m *mqttStage) seek(d packet.Direction, s *mqttDir, b []byte, edge bool) []byte {
	l, fresh := s.lost, len(s.buf)
	rest := b[min(len(b), searchWindow):]
	if edge && len(l.edges) < maxEdges {
		l.edges = append(l.edges, fresh)
	}
	m.keep(s, b[:len(b)-len(rest)])
	at := -1
	for _, e := range l.edges {
		if m.boundary(s.buf[e:], d, true) {
			at = e
			break
		}
	}
	// A full scan on every byte that trickles in would take quadratic time.
	if at < 0 && (len(s.buf) >= l.scanned+l.scanned/8+1) {
		l.scanned, m.work = len(s.buf), 0
		for i := range s.buf {
			if m.work > maxSearchWork {
				break
			}
			if m.boundary(s.buf[i:], d, false) {
				at = i
				break
			}
		}
	}
	if at >= 0 {
		m.giveUp(d, s, at)
		s.lost = nil
		found := m.take(s)
		m.cutFound(d, s, found)
		return rest
	}
	if len(s.buf) > 2*searchWindow || !m.l.room(len(rest)) {
		m.giveUp(d, s, len(s.buf)-searchWindow/2)
	}
	return rest
}

// cutFound goes on with the bytes in which a boundary was found.
func (m *mqttStage) cutFound(d packet.Direction, s *mqttDir, b []byte) {
	for len(b) > 0 && s.lost == nil {
		if len(s.buf) > 0 {
			b = m.assemble(d, s, b)
		} else {
			b = m.cut(d, s, b)
		}
	}
}

// giveUp hands over the first n bytes of the buffer as broken.
func (m *mqttStage) giveUp(d packet.Direction, s *mqttDir, n int) {
	n = max(0, min(n, len(s.buf)))
	if n > 0 {
		m.l.broken(d, s.off, s.buf[:n], ErrUnaligned)
	}
	s.off += int64(n)
	m.l.hold(-n)
	s.buf = s.buf[:copy(s.buf, s.buf[n:])]
	l := s.lost
	l.scanned = 0
	kept := l.edges[:0]
	for _, e := range l.edges {
		if e >= n {
			kept = append(kept, e-n)
		}
	}
	l.edges = kept
}

// verdict says what a run of bytes could be.
type verdict byte

const (
	notPacket verdict = iota
	tooShort          // the bytes end before anything can be said
	beginning         // the bytes are the beginning of a plausible packet
	whole             // a packet lies in the bytes and decodes
)

// boundary reports whether a packet seems to begin at b. At the start of a segment one packet is enough, if what follows
// does not contradict it; elsewhere there must be two in a row.
func (m *mqttStage) boundary(b []byte, d packet.Direction, edge bool) bool {
	for count := 0; ; count++ {
		n, v := m.plausible(b, d)
		switch {
		case v == notPacket:
			return false
		case v == whole && count == 1, v == whole && edge && n == len(b):
			return true
		case v == whole:
			b = b[n:]
			continue
		case v == beginning:
			return edge || count > 0
		}
		return edge && count > 0
	}
}

// plausible judges the packet at the start of b and returns its length if it is whole.
func (m *mqttStage) plausible(b []byte, d packet.Direction) (int, verdict) {
	if len(b) == 0 {
		return 0, tooShort
	}
	if !mayBegin(b[0], d) {
		return 0, notPacket
	}
	n := wholeLength(b)
	switch {
	case n < 0 || n > m.l.limits.MaxPacket:
		return 0, notPacket
	case n == 0:
		return 0, tooShort
	case n > len(b):
		return 0, partly(b, n)
	}
	for _, v := range [2]packet.Version{packet.V311, packet.V5} {
		if m.version != 0 && m.version != v && (m.version == packet.V5 || v == packet.V5) {
			continue
		}
		m.work += n
		if _, _, err := packet.Decode(b[:n], v); err == nil {
			return n, whole
		}
	}
	return 0, notPacket
}

// mayBegin reports whether a packet sent in direction d may have the first byte b.
func mayBegin(b byte, d packet.Direction) bool {
	const both, client, server = 3, 1, 2
	dirs := [16]byte{packet.CONNECT: client, packet.CONNACK: server, packet.PUBLISH: both, packet.PUBACK: both,
		packet.PUBREC: both, packet.PUBREL: both, packet.PUBCOMP: both, packet.SUBSCRIBE: client, packet.SUBACK: server,
		packet.UNSUBSCRIBE: client, packet.UNSUBACK: server, packet.PINGREQ: client, packet.PINGRESP: server,
		packet.DISCONNECT: both, packet.AUTH: both}
	t, flags := packet.Type(b>>4), b&15
	if dirs[t]&byte(d) == 0 {
		return false
	}
	switch t {
	case packet.PUBLISH:
		return flags>>1&3 != 3
	case packet.PUBREL, packet.SUBSCRIBE, packet.UNSUBSCRIBE:
		return flags == 2
	}
	return flags == 0
}

// partly judges the packet of length n whose first bytes are b.
func partly(b []byte, n int) verdict {
	h, err := packet.ParseHeader(b)
	if err != nil {
		return tooShort
	}
	body := b[h.Size:]
	switch h.Type {
	case packet.CONNECT:
		switch _, err := packet.SniffVersion(b); err {
		case nil:
			return beginning
		case packet.ErrTruncated:
			return tooShort
		}
		return notPacket
	case packet.PUBLISH:
		if len(body) < 2 {
			return tooShort
		}
		size := int(body[0])<<8 | int(body[1])
		if size+2 > n-h.Size {
			return notPacket
		}
		topic := body[2:min(len(body), 2+size)]
		if !plausibleTopic(topic, len(topic) == size) {
			return notPacket
		}
		if len(topic) == size && size > 0 {
			return beginning
		}
		return tooShort
	}
	if h.Remaining > 1<<16 && h.Type != packet.SUBSCRIBE && h.Type != packet.UNSUBSCRIBE {
		return notPacket // acknowledgements are small
	}
	return tooShort
}

// plausibleTopic reports whether a topic could begin with b, or be b when whole is set.
func plausibleTopic(b []byte, whole bool) bool {
	for _, c := range b {
		if c < ' ' || c == '#' || c == '+' || c == 0x7f {
			return false
		}
	}
	return !whole || utf8.Valid(b)
}
