package format

import (
	"unicode"
	"unicode/utf8"
)

// text is what a field of a message is made of.
type text interface{ ~string | ~[]byte }

const (
	lowerHex = "0123456789abcdef"
	upperHex = "0123456789ABCDEF"
)

// AppendSafe appends b to dst in a form that cannot drive a terminal, spoof its text or be mistaken for something else,
// on one line. Printable UTF-8 stays as it is. Escaped are:
//
//   - C0 controls, DEL and every byte that is not UTF-8, as \x1b;
//   - C1 controls, line and paragraph separators, and every format character (bidirectional controls, zero-width
//     characters, soft hyphens, U+FEFF) and noncharacter, as \u202e or \U000e0041;
//   - a backslash, as \\, but only where it would otherwise begin one of these escapes, that is before x, u, U, another
//     backslash or an escape. So JSON such as {"a":"\"x\"\n"} reads as it was sent, and still no two inputs give the
//     same output.
func AppendSafe(dst, b []byte) []byte { return appendSafe(dst, b, false) }

// AppendSafeLines is AppendSafe for text that may span lines: line feeds and tabs stay. A carriage return does not.
func AppendSafeLines(dst, b []byte) []byte { return appendSafe(dst, b, true) }

func appendSafe[T text](dst []byte, s T, lines bool) []byte {
	done := 0 // s[:done] is in dst
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '\\' || lines && (c == '\n' || c == '\t') {
			i++
			continue
		}
		size := unsafeSize(s, i, lines)
		if size == 0 { // harmless, but longer than a byte or a backslash
			i += runeSize(s, i)
			continue
		}
		dst = append(dst, s[done:i]...)
		dst = appendEscape(dst, s, i, size)
		i += size
		done = i
	}
	return append(dst, s[done:]...)
}

// unsafeSize returns how many bytes at s[i] have to be escaped together, and 0 if s[i] begins something harmless.
func unsafeSize[T text](s T, i int, lines bool) int {
	c := s[i]
	switch {
	case c == '\\':
		if i+1 == len(s) {
			return 0
		}
		n := s[i+1]
		if n == 'x' || n == 'u' || n == 'U' || n == '\\' {
			return 1
		}
		if n >= 0x20 && n < 0x7f || lines && (n == '\n' || n == '\t') {
			return 0
		}
		if unsafeSize(s, i+1, lines) > 0 {
			return 1
		}
		return 0
	case c < 0x20 || c == 0x7f:
		if lines && (c == '\n' || c == '\t') {
			return 0
		}
		return 1
	case c < utf8.RuneSelf:
		return 0
	}
	r, size := decodeRune(s, i)
	if r == utf8.RuneError && size <= 1 {
		return 1
	}
	if hostile(r) {
		return size
	}
	return 0
}

// hostile reports whether a rune beyond ASCII changes how the text around it looks, or cannot be seen at all.
func hostile(r rune) bool {
	switch {
	case r < 0xa0: // C1
		return true
	case r < 0xad: // the rest of the common part of Latin-1, quickly
		return false
	case r == 0x2028 || r == 0x2029:
		return true
	case r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef: // noncharacters
		return true
	case r == 0x115f || r == 0x1160 || r == 0x3164 || r == 0xffa0: // Hangul fillers: letters that show nothing
		return true
	case r >= 0xe0000 && r <= 0xe0fff: // tags and supplementary variation selectors, and what is reserved among them
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

func appendEscape[T text](dst []byte, s T, i, size int) []byte {
	c := s[i]
	if c == '\\' {
		return append(dst, '\\', '\\')
	}
	if size == 1 {
		return append(dst, '\\', 'x', lowerHex[c>>4], lowerHex[c&15])
	}
	r, _ := decodeRune(s, i)
	if r > 0xffff {
		dst = append(dst, '\\', 'U', '0', '0')
		dst = append(dst, lowerHex[r>>20&15], lowerHex[r>>16&15])
	} else {
		dst = append(dst, '\\', 'u')
	}
	return append(dst, lowerHex[r>>12&15], lowerHex[r>>8&15], lowerHex[r>>4&15], lowerHex[r&15])
}

func runeSize[T text](s T, i int) int {
	if s[i] < utf8.RuneSelf {
		return 1
	}
	_, size := decodeRune(s, i)
	return size
}

// decodeRune decodes the rune at s[i] without converting s, which would allocate.
func decodeRune[T text](s T, i int) (rune, int) {
	var b [utf8.UTFMax]byte
	n := copy(b[:], s[i:])
	return utf8.DecodeRune(b[:n])
}
