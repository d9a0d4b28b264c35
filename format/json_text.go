package format

import (
	"encoding/json"
	"unicode/utf8"
)

// maxEmbedDepth is how deeply nested JSON may be to be embedded: mosquitto's limit (cJSON's), and one that readers cope
// with. Deeper payloads are treated as text.
const maxEmbedDepth = 1000

// embeddable reports whether valid UTF-8 text is a JSON value that can be part of another.
func embeddable(v []byte) bool {
	return json.Valid(v) && depth(v) <= maxEmbedDepth
}

// depth returns how deeply the valid JSON v is nested.
func depth(v []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

// appendCompact appends the valid JSON v without white space between its parts and with hostile characters escaped. It
// copies everything else, where decoding and encoding would round numbers and drop duplicate keys.
func appendCompact(dst, v []byte) []byte {
	quoted := false
	for i := 0; i < len(v); {
		c := v[i]
		switch {
		case !quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			i++
			continue
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			dst = append(dst, c, v[i+1])
			i += 2
			continue
		case c == 0x7f || c >= utf8.RuneSelf:
			size := 1
			dst, size = appendJSONRune(dst, v, i)
			i += size
			continue
		}
		dst = append(dst, c)
		i++
	}
	return dst
}

// appendJSONString appends s as a JSON string. What is not UTF-8 in it becomes U+FFFD: callers check first.
func appendJSONString[T text](dst []byte, s T) []byte {
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[done:i]...)
		size := 1
		if c < 0x7f {
			dst = appendJSONEscape(dst, c)
		} else {
			dst, size = appendJSONRune(dst, s, i)
		}
		i += size
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendJSONRune appends the rune at s[i], escaped if it is hostile, and returns its size in s.
func appendJSONRune[T text](dst []byte, s T, i int) ([]byte, int) {
	r, size := decodeRune(s, i)
	switch {
	case r == utf8.RuneError && size <= 1:
		return append(dst, `\ufffd`...), 1
	case r != 0x7f && !hostile(r):
		return append(dst, s[i:i+size]...), size
	case r > 0xffff: // a surrogate pair
		r -= 0x10000
		return appendUnit(appendUnit(dst, 0xd800+r>>10), 0xdc00+r&0x3ff), size
	}
	return appendUnit(dst, r), size
}

func appendJSONEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return appendUnit(dst, rune(c))
}

func appendUnit(dst []byte, u rune) []byte {
	return append(dst, '\\', 'u', lowerHex[u>>12&15], lowerHex[u>>8&15], lowerHex[u>>4&15], lowerHex[u&15])
}
