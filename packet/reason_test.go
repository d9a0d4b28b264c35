package packet

import (
	"strconv"
	"strings"
	"testing"
)

// TestReasonCodes holds the table to annex 2 of the list of statements (tables 2-6 and 3-1 to 3-11 of 5.0).
func TestReasonCodes(t *testing.T) {
	both := map[Type]string{
		PUBACK: "00 80 83 87 90 91 97 99", PUBREC: "00 80 83 87 90 91 97 99", PUBREL: "00 92", PUBCOMP: "00 92",
		DISCONNECT: "00 80 81 82 83 90 93 94 95 96 97 98 99", AUTH: "18",
	}
	client := map[Type]string{DISCONNECT: "04", AUTH: "19"}
	server := map[Type]string{
		CONNACK: "00 80 81 82 83 84 85 86 87 88 89 8A 8C 90 95 97 99 9A 9B 9C 9D 9F", PUBACK: "10", PUBREC: "10",
		SUBACK: "00 01 02 80 83 87 8F 91 97 9E A1 A2", UNSUBACK: "00 11 80 83 87 8F 91",
		DISCONNECT: "87 89 8B 8D 8E 8F 9A 9B 9C 9D 9E 9F A0 A1 A2", AUTH: "00",
	}
	has := func(set string, c ReasonCode) bool {
		for _, word := range strings.Fields(set) {
			if n, _ := strconv.ParseUint(word, 16, 8); ReasonCode(n) == c {
				return true
			}
		}
		return false
	}
	for typ := range Type(17) {
		for i := range 256 {
			c := ReasonCode(i)
			fromClient, fromServer := has(both[typ]+" "+client[typ], c), has(both[typ]+" "+server[typ], c)
			if got := [...]bool{c.ValidFrom(typ, ClientToServer), c.ValidFrom(typ, ServerToClient), c.ValidIn(typ), c.ValidFrom(typ, DirUnknown)}; got != [...]bool{fromClient, fromServer, fromClient || fromServer, fromClient || fromServer} {
				t.Errorf("0x%02X in %v: %v", i, typ, got)
			}
		}
	}
}

func TestReasonCodeNames(t *testing.T) {
	known := 0
	words := map[string]bool{}
	for i := range 256 {
		c := ReasonCode(i)
		if c.String() == "" || words[c.String()] || c.In(SUBACK) == "" {
			t.Errorf("0x%02X is %q", i, c)
		}
		words[c.String()] = true
		if c.Known() {
			known++
		}
		if c.Failed() != (i >= 128) {
			t.Errorf("0x%02X failed: %v", i, c.Failed())
		}
	}
	if known != 43 {
		t.Errorf("%d codes, table 2-6 has 43 values", known)
	}
	for _, c := range []struct {
		code ReasonCode
		in   Type
		want string
	}{
		{0, PUBACK, "success"}, {0, SUBACK, "granted QoS 0"}, {0, DISCONNECT, "normal disconnection"}, {1, SUBACK, "granted QoS 1"},
		{0x87, CONNACK, "not authorized"}, {0x86, CONNACK, "bad user name or password"}, {0x8f, SUBACK, "topic filter invalid"},
		{0x9b, DISCONNECT, "QoS not supported"}, {0x7f, PUBACK, "reason code 0x7F"},
	} {
		if got := c.code.In(c.in); got != c.want {
			t.Errorf("0x%02X in %v is %q, want %q", byte(c.code), c.in, got, c.want)
		}
	}
}

func TestReturnCodeNames(t *testing.T) {
	words := map[string]bool{}
	for i := range 256 {
		s := ReturnCode(i).String()
		if s == "" || words[s] {
			t.Errorf("%d is %q", i, s)
		}
		words[s] = true
	}
	if got := ReturnCode(5).String(); got != "not authorized" {
		t.Errorf("5 is %q", got)
	}
}
