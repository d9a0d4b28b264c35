package packet

import (
	"errors"
	"testing"
)

func TestSniffVersion(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Version
		err  error
	}{
		{"\x10\x0c\x00\x04MQTT\x04", V311, nil},
		{"\x10\x0c\x00\x04MQTT\x05\x02\x00", V5, nil},
		{"\x10\x80\x01\x00\x06MQIsdp\x03", V31, nil},
		{"\x10\x80\x80\x80\x01\x00\x06MQIsdp\x03", V31, nil},
		{"\x10\x0c\x00\x04MQTT\x84", V311, nil},
		{"\x10\x0c\x00\x06MQIsdp\x83", V31, nil},
		{"\x10\x0c\x00\x04MQTT\x85", 0x85, ErrProtocol},
		{"\x10\x0c\x00\x04MQTT\x06", 6, ErrProtocol},
		{"\x10\x0c\x00\x04MQTT\x03", 3, ErrProtocol},
		{"\x10\x0c\x00\x06MQIsdp\x04", 4, ErrProtocol},
		{"\x10\x0c\x00\x04mqtt\x04", 0, ErrMalformed},
		{"\x10\x0c\x00\x40MQTT\x04", 0, ErrMalformed},
		{"\x30\x0c\x00\x04MQTT\x04", 0, ErrMalformed},
		{"GET / HTTP/1.1\r\n", 0, ErrMalformed},
		{"\x16\x03\x01\x02\x00\x01", 0, ErrMalformed},
		{"\x10\xff\xff\xff\xff\x01", 0, ErrMalformed},
	} {
		if v, err := SniffVersion([]byte(c.in)); v != c.want || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("SniffVersion(%q) = %v, %v; want %v, %v", c.in, v, err, c.want, c.err)
		}
		if c.err != nil {
			continue
		}
		for i := range 9 {
			if _, err := SniffVersion([]byte(c.in)[:i]); err != ErrTruncated {
				t.Errorf("the first %d bytes of %q: %v, want ErrTruncated", i, c.in, err)
			}
		}
	}
	// What Decode says of a CONNECT, SniffVersion says too.
	n := 0
	for _, v := range loadVectors(t) {
		if p, _, err := Decode(v.bytes, v.version); err == nil && p.Type() == CONNECT {
			if got, err := SniffVersion(v.bytes); got != p.(*Connect).Version || err != nil {
				t.Errorf("%s: %v, %v", v.name, got, err)
			}
			n++
		}
	}
	if n == 0 {
		t.Error("no CONNECT among the vectors")
	}
}
