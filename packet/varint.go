package packet

import "fmt"

// MaxRemainingLength is the greatest value of a variable byte integer, and so of a remaining length and of a
// subscription identifier: 268,435,455 (section 1.5.5 of 5.0, 2.2.3 of 3.1.1).
const MaxRemainingLength = 268_435_455

// Varint reads the variable byte integer at the start of b and returns its value and length, 1 to 4 bytes. The error is
// ErrTruncated when b ends inside it and ErrMalformed when it is longer than four bytes. A longer spelling than needed
// is accepted; VarintLen tells.
func Varint(b []byte) (value uint32, n int, err error) {
	// The test comes before the fifth byte is counted: the decoder printed in 3.1.1 section 2.2.3 multiplies first and
	// would refuse every four-byte length.
	for n < 4 {
		if n >= len(b) {
			return 0, n, ErrTruncated
		}
		c := b[n]
		value |= uint32(c&0x7f) << (7 * n)
		n++
		if c < 0x80 {
			return value, n, nil
		}
	}
	return 0, n, ErrMalformed
}

// VarintLen returns the least number of bytes, 1 to 4, that the variable byte integer v takes; 5 means it is too large.
func VarintLen(v uint32) int {
	switch {
	case v < 1<<7:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<21:
		return 3
	case v <= MaxRemainingLength:
		return 4
	}
	return 5
}

// AppendVarint appends v as a variable byte integer in the fewest bytes [MQTT-1.5.5-1]. The error wraps ErrTooLarge when
// v is greater than MaxRemainingLength; b is then returned as it was.
func AppendVarint(b []byte, v uint32) ([]byte, error) {
	if v > MaxRemainingLength {
		return b, fmt.Errorf("variable byte integer %d, the limit is %d: %w", v, MaxRemainingLength, ErrTooLarge)
	}
	return appendVarint(b, v), nil
}

func appendVarint(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}
