package flow

import (
	"fmt"
	"testing"
	"time"

	"mq/packet"
)

// busy plays rounds of an established conversation. Each body is one round of so many packets.
type busy struct {
	t   *Tracker
	now time.Time
	off int64
}

func (b *busy) send(conn ConnID, d packet.Direction, raw []byte) {
	b.now = b.now.Add(time.Microsecond)
	b.t.Packet(conn, d, b.now, b.off, raw)
	b.off += int64(len(raw))
}

func newBusy(tb testing.TB, v packet.Version) *busy {
	tb.Helper()
	bad := 0
	b := &busy{now: time.Unix(1_800_000_000, 0)}
	b.t = NewTracker(Options{}, func(e Event) {
		if d, ok := e.(*Diagnostic); ok {
			if bad++; bad < 4 {
				tb.Errorf("%+v", *d)
			}
		}
	})
	for id := ConnID(1); id <= 2; id++ {
		b.t.Open(id, started, b.now)
		b.send(id, packet.ClientToServer, encode(tb, &packet.Connect{CleanStart: true, ClientID: fmt.Sprint("c", id)}, v))
		b.send(id, packet.ServerToClient, encode(tb, &packet.Connack{}, v))
	}
	b.send(2, packet.ClientToServer, encode(tb, &packet.Subscribe{PacketID: 1, Subscriptions: []packet.Subscription{{Filter: "sensors/#", QoS: 2}}}, v))
	b.send(2, packet.ServerToClient, encode(tb, &packet.Suback{PacketID: 1, Codes: []packet.ReasonCode{2}}, v))
	return b
}

func encode(tb testing.TB, p packet.Packet, v packet.Version) []byte {
	b, err := p.Append(nil, v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

type round struct {
	name    string
	packets int
	body    func()
}

// rounds are the hot paths. The benchmark and the allocation test run the same bodies.
func rounds(tb testing.TB) []round {
	topic, payload := []byte("sensors/building-7/room-12/temp"), make([]byte, 64)
	publish := func(q packet.QoS, v packet.Version, payload []byte) []byte {
		p := &packet.Publish{Topic: topic, QoS: q, Payload: payload}
		if q > 0 {
			p.PacketID = 1
		}
		return encode(tb, p, v)
	}
	id := func(raw []byte, at int, n uint16) []byte {
		raw[at], raw[at+1] = byte(n>>8), byte(n)
		return raw
	}
	at := 2 + 2 + len(topic)
	up, down := packet.ClientToServer, packet.ServerToClient
	q0, q1, q2 := publish(0, packet.V311, payload), publish(1, packet.V311, payload), publish(2, packet.V311, payload)
	q05, q15 := publish(0, packet.V5, payload), publish(1, packet.V5, payload)
	var pb packet.PropertyBuilder
	in, _ := pb.Text(packet.PropContentType, "text/plain").User("key", "value").Properties()
	rich := encode(tb, &packet.Publish{Topic: topic, Properties: in, Payload: payload}, packet.V5)
	propped := newBusy(tb, packet.V5)
	four, five := newBusy(tb, packet.V311), newBusy(tb, packet.V5)
	through, mid := newBusy(tb, packet.V311), newBusy(tb, packet.V311)
	mid.t.Open(9, Meta{}, mid.now)
	puback, pubrec, pubrel, pubcomp := []byte{0x40, 2, 0, 0}, []byte{0x50, 2, 0, 0}, []byte{0x62, 2, 0, 0}, []byte{0x70, 2, 0, 0}
	n := uint16(0)
	next := func() uint16 {
		if n++; n == 0 {
			n = 1
		}
		return n
	}
	count := uint64(0)
	fresh := func(raw []byte) []byte { // payloads differ, as real ones do
		count++
		for i := range 8 {
			raw[len(raw)-1-i] = byte(count >> (8 * i))
		}
		return raw
	}
	return []round{
		{"publish-q0-3.1.1", 1, func() { four.send(1, up, fresh(q0)) }},
		{"publish-q0-5.0", 1, func() { five.send(1, up, fresh(q05)) }},
		{"publish-q0-inferred", 1, func() { mid.send(9, up, fresh(q0)) }},
		{"publish-q0-and-delivery", 2, func() { through.send(1, up, fresh(q0)); through.send(2, down, q0) }},
		{"publish-q0-and-delivery-5.0-props", 2, func() { propped.send(1, up, fresh(rich)); propped.send(2, down, rich) }},
		{"publish-q1-and-puback-3.1.1", 2, func() {
			k := next()
			four.send(1, up, id(fresh(q1), at, k))
			four.send(1, down, id(puback, 2, k))
		}},
		{"publish-q1-and-puback-5.0", 2, func() {
			k := next()
			five.send(1, up, id(fresh(q15), at, k))
			five.send(1, down, id(puback, 2, k))
		}},
		{"publish-q2-to-pubcomp", 4, func() {
			k := next()
			four.send(1, up, id(fresh(q2), at, k))
			four.send(1, down, id(pubrec, 2, k))
			four.send(1, up, id(pubrel, 2, k))
			four.send(1, down, id(pubcomp, 2, k))
		}},
	}
}

func TestAllocs(t *testing.T) {
	for _, r := range rounds(t) {
		for range 30_000 / r.packets {
			r.body() // until every table has its size
		}
		if n := testing.AllocsPerRun(5_000, r.body); n != 0 {
			t.Errorf("%s allocates %v times", r.name, n)
		}
	}
}

func BenchmarkTracker(b *testing.B) {
	for _, r := range rounds(b) {
		b.Run(r.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.body()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*r.packets), "ns/packet")
		})
	}
}

// BenchmarkManyTopics measures topics that are seen once and many connections.
func BenchmarkManyTopics(b *testing.B) {
	w := newBusy(b, packet.V311)
	raw := encode(b, &packet.Publish{Topic: []byte("sensors/00000000/temp"), Payload: make([]byte, 64)}, packet.V311)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		for i := range 8 {
			raw[2+2+8+i] = 'a' + byte(n>>(4*i)&15)
		}
		w.send(1, packet.ClientToServer, raw)
	}
}
