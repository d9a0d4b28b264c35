package tap

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"testing"
	"time"

	"mq/packet"
)

// tcp describes a segment to be written into a capture.
type tcp struct {
	server   bool // sent by the server
	seq, ack uint32
	flags    byte
	payload  string
	port     uint16 // of the server, 1883 if 0
	cport    uint16 // of the client, 50000 if 0
	cut      int    // bytes of the payload to leave out of the capture
}

const synAck = tcpSYN | tcpACK

// appendFrame appends s as a pcap record with an Ethernet frame. The clock goes on by a millisecond with each.
func appendFrame(b []byte, n int, s tcp) []byte {
	if s.port == 0 {
		s.port = 1883
	}
	if s.cport == 0 {
		s.cport = 50000
	}
	size := 14 + 20 + 20 + len(s.payload)
	b = binary.LittleEndian.AppendUint32(b, uint32(1_700_000_000+n/1000))
	b = binary.LittleEndian.AppendUint32(b, uint32(n%1000*1000))
	b = binary.LittleEndian.AppendUint32(b, uint32(size-s.cut))
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = append(b, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(size-14))
	b = append(b, 0, 0, 0, 0, 64, 6, 0, 0)
	src, dst := []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}
	sport, dport := s.cport, s.port
	if s.server {
		src, dst, sport, dport = dst, src, dport, sport
	}
	b = append(append(b, src...), dst...)
	b = binary.BigEndian.AppendUint16(b, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint32(b, s.seq)
	b = binary.BigEndian.AppendUint32(b, s.ack)
	b = append(b, 5<<4, s.flags, 0xff, 0xff, 0, 0, 0, 0)
	return append(b, s.payload[:len(s.payload)-s.cut]...)
}

// pcapHeader is the head of a little-endian microsecond capture of Ethernet.
func pcapHeader() []byte {
	b := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	b = binary.LittleEndian.AppendUint32(b, 262144)
	return binary.LittleEndian.AppendUint32(b, linkEthernet)
}

// readSegments reads a capture made of the segments.
func readSegments(t testing.TB, o ReadOptions, segments ...tcp) *record {
	t.Helper()
	b := pcapHeader()
	for i, s := range segments {
		b = appendFrame(b, i, s)
	}
	r := newRecord(t)
	if err := ReadCapture(context.Background(), bytes.NewReader(b), o, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// wire encodes packets.
func wire(t testing.TB, v packet.Version, packets ...packet.Packet) string {
	t.Helper()
	var b []byte
	for _, p := range packets {
		var err error
		if b, err = p.Append(b, v); err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}

// generator is a capture of one connection with many messages, made up as it is read.
type generator struct {
	segment  []byte // of PUBLISH packets
	left     int    // segments to come
	n        int
	seq      uint32
	buf      []byte
	pending  []byte
	messages int
}

// newGenerator returns a capture of at least n messages of 64 bytes, perSegment in each segment.
func newGenerator(t testing.TB, n, perSegment int) *generator {
	p := wire(t, packet.V311, &packet.Publish{Topic: []byte("bench/topic/1"), Payload: bytes.Repeat([]byte("x"), 64)})
	g := &generator{segment: bytes.Repeat([]byte(p), perSegment), left: (n + perSegment - 1) / perSegment}
	g.messages = g.left*perSegment + 1
	hello := wire(t, packet.V311, &packet.Connect{CleanStart: true, ClientID: "bench"})
	g.buf = appendFrame(pcapHeader(), 0, tcp{seq: 99, flags: tcpSYN})
	g.buf = appendFrame(g.buf, 1, tcp{server: true, seq: 999, ack: 100, flags: synAck})
	g.buf = appendFrame(g.buf, 2, tcp{seq: 100, ack: 1000, flags: tcpACK, payload: hello})
	g.seq = 100 + uint32(len(hello))
	g.pending = g.buf
	return g
}

func (g *generator) Read(b []byte) (int, error) {
	if len(g.pending) == 0 {
		g.buf = g.buf[:0]
		for len(g.buf) < 128<<10 && g.left > 0 {
			g.n++
			g.left--
			g.buf = appendFrame(g.buf, g.n, tcp{seq: g.seq, ack: 1000, flags: tcpACK, payload: string(g.segment)})
			g.seq += uint32(len(g.segment))
		}
		if g.pending = g.buf; len(g.pending) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(b, g.pending)
	g.pending = g.pending[n:]
	return n, nil
}

// counter is a Sink that counts packets.
type counter struct {
	Discard
	packets int
	bytes   int64
}

func (c *counter) Packet(_ *Conn, _ packet.Direction, _ time.Time, _ int, _ int64, raw []byte) {
	c.packets++
	c.bytes += int64(len(raw))
}

func benchmarkRead(b *testing.B, perSegment int) {
	const n = 200_000
	g := newGenerator(b, n, perSegment)
	file, err := io.ReadAll(g)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	total := 0
	start := time.Now()
	for b.Loop() {
		var c counter
		if err := ReadCapture(context.Background(), bytes.NewReader(file), ReadOptions{}, &c); err != nil {
			b.Fatal(err)
		}
		if c.packets != g.messages {
			b.Fatalf("%d packets, want %d", c.packets, g.messages)
		}
		total += c.packets
	}
	b.ReportMetric(float64(total)/time.Since(start).Seconds(), "msg/s")
}

func BenchmarkReadOnePerSegment(b *testing.B) { benchmarkRead(b, 1) }
func BenchmarkReadTenPerSegment(b *testing.B) { benchmarkRead(b, 10) }
func BenchmarkReadFullSegments(b *testing.B)  { benchmarkRead(b, 18) }
func BenchmarkReadLargeSegments(b *testing.B) { benchmarkRead(b, 700) }

// TestFlatMemory reads captures of very different length and compares what is live half way through.
func TestFlatMemory(t *testing.T) {
	live := map[int]uint64{}
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		if n > 100_000 && testing.Short() {
			continue
		}
		g := newGenerator(t, n, 18)
		m := &memorySink{at: n / 2}
		if err := ReadCapture(context.Background(), g, ReadOptions{}, m); err != nil {
			t.Fatal(err)
		}
		if m.packets != g.messages {
			t.Errorf("%d packets, want %d", m.packets, g.messages)
		}
		live[n] = m.live
		if m.live > live[10_000]+(2<<20) {
			t.Errorf("%d bytes live in a capture of %d messages, %d in one of 10,000", m.live, n, live[10_000])
		}
	}
	t.Logf("live: %v", live)
}

// memorySink measures the heap after some packets.
type memorySink struct {
	counter
	at   int
	live uint64
}

func (m *memorySink) Packet(c *Conn, d packet.Direction, at time.Time, frame int, off int64, raw []byte) {
	m.counter.Packet(c, d, at, frame, off, raw)
	if m.packets == m.at {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		m.live = s.HeapAlloc
	}
}
