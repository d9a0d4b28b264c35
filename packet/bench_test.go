package packet

import (
	"bytes"
	"strings"
	"testing"
)

// fast lists what must not allocate. The benchmark and the allocation test run the same bodies.
var fast = func() map[string]func() {
	publish := func(first byte, v Version, props Properties) []byte {
		p := Publish{QoS: QoS(first >> 1 & 3), Topic: []byte("sensors/building-7/room-12/temp"), Properties: props, Payload: bytes.Repeat([]byte("x"), 64)}
		if p.QoS > 0 {
			p.PacketID = 7
		}
		b, err := p.Append(nil, v)
		if err != nil {
			panic(err)
		}
		return b
	}
	var pb PropertyBuilder
	props, err := pb.Uint(PropTopicAlias, 5).Text(PropContentType, "text/plain").User("key", "value").Uint(PropSubscriptionIdentifier, 300).Properties()
	if err != nil {
		panic(err)
	}
	var p Publish
	var out []byte
	q0, q1, q5 := publish(0x30, V311, nil), publish(0x32, V5, nil), publish(0x32, V5, props)
	message := Message{Topic: strings.Repeat("topic/", 8), Payload: bytes.Repeat([]byte("x"), 64), QoS: 1, PacketID: 9}
	puback, puback5 := []byte{0x40, 2, 0, 1}, []byte{0x40, 3, 0, 1, 0x10}
	pubrec, pubrel, pubcomp := []byte{0x50, 2, 0, 1}, []byte{0x62, 2, 0, 1}, []byte{0x70, 2, 0, 1}
	var ack Puback
	var rec Pubrec
	var rel Pubrel
	var comp Pubcomp
	must := func(n int, err error) {
		if err != nil || n == 0 {
			panic(err)
		}
	}
	appended := func(b []byte, err error) {
		if err != nil {
			panic(err)
		}
		out = b
	}
	clean := func(found []Finding) {
		if found != nil {
			panic(found)
		}
	}
	var framer Framer
	stream := bytes.Repeat(q0, 100)
	return map[string]func(){
		"decode/publish-q0-3.1.1":     func() { must(p.Decode(q0, V311)) },
		"decode/publish-q1-5.0":       func() { must(p.Decode(q1, V5)) },
		"decode/publish-q1-5.0-props": func() { must(p.Decode(q5, V5)) },
		"decode/puback-3.1.1":         func() { must(ack.Decode(puback, V311)) },
		"decode/puback-5.0":           func() { must(ack.Decode(puback5, V5)) },
		"decode/pubrec":               func() { must(rec.Decode(pubrec, V5)) },
		"decode/pubrel":               func() { must(rel.Decode(pubrel, V5)) },
		"decode/pubcomp":              func() { must(comp.Decode(pubcomp, V5)) },
		"lint/publish-q1-5.0-props":   func() { clean(Lint(q5, V5, ServerToClient)) },
		"lint/publish-q0-3.1.1":       func() { clean(Lint(q0, V311, ServerToClient)) },
		"lint/puback":                 func() { clean(Lint(puback, V311, ServerToClient)) },
		"append/publish-q1-5.0-props": func() { must(p.Decode(q5, V5)); appended(p.Append(out[:0], V5)) },
		"append/message-q1-3.1.1":     func() { appended(message.Append(out[:0], V311)) },
		"append/puback":               func() { appended((&Puback{PacketID: 1}).Append(out[:0], V311)) },
		"append/pubrel":               func() { appended((&Pubrel{PacketID: 1}).Append(out[:0], V5)) },
		"append/pingreq":              func() { appended((&Pingreq{}).Append(out[:0], V5)) },
		"framer/100-packets": func() {
			framer.Feed(stream)
			for range 100 {
				if _, err := framer.Next(); err != nil {
					panic(err)
				}
			}
		},
		"properties/all": func() {
			n := 0
			for f := range props.All() {
				n += int(f.ID)
			}
			if alias, ok := props.Uint(PropTopicAlias); n == 0 || alias != 5 || !ok {
				panic("properties lost")
			}
		},
	}
}()

func TestAllocs(t *testing.T) {
	for name, body := range fast {
		if n := testing.AllocsPerRun(100, body); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	for name, body := range fast {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				body()
			}
		})
	}
}

// BenchmarkSlow measures what may allocate.
func BenchmarkSlow(b *testing.B) {
	publish := []byte("\x30\x0d\x00\x05topicpayload")[:15]
	publish[1] = 13
	connect, err := (&Connect{CleanStart: true, KeepAlive: 60, ClientID: "client-1"}).Append(nil, V5)
	if err != nil {
		b.Fatal(err)
	}
	for name, body := range map[string]func(){
		"decode/publish":   func() { Decode(publish, V311) },
		"annotate/publish": func() { Annotate(publish, V311, ClientToServer) },
		"decode/connect":   func() { Decode(connect, V5) },
		"annotate/connect": func() { Annotate(connect, V5, ClientToServer) },
		"append/connect":   func() { (&Connect{CleanStart: true, KeepAlive: 60, ClientID: "client-1"}).Append(nil, V5) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				body()
			}
		})
	}
}
