package packet

import (
	"errors"
	"testing"
)

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Header
		err  error
	}{
		{"", Header{}, ErrTruncated},
		{"\x30", Header{Type: PUBLISH, Size: 1}, ErrTruncated},
		{"\x3d\x80", Header{Type: PUBLISH, Flags: 13, Size: 2}, ErrTruncated},
		{"\x3d\x80\x01", Header{Type: PUBLISH, Flags: 13, Remaining: 128, Size: 3}, nil},
		{"\xf0\xff\xff\xff\x7f", Header{Type: AUTH, Remaining: MaxRemainingLength, Size: 5}, nil},
		{"\x00\x00", Header{Size: 2}, nil},
		{"\x30\xff\xff\xff\xff\x01", Header{Type: PUBLISH, Size: 5}, ErrMalformed},
	} {
		h, err := ParseHeader([]byte(c.in))
		h.Remaining &= MaxRemainingLength
		if c.err == ErrMalformed {
			h.Remaining = 0
		}
		if h != c.want || !errors.Is(err, c.err) {
			t.Errorf("ParseHeader(%x) = %+v, %v; want %+v, %v", c.in, h, err, c.want, c.err)
		}
	}
}

// TestErrorText pins how an error reads.
func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		in   string
		v    Version
		want string
	}{
		{"\x38\x03\x00\x01a", V311, "PUBLISH: DUP at byte 0: DUP is 0 at QoS 0 [MQTT-3.3.1-2]"},
		{"\x30\x05\x00\x03a/#", V311, "PUBLISH: Topic Name at byte 4: a topic name has no wildcards [MQTT-3.3.2-2]"},
		{"\x30\x04\x00\x14ab", V5, "PUBLISH: Topic Name at byte 2: a field must not reach past the end of the packet [§2.1.4]"},
		{"", V5, "Remaining Length at byte 0: the bytes end before the packet does [§2.1.4]"},
		{"\x40\x02\x00\x00", V31, "PUBACK: Packet Identifier at byte 2: an acknowledgement carries the packet identifier it answers, which is never 0"},
		{"\x40\x02\x00\x01", 9, "PUBACK: Control Packet Type at byte 0: the protocol version is not known"},
	} {
		_, _, err := Decode([]byte(c.in), c.v)
		if err == nil || err.Error() != c.want {
			t.Errorf("%x: %v\nwant %s", c.in, err, c.want)
		}
	}
}
