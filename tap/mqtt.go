package tap

import (
	"fmt"

	"mq/packet"
)

// mqttStage cuts the bytes of a connection into control packets.
type mqttStage struct {
	l   *link
	dir [2]mqttDir
	// version is what the client's CONNECT says, 0 before it has come; the search for packet boundaries uses it.
	version packet.Version
	work    int // bytes decoded in a search
}

// mqttDir is one direction of an mqttStage.
type mqttDir struct {
	off  int64  // the position in the stream of buf[0], or of the next byte when buf is empty
	buf  []byte // a packet that has begun, or bytes in which a boundary is searched
	need int    // the length of the packet in buf, 0 while its header is not complete
	skip int64  // bytes to pass over before the next packet begins
	lost *search
}

const keepBuffer = 64 << 10 // an empty buffer greater than this is given back

func newMQTTStage(l *link) *mqttStage { return &mqttStage{l: l} }

// lose tells that it is not known where in direction d a packet begins.
func (m *mqttStage) lose(d packet.Direction) {
	if s := &m.dir[d-1]; s.lost == nil {
		s.lost = &search{}
	}
}

func (m *mqttStage) data(d packet.Direction, b []byte, edge bool) {
	s := &m.dir[d-1]
	for len(b) > 0 {
		switch {
		case s.skip > 0:
			n := int(min(s.skip, int64(len(b))))
			s.skip -= int64(n)
			s.off += int64(n)
			b = b[n:]
		case s.lost != nil:
			b = m.seek(d, s, b, edge)
		case len(s.buf) > 0:
			b = m.assemble(d, s, b)
		default:
			b = m.cut(d, s, b)
		}
		edge = false
	}
}

// cut hands on the packets that lie whole in b, without copying, and keeps the beginning of the next.
func (m *mqttStage) cut(d packet.Direction, s *mqttDir, b []byte) []byte {
	l := m.l
	for len(b) > 0 {
		n := wholeLength(b)
		if n <= 0 || n > len(b) {
			m.begin(d, s, b, n)
			return nil
		}
		if b[0]>>4 == byte(packet.CONNECT) {
			m.sniff(b)
		}
		l.packet(d, s.off, b[:n:n])
		s.off += int64(n)
		b = b[n:]
	}
	return nil
}

// wholeLength returns the length of the packet at the start of b, 0 when its header is not complete and -1 when it is
// malformed.
func wholeLength(b []byte) int {
	if len(b) > 1 && b[1] < 0x80 {
		return 2 + int(b[1])
	}
	h, err := packet.ParseHeader(b)
	switch {
	case err == packet.ErrTruncated:
		return 0
	case err != nil:
		return -1
	}
	return h.Total()
}

// begin keeps the packet of length n that is not complete in b.
func (m *mqttStage) begin(d packet.Direction, s *mqttDir, b []byte, n int) {
	switch {
	case n < 0:
		var f packet.Framer
		f.Feed(b[:min(len(b), 5)])
		_, err := f.Next() // says which rule is broken
		m.refuse(d, s, b, len(b), err)
		m.lose(d)
	case n > m.l.limits.MaxPacket || n > 0 && !m.l.room(len(b)):
		m.refuse(d, s, b, n, m.tooLarge(n))
	default:
		s.need = n
		m.keep(s, b)
	}
}

// refuse hands over b, the beginning of a packet of length n, as broken and passes over the rest.
func (m *mqttStage) refuse(d packet.Direction, s *mqttDir, b []byte, n int, err error) {
	m.l.broken(d, s.off, b, err)
	s.off += int64(len(b))
	s.skip = int64(n - len(b))
}

func (m *mqttStage) tooLarge(n int) error {
	if n > m.l.limits.MaxPacket {
		return fmt.Errorf("%w: a packet of %d bytes, the limit is %d", packet.ErrTooLarge, n, m.l.limits.MaxPacket)
	}
	return fmt.Errorf("%w: %d bytes are held for all connections together", packet.ErrTooLarge, m.l.buffered)
}

// assemble adds bytes of b to the packet that has begun and returns the rest.
func (m *mqttStage) assemble(d packet.Direction, s *mqttDir, b []byte) []byte {
	for s.need == 0 { // byte by byte to the end of the header
		if len(b) == 0 {
			return nil
		}
		m.keep(s, b[:1])
		b = b[1:]
		switch n := wholeLength(s.buf); {
		case n < 0 || n > m.l.limits.MaxPacket:
			m.begin(d, s, m.take(s), n)
			return b
		case n > 0:
			s.need = n
		}
	}
	n := min(s.need-len(s.buf), len(b))
	if !m.l.room(n) {
		need := s.need
		m.refuse(d, s, m.take(s), need, m.tooLarge(need))
		return b
	}
	m.keep(s, b[:n])
	if len(s.buf) == s.need {
		if s.buf[0]>>4 == byte(packet.CONNECT) {
			m.sniff(s.buf)
		}
		m.l.packet(d, s.off, s.buf)
		s.off += int64(len(s.buf))
		m.clear(s)
	}
	return b[n:]
}

// keep adds b to the buffer.
func (m *mqttStage) keep(s *mqttDir, b []byte) {
	s.buf = append(s.buf, b...)
	m.l.hold(len(b))
}

// take empties the buffer and returns what was in it.
func (m *mqttStage) take(s *mqttDir) []byte {
	b := s.buf
	m.l.hold(-len(b))
	s.buf, s.need = nil, 0
	return b
}

// clear empties the buffer and keeps its memory when that is little.
func (m *mqttStage) clear(s *mqttDir) {
	b := m.take(s)
	if cap(b) <= keepBuffer {
		s.buf = b[:0]
	}
}

func (m *mqttStage) sniff(b []byte) {
	if v, err := packet.SniffVersion(b); err == nil {
		m.version = v & 0x7f
	}
}

func (m *mqttStage) gap(d packet.Direction, n int64, exact bool) {
	s := &m.dir[d-1]
	known := false // whether the next boundary is
	switch held := int64(len(s.buf)); {
	case s.lost != nil:
		m.giveUp(d, s, len(s.buf))
	case s.skip > 0:
		if known = exact && n <= s.skip; known {
			s.skip -= n
		} else {
			s.skip = 0
		}
	case held > 0:
		// The packet's own length says where the next one begins, if the gap ends before.
		known = exact && s.need > 0 && held+n <= int64(s.need)
		need := int64(s.need)
		m.l.broken(d, s.off, s.buf, ErrCut)
		s.off += held
		m.clear(s)
		if known {
			s.skip = need - held - n
		}
	}
	s.off += n
	m.l.sink.Gap(&m.l.conn, d, m.l.at, n)
	if !known {
		m.lose(d)
	}
}

func (m *mqttStage) finish(why error) {
	for i := range m.dir {
		s, d := &m.dir[i], packet.Direction(i+1)
		switch {
		case len(s.buf) == 0:
		case s.lost != nil:
			m.giveUp(d, s, len(s.buf))
		default:
			m.l.broken(d, s.off, s.buf, why)
		}
		m.take(s)
	}
}
