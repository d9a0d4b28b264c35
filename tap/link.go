package tap

import (
	"time"

	"mq/packet"
)

// The limits that keep memory bounded whatever a capture holds.
const (
	DefaultMaxConns      = 65536     // connections followed at a time
	DefaultMaxPacket     = 32 << 20  // bytes of a control packet; a greater one is passed over
	DefaultMaxOutOfOrder = 1 << 20   // bytes held back, per direction, for a segment that has not come
	DefaultMaxBuffered   = 256 << 20 // bytes held in all
)

// Limits bounds what a source keeps in memory. Zero fields mean the defaults.
type Limits struct {
	// MaxConns is how many TCP connections are followed at a time; the one idle longest is given up for a new one.
	MaxConns int
	// MaxPacket is the greatest control packet that is put together.
	MaxPacket int
	// MaxOutOfOrder is how many bytes of a direction are held back while an earlier segment is missing.
	MaxOutOfOrder int
	// MaxBuffered is how many bytes are held for all connections together, in begun packets and out of order.
	MaxBuffered int
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	set(&l.MaxConns, DefaultMaxConns)
	set(&l.MaxPacket, DefaultMaxPacket)
	set(&l.MaxOutOfOrder, DefaultMaxOutOfOrder)
	set(&l.MaxBuffered, DefaultMaxBuffered)
	return l
}

// scope is what the connections of one source share: the sink and what is happening now.
type scope struct {
	sink     Sink
	limits   Limits
	keys     *KeyLog
	at       time.Time
	frame    int
	conns    int // connections opened so far
	buffered int // bytes held
}

// room reports whether n more bytes may be held.
func (s *scope) room(n int) bool { return s.buffered+n <= s.limits.MaxBuffered }

// link is one connection on its way to the sink.
type link struct {
	*scope
	conn   Conn
	since  time.Time // the first segment
	opened bool
	ours   bool // on a port where MQTT is expected
	held   int  // bytes held for it
}

// hold counts n bytes more that are held, or fewer.
func (l *link) hold(n int) {
	l.held += n
	l.buffered += n
}

// release counts the bytes held as given back.
func (l *link) release() { l.hold(-l.held) }

// open announces the connection.
func (l *link) open(layer Layer) {
	if l.opened {
		return
	}
	l.opened = true
	l.conns++
	l.conn.Number, l.conn.Layer = l.conns, layer
	l.sink.Open(&l.conn, l.since)
}

func (l *link) note(text string) { l.sink.Note(&l.conn, l.at, text) }

func (l *link) packet(d packet.Direction, offset int64, raw []byte) {
	l.sink.Packet(&l.conn, d, l.at, l.frame, offset, raw)
}

func (l *link) broken(d packet.Direction, offset int64, raw []byte, err error) {
	l.sink.Broken(&l.conn, d, l.at, offset, raw, err)
}

// stage is one layer of a connection's protocols. It is given the bytes of both directions in order.
type stage interface {
	// data brings bytes, valid until it returns and free to be changed; edge tells that they begin where a segment begins.
	data(d packet.Direction, b []byte, edge bool)
	// gap tells that n bytes are missing; unless exact is set, n counts bytes of the layers below.
	gap(d packet.Direction, n int64, exact bool)
	// finish tells that nothing more comes, and why a packet that is not complete never will be.
	finish(why error)
}

// dropped is the stage of what is not MQTT.
type dropped struct{}

func (dropped) data(packet.Direction, []byte, bool) {}
func (dropped) gap(packet.Direction, int64, bool)   {}
func (dropped) finish(error)                        {}
