package packet

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestPublish(t *testing.T) {
	roundTrip(t, V311, &Publish{Topic: []byte("a/b"), Payload: []byte("x")}, "30 06 0003 612f62 78")
	roundTrip(t, V31, &Publish{Dup: true, QoS: 2, Retain: true, Topic: []byte("t"), PacketID: 0x1234, Payload: []byte{}}, "3d 05 0001 74 1234")
	roundTrip(t, V5, &Publish{QoS: 1, Topic: []byte("t"), PacketID: 1, Properties: Properties{0x23, 0, 1}, Payload: []byte("x")}, "32 0a 0001 74 0001 03 230001 78")
	roundTrip(t, V5, &Publish{Topic: []byte{}, Properties: Properties{0x23, 0, 1}, Payload: []byte{}}, "30 06 0000 03 230001")
}

func TestPublishRefuses(t *testing.T) {
	topic := []byte("t")
	long := bytes.Repeat([]byte("t"), MaxStringLen+1)
	refuses(t, V311, &Publish{Topic: long}, ErrTooLarge, "Topic Name")
	refuses(t, V311, &Publish{}, ErrProtocol, "Topic Name")
	refuses(t, V5, &Publish{}, ErrProtocol, "Topic Name")
	refuses(t, V5, &Publish{Topic: []byte("a/+")}, ErrMalformed, "Topic Name") // [MQTT-3.3.2-2]
	refuses(t, V5, &Publish{Topic: []byte("a\xff")}, ErrMalformed, "Topic Name")
	refuses(t, V5, &Publish{Topic: []byte("a\x00")}, ErrMalformed, "Topic Name")
	refuses(t, V5, &Publish{Topic: topic, QoS: 3, PacketID: 1}, ErrMalformed, "QoS") // [MQTT-3.3.1-4]
	refuses(t, V5, &Publish{Topic: topic, QoS: 4, PacketID: 1}, ErrMalformed, "QoS")
	refuses(t, V311, &Publish{Topic: topic, Dup: true}, ErrMalformed, "DUP") // [MQTT-3.3.1-2]
	refuses(t, V311, &Publish{Topic: topic, QoS: 1}, ErrProtocol, "Packet Identifier")
	refuses(t, V311, &Publish{Topic: topic, PacketID: 1}, ErrProtocol, "Packet Identifier")
	refuses(t, V311, &Publish{Topic: topic, Properties: Properties{0x23, 0, 1}}, ErrProtocol, "Properties")
	refuses(t, V5, &Publish{Topic: topic, Properties: Properties{0x23, 0, 0}}, ErrProtocol, "Topic Alias") // [MQTT-3.3.2-8]
	refuses(t, V5, &Publish{Topic: topic, Properties: Properties{0x23, 0}}, ErrMalformed, "Topic Alias")
	refuses(t, V311, &Publish{Topic: topic, Payload: make([]byte, MaxRemainingLength-2)}, ErrTooLarge, "Remaining Length")
}

func TestMessageAppend(t *testing.T) {
	m := Message{Topic: "a/b", Payload: []byte("x"), QoS: 1, Retain: true, Dup: true, PacketID: 7}
	p := Publish{Topic: []byte("a/b"), Payload: []byte("x"), QoS: 1, Retain: true, Dup: true, PacketID: 7}
	got, err := m.Append(nil, V311)
	want, err2 := p.Append(nil, V311)
	if err != nil || err2 != nil || !bytes.Equal(got, want) {
		t.Fatalf("% x, %v; want % x, %v", got, err, want, err2)
	}
	if back := p.Message(); !reflect.DeepEqual(back, m) {
		t.Errorf("Message = %+v, want %+v", back, m)
	}
	m.Topic = strings.Repeat("t", MaxStringLen+1)
	if _, err := m.Append(nil, V311); err == nil {
		t.Error("a topic of 65,536 bytes was accepted")
	}
}

// TestPublishAliases asks that what is decoded shares the input's memory, and that a Message does not.
func TestPublishAliases(t *testing.T) {
	b := []byte("\x30\x06\x00\x03a/bx")
	var p Publish
	if _, err := p.Decode(b, V311); err != nil {
		t.Fatal(err)
	}
	m := p.Message()
	b[4], b[7] = 'X', 'Y'
	if string(p.Topic) != "X/b" || string(p.Payload) != "Y" || m.Topic != "a/b" || string(m.Payload) != "x" {
		t.Errorf("%q %q, message %+v", p.Topic, p.Payload, m)
	}
	if p.Payload = append(p.Payload, '!'); len(b) != 8 || cap(p.Topic) != 3 {
		t.Error("appending to a field may overwrite the input")
	}
}
