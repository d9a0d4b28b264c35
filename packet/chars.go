package packet

import (
	"encoding/binary"
	"unicode/utf8"
)

// Topics are looked at eight bytes at a time: half the cost of decoding a PUBLISH was here, in four passes over its topic
// (BenchmarkCodec).

// each returns c in every byte of a word.
func each(c byte) uint64 { return uint64(c) * 0x0101010101010101 }

// below reports whether a byte of x is less than c. It is exact for words without bytes over 0x7f.
func below(x uint64, c byte) bool { return (x-each(c)) & ^x & each(0x80) != 0 }

// equal reports whether a byte of x is c.
func equal(x uint64, c byte) bool { return below(x^each(c), 1) }

// printable reports whether s holds printable ASCII only, which keeps every rule about characters.
func printable(s []byte) bool {
	for ; len(s) >= 8; s = s[8:] {
		x := binary.LittleEndian.Uint64(s)
		if x&each(0x80) != 0 || below(x, 0x20) || equal(x, 0x7f) {
			return false
		}
	}
	for _, c := range s {
		if c < 0x20 || c >= 0x7f {
			return false
		}
	}
	return true
}

// wildcard reports whether a topic name holds "+" or "#".
func wildcard(s []byte) bool {
	for ; len(s) >= 8; s = s[8:] {
		if x := binary.LittleEndian.Uint64(s); equal(x, '+') || equal(x, '#') {
			return true
		}
	}
	for _, c := range s {
		if c == '+' || c == '#' {
			return true
		}
	}
	return false
}

// discouraged returns the place of the first control character or non-character of s, other than U+0000 (section 1.5.4).
func discouraged(s []byte) (start, end int) {
	for i := 0; i < len(s); {
		if s[i] >= 0x20 && s[i] < 0x7f {
			i++
			continue
		}
		c, n := utf8.DecodeRune(s[i:])
		switch {
		case c == utf8.RuneError || c == 0:
		case c < 0x20, c >= 0x7f && c < 0xa0, c >= 0xfdd0 && c <= 0xfdef, c&0xfffe == 0xfffe:
			return i, i + n
		}
		i += n
	}
	return 0, 0
}
