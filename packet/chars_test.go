package packet

import (
	"bytes"
	"testing"
)

// TestChars puts every byte value in every place of strings about two words long and asks for what a plain loop says.
func TestChars(t *testing.T) {
	for n := range 18 {
		for at := range n {
			for c := range 256 {
				for _, fill := range []byte{'a', 0x20, 0x7e, 0x80, 0xff, 0x00, 0x7f, '+', '*', '#', '$'} {
					s := bytes.Repeat([]byte{fill}, n)
					s[at] = byte(c)
					if got, want := printable(s), !bytes.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f }); got != want {
						t.Fatalf("printable(%q) = %v", s, got)
					}
					if got, want := wildcard(s), bytes.ContainsAny(s, "+#"); got != want {
						t.Fatalf("wildcard(%q) = %v", s, got)
					}
				}
			}
		}
	}
}
