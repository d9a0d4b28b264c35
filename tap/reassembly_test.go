package tap

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

// talk is a connection in segments: handshake, CONNECT and CONNACK, then the client's PUBLISH packets one a segment, each
// acknowledged by TCP, and the end.
type talk struct {
	hello, connack string
	pubs           []string
	seq            uint32 // of the client's first byte
}

func newTalk(t testing.TB, n int, isn uint32) *talk {
	k := &talk{hello: wire(t, packet.V311, &packet.Connect{CleanStart: true, ClientID: "c"}),
		connack: wire(t, packet.V311, &packet.Connack{}), seq: isn + 1}
	for i := range n {
		k.pubs = append(k.pubs, wire(t, packet.V311, &packet.Publish{Topic: []byte("t"), Payload: fmt.Appendf(nil, "payload %d", i)}))
	}
	return k
}

func (k *talk) open() []tcp {
	return []tcp{{seq: k.seq - 1, flags: tcpSYN}, {server: true, seq: 999, ack: k.seq, flags: synAck},
		{seq: k.seq, ack: 1000, flags: tcpACK, payload: k.hello},
		{server: true, seq: 1000, ack: k.after(0), flags: tcpACK, payload: k.connack}}
}

// after is the sequence number after the first n PUBLISH.
func (k *talk) after(n int) uint32 {
	return k.seq + uint32(len(k.hello)+len(strings.Join(k.pubs[:n], "")))
}

func (k *talk) pub(i int) tcp {
	return tcp{seq: k.after(i), ack: 1004, flags: tcpACK, payload: k.pubs[i]}
}

func (k *talk) ack(n int) tcp { return tcp{server: true, seq: 1004, ack: k.after(n), flags: tcpACK} }

func (k *talk) close() []tcp {
	end := k.after(len(k.pubs))
	return []tcp{{seq: end, ack: 1004, flags: tcpACK | tcpFIN}, {server: true, seq: 1004, ack: end + 1, flags: tcpACK | tcpFIN},
		{seq: end + 1, ack: 1005, flags: tcpACK}}
}

// want is the log of the whole talk.
func (k *talk) want() []string {
	l := []string{"#1 open tcp", fmt.Sprintf("#1 c2s CONNECT @0+%d", len(k.hello)), "#1 s2c CONNACK @0+4"}
	off := len(k.hello)
	for _, p := range k.pubs {
		l = append(l, fmt.Sprintf("#1 c2s PUBLISH @%d+%d", off, len(p)))
		off += len(p)
	}
	return append(l, "#1 close client")
}

func diffLog(t *testing.T, want []string, r *record) {
	t.Helper()
	if d := cmp.Diff(want, r.log); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestReassembly(t *testing.T) {
	const wrap = 0xffffffff - 30 // the sequence numbers wrap in the CONNECT or right after
	for _, isn := range []uint32{99, wrap} {
		k := newTalk(t, 4, isn)
		mid := func(s ...tcp) []tcp { return slices.Concat(k.open(), s, k.close()) }
		split := func(i, at int) (tcp, tcp) {
			a, b := k.pub(i), k.pub(i)
			a.payload, b.payload, b.seq = a.payload[:at], a.payload[at:], b.seq+uint32(at)
			return a, b
		}
		a, b := split(1, 3)
		overlap := k.pub(1) // begins inside what is there, with other bytes there, and goes on
		overlap.payload = "XX" + k.pubs[1][2:] + k.pubs[2]
		probe := tcp{seq: k.after(4) - 1, ack: 1004, flags: tcpACK, payload: "?"}
		empty := tcp{seq: k.after(4) - 1, ack: 1004, flags: tcpACK}
		tests := []struct {
			name     string
			segments []tcp
		}{
			{"in order", mid(k.pub(0), k.pub(1), k.pub(2), k.pub(3))},
			{"out of order", mid(k.pub(0), k.pub(2), k.pub(3), k.pub(1))},
			{"reversed", mid(k.pub(3), k.pub(2), k.pub(1), k.pub(0))},
			{"sent again", mid(k.pub(0), k.pub(0), k.pub(1), k.pub(0), k.pub(2), k.pub(2), k.pub(3), k.pub(1))},
			{"split", mid(k.pub(0), a, b, k.pub(2), k.pub(3))},
			{"split out of order", mid(k.pub(0), b, k.pub(2), a, k.pub(3))},
			{"overlap, first wins", mid(k.pub(0), a, b, overlap, k.pub(3))},
			{"overlap out of order", mid(b, k.pub(2), k.pub(1), k.pub(0), k.pub(3))},
			{"acknowledged before seen", mid(k.pub(0), k.pub(2), k.ack(3), k.pub(1), k.pub(3))},
			{"keep-alive probes", mid(k.pub(0), k.pub(1), k.pub(2), k.pub(3), probe, empty, probe)},
			{"SYN sent again", slices.Concat(k.open()[:1], k.open(), []tcp{k.pub(0), k.pub(1), k.pub(2), k.pub(3)}, k.close())},
			{"after the end", append(mid(k.pub(0), k.pub(1), k.pub(2), k.pub(3)), k.pub(3), probe)},
			{"FIN before data", slices.Concat(k.open(), []tcp{k.pub(0), k.pub(1), k.pub(2)}, k.close()[:1], []tcp{k.pub(3)}, k.close()[1:])},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s from %d", tt.name, isn), func(t *testing.T) {
				diffLog(t, k.want(), readSegments(t, ReadOptions{}, tt.segments...))
			})
		}
	}
}

// TestReassemblyShuffled sends overlapping pieces in any order.
func TestReassemblyShuffled(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		k := newTalk(t, 6, rnd.Uint32())
		stream := strings.Join(k.pubs, "")
		var pieces []tcp
		for at := 0; at < len(stream); {
			n := 1 + rnd.IntN(20)
			from, to := max(0, at-rnd.IntN(5)), min(len(stream), at+n)
			pieces = append(pieces, tcp{seq: k.after(0) + uint32(from), ack: 1004, flags: tcpACK, payload: stream[from:to]})
			at += n
		}
		rnd.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		// Where a piece reaches past a later one its tail is left to be sent again.
		all := slices.Concat(k.open(), pieces, pieces, k.close())
		diffLog(t, k.want(), readSegments(t, ReadOptions{}, all...))
		if t.Failed() {
			return
		}
	}
}

func TestLoss(t *testing.T) {
	k := newTalk(t, 4, 99)
	off := func(n int) int { return int(k.after(n) - k.seq) }
	pub := func(i int) string { return fmt.Sprintf("#1 c2s PUBLISH @%d+%d", off(i), len(k.pubs[i])) }
	gap := fmt.Sprintf("#1 c2s gap %d", len(k.pubs[1]))
	begin := k.want()[:4]
	lost := append(slices.Clone(begin), gap, pub(2), pub(3), "#1 close client")
	var acks []tcp
	for range gapPatience + 1 {
		acks = append(acks, k.ack(4))
	}
	cut := k.pub(1)
	cut.cut = 5
	deep := k.pub(1)
	deep.cut = len(deep.payload)
	head := fmt.Sprintf("#1 c2s broken @%d+%d: %v", off(1), len(k.pubs[1])-5, ErrCut)
	tests := []struct {
		name     string
		segments []tcp
		want     []string
	}{
		{"at the end of the connection", slices.Concat(k.open(), []tcp{k.pub(0), k.pub(2), k.pub(3)}, k.close()), lost},
		{"acknowledged by the other side", slices.Concat(k.open(), []tcp{k.pub(0), k.pub(2), k.pub(3)}, acks, k.close()), lost},
		{"nothing after it", slices.Concat(k.open(), []tcp{k.pub(0), k.pub(1), k.pub(2), k.ack(4)}),
			append(slices.Clone(begin), pub(1), pub(2), fmt.Sprintf("#1 c2s gap %d", len(k.pubs[3])), "#1 close end of capture")},
		{"cut by the snap length", slices.Concat(k.open(), []tcp{k.pub(0), cut, k.pub(2), k.pub(3)}, k.close()),
			append(slices.Clone(begin), head, "#1 c2s gap 5", pub(2), pub(3), "#1 close client")},
		{"nothing of it captured", slices.Concat(k.open(), []tcp{k.pub(0), deep, k.pub(2), k.pub(3)}, k.close()), lost},
		{"end of capture in a packet", append(k.open(), tcp{seq: k.after(0), flags: tcpACK, payload: k.pubs[0][:5]}),
			append(slices.Clone(begin[:3]), fmt.Sprintf("#1 c2s broken @%d+5: %v", off(0), ErrCaptureEnd), "#1 close end of capture")},
		{"end of connection in a packet", append(k.open(), tcp{seq: k.after(0), flags: tcpACK, payload: k.pubs[0][:5]},
			tcp{server: true, seq: 1004, flags: tcpRST}),
			append(slices.Clone(begin[:3]), fmt.Sprintf("#1 c2s broken @%d+5: %v", off(0), ErrEnded), "#1 close reset by server")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { diffLog(t, tt.want, readSegments(t, ReadOptions{}, tt.segments...)) })
	}
}

func TestTooMuchOutOfOrder(t *testing.T) {
	k := newTalk(t, 400, 99)
	segments := append(k.open(), k.pub(0))
	for i := 2; i < 400; i++ {
		segments = append(segments, k.pub(i))
	}
	r := readSegments(t, ReadOptions{Limits: Limits{MaxOutOfOrder: 10_000}}, segments...)
	if n := len(r.packets); n != 401 { // CONNECT, CONNACK, and all PUBLISH but one
		t.Errorf("%d packets", n)
	}
	if l := r.trouble(); !slices.Equal(l, []string{fmt.Sprintf("#1 c2s gap %d", len(k.pubs[1]))}) {
		t.Errorf("%q", l)
	}
}

func TestMidStream(t *testing.T) {
	k := newTalk(t, 4, 99)
	half := k.pub(0)
	half.payload, half.seq = half.payload[4:], half.seq+4
	rest := len(k.pubs[0]) - 4
	mid := "#1 note capture begins mid-stream"
	pub := func(at, i int) string { return fmt.Sprintf("#1 c2s PUBLISH @%d+%d", at, len(k.pubs[i])) }
	other := func(s tcp) tcp { s.port = 7777; return s }
	n := len(k.pubs[1])
	tests := []struct {
		name     string
		segments []tcp
		want     []string
	}{
		{"at a packet", []tcp{k.pub(0), k.pub(1)}, []string{"#1 open tcp", mid, pub(0, 0), pub(n, 1), "#1 close end of capture"}},
		{"in a packet", []tcp{half, k.pub(1), k.pub(2)}, []string{"#1 open tcp", mid,
			fmt.Sprintf("#1 c2s broken @0+%d: %v", rest, ErrUnaligned), pub(rest, 1), pub(rest+n, 2), "#1 close end of capture"}},
		{"before CONNECT on any port", []tcp{other(k.open()[2]), other(k.open()[3]), other(k.pub(0))},
			[]string{"#1 open tcp", fmt.Sprintf("#1 c2s CONNECT @0+%d", len(k.hello)), "#1 s2c CONNACK @0+4", pub(len(k.hello), 0), "#1 close end of capture"}},
		{"unknown port", []tcp{other(k.pub(0)), other(k.pub(1))}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { diffLog(t, tt.want, readSegments(t, ReadOptions{}, tt.segments...)) })
	}
}

func TestResyncInsideSegments(t *testing.T) {
	k := newTalk(t, 9, 99)
	junk := strings.Repeat("\x00\xff\x31 no packet", 9)
	all := junk + strings.Join(k.pubs, "")
	var segments []tcp
	for i := 0; i < len(all); i += 7 { // no segment begins with a packet, but by chance
		segments = append(segments, tcp{seq: 5000 + uint32(i), flags: tcpACK, payload: all[i:min(len(all), i+7)]})
	}
	r := readSegments(t, ReadOptions{}, segments...)
	if len(r.packets) < 8 {
		t.Errorf("%d packets found\n%s", len(r.packets), strings.Join(r.log, "\n"))
	}
	for _, p := range r.packets {
		if !slices.Contains(k.pubs, string(p.raw)) {
			t.Errorf("%q is no packet that was sent", p.raw)
		}
	}
}

func TestConnections(t *testing.T) {
	k, again := newTalk(t, 1, 99), newTalk(t, 1, 123456)
	talk := func(k *talk) []tcp { return slices.Concat(k.open(), []tcp{k.pub(0)}, k.close()) }
	second := func(l []string) []string {
		var out []string
		for _, s := range l {
			out = append(out, strings.Replace(s, "#1", "#2", 1))
		}
		return out
	}
	unended := k.want()[:4]
	tests := []struct {
		name     string
		segments []tcp
		want     []string
	}{
		{"port used again", append(talk(k), talk(again)...), append(k.want(), second(again.want())...)},
		{"port used again without an end", append(talk(k)[:5], talk(again)...), append(append(slices.Clone(unended), "#1 close unknown"), second(again.want())...)},
		{"refused", []tcp{{seq: 99, flags: tcpSYN}, {server: true, ack: 100, flags: tcpRST | tcpACK}},
			[]string{"#1 open tcp", "#1 note connection refused", "#1 close reset by server"}},
		{"silent", []tcp{{seq: 99, flags: tcpSYN}, {server: true, seq: 999, ack: 100, flags: synAck}, {seq: 100, ack: 1000, flags: tcpFIN | tcpACK},
			{server: true, seq: 1000, ack: 101, flags: tcpFIN | tcpACK}},
			[]string{"#1 open tcp", "#1 note closed before a byte was sent", "#1 close client"}},
		{"blind reset is ignored", slices.Concat(talk(k)[:5], []tcp{{server: true, seq: 0x70000000, flags: tcpRST}}, talk(k)[5:]), k.want()},
		{"server closes first", slices.Concat(talk(k)[:5], []tcp{{server: true, seq: 1004, ack: k.after(1), flags: tcpFIN | tcpACK},
			{seq: k.after(1), ack: 1005, flags: tcpFIN | tcpACK}}), append(slices.Clone(unended), "#1 close server")},
		{"not MQTT on an MQTT port", append(k.open()[:2], tcp{seq: k.seq, flags: tcpACK, payload: "POST / HTTP/1.1\r\n\r\n"}),
			[]string{"#1 open tcp", "#1 note not MQTT", "#1 close unknown"}},
		{"server speaks first", []tcp{k.open()[0], k.open()[1], {server: true, seq: 1000, flags: tcpACK, payload: k.connack},
			{seq: 100, flags: tcpACK, payload: k.hello}}, []string{"#1 open tcp", k.want()[1], k.want()[2], "#1 close end of capture"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { diffLog(t, tt.want, readSegments(t, ReadOptions{}, tt.segments...)) })
	}
}

func TestNotMQTT(t *testing.T) {
	var segments []tcp
	for i := range uint16(5) {
		segments = append(segments, tcp{port: 80, cport: 1000 + i, seq: 1, flags: tcpSYN},
			tcp{port: 80, cport: 1000 + i, seq: 2, flags: tcpACK, payload: "POST / HTTP/1.1\r\n\r\n"})
	}
	if r := readSegments(t, ReadOptions{}, segments...); len(r.log) != 0 {
		t.Errorf("%q", r.log)
	}
	if r := readSegments(t, ReadOptions{NoteOther: true}, segments...); len(r.conns) != 5 || len(r.trouble()) != 5 {
		t.Errorf("%q", r.log)
	}
}

func TestLimits(t *testing.T) {
	k := newTalk(t, 3, 99)
	var segments []tcp
	for i := range uint16(20) {
		for _, s := range k.open() {
			s.cport = 1000 + i
			segments = append(segments, s)
		}
	}
	r := readSegments(t, ReadOptions{Limits: Limits{MaxConns: 5}}, segments...)
	if n := strings.Count(strings.Join(r.log, "\n"), "close forgotten"); n != 15 {
		t.Errorf("%d connections forgotten, want 15", n)
	}
	large := k.pubs[0][:1] + "\xff\x7f" + strings.Repeat("x", 16383)
	s := slices.Concat(k.open(), []tcp{{seq: k.after(0), flags: tcpACK, payload: large[:5000]},
		{seq: k.after(0) + 5000, flags: tcpACK, payload: large[5000:] + k.pubs[0]}})
	for _, l := range []Limits{{MaxPacket: 10_000}, {MaxBuffered: 3_000}} {
		r = readSegments(t, ReadOptions{Limits: l}, s...)
		if n := len(r.packets); n != 3 || len(r.trouble()) != 1 || !strings.Contains(r.trouble()[0], "too large") {
			t.Errorf("%+v: %d packets, %q", l, n, r.log)
		}
	}
}

// TestSplitEverywhere cuts a stream into segments at every place.
func TestSplitEverywhere(t *testing.T) {
	k := newTalk(t, 2, 99)
	stream := k.hello + strings.Join(k.pubs, "")
	for i := 1; i < len(stream); i++ {
		s := slices.Concat(k.open()[:2], []tcp{{seq: k.seq, flags: tcpACK, payload: stream[:i]},
			{seq: k.seq + uint32(i), flags: tcpACK, payload: stream[i:]}}, k.open()[3:], k.close())
		r := readSegments(t, ReadOptions{}, s...)
		if len(r.packets) != 4 || len(r.trouble()) != 0 {
			t.Fatalf("cut at %d: %q", i, r.log)
		}
	}
}

func TestTruncatedFile(t *testing.T) {
	k := newTalk(t, 1, 99)
	b := pcapHeader()
	for i, s := range slices.Concat(k.open(), []tcp{k.pub(0)}) {
		b = appendFrame(b, i, s)
	}
	for _, n := range []int{1, 20, 60} {
		r := newRecord(t)
		err := ReadCapture(context.Background(), bytes.NewReader(b[:len(b)-n]), ReadOptions{}, r)
		if err == nil || !strings.Contains(err.Error(), "frame 5") || !strings.Contains(err.Error(), "ends inside") {
			t.Errorf("%d bytes missing: %v", n, err)
		}
		if len(r.packets) != 2 || len(r.closed) != 1 {
			t.Errorf("%d bytes missing: %q", n, r.log)
		}
	}
	for _, s := range []string{"", "abc", "hello world, this is no capture", "\xd4\xc3\xb2\xa1short"} {
		if err := ReadCapture(context.Background(), strings.NewReader(s), ReadOptions{}, newRecord(t)); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}
