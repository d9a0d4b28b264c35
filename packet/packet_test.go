package packet

import "testing"

// TestNames asks that every value of every small type has a name of its own.
func TestNames(t *testing.T) {
	for name, of := range map[string]func(byte) string{
		"Type":    func(b byte) string { return Type(b).String() },
		"QoS":     func(b byte) string { return QoS(b).String() },
		"Version": func(b byte) string { return Version(b).String() },
	} {
		seen := map[string]int{}
		for i := range 256 {
			s := of(byte(i))
			if other, twice := seen[s]; s == "" || twice {
				t.Errorf("%s %d is %q, and so is %d", name, i, s, other)
			}
			seen[s] = i
		}
	}
	for _, c := range []struct{ got, want string }{
		{CONNECT.String(), "CONNECT"}, {AUTH.String(), "AUTH"}, {Type(0).String(), "Type(0)"}, {Type(16).String(), "Type(16)"},
		{ExactlyOnce.String(), "2"}, {QoS(3).String(), "QoS(3)"}, {V31.String(), "3.1"}, {V311.String(), "3.1.1"}, {V5.String(), "5.0"},
		{Version(0x84).String(), "Version(132)"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	for i := range 256 {
		if QoS(i).Valid() != (i < 3) {
			t.Errorf("QoS %d valid: %v", i, QoS(i).Valid())
		}
	}
}
