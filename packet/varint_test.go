package packet

import (
	"bytes"
	"errors"
	"testing"
)

func TestVarint(t *testing.T) {
	for _, c := range []struct {
		value uint32
		bytes string
	}{
		{0, "\x00"}, {1, "\x01"}, {127, "\x7f"}, {128, "\x80\x01"}, {16383, "\xff\x7f"}, {16384, "\x80\x80\x01"},
		{2097151, "\xff\xff\x7f"}, {2097152, "\x80\x80\x80\x01"}, {MaxRemainingLength, "\xff\xff\xff\x7f"},
	} {
		if b, err := AppendVarint([]byte("x"), c.value); string(b) != "x"+c.bytes || err != nil {
			t.Errorf("AppendVarint(%d) = %x, %v; want %x", c.value, b, err, c.bytes)
		}
		if v, n, err := Varint([]byte(c.bytes + "\xff")); v != c.value || n != len(c.bytes) || err != nil {
			t.Errorf("Varint(%x) = %d, %d, %v", c.bytes, v, n, err)
		}
		if n := VarintLen(c.value); n != len(c.bytes) {
			t.Errorf("VarintLen(%d) = %d", c.value, n)
		}
		for i := range len(c.bytes) {
			if _, _, err := Varint([]byte(c.bytes[:i])); err != ErrTruncated {
				t.Errorf("Varint(%x) = %v, want ErrTruncated", c.bytes[:i], err)
			}
		}
	}
	if b, err := AppendVarint([]byte("x"), MaxRemainingLength+1); !errors.Is(err, ErrTooLarge) || !bytes.Equal(b, []byte("x")) {
		t.Errorf("too large: %x, %v", b, err)
	}
	if VarintLen(MaxRemainingLength+1) != 5 {
		t.Error("VarintLen of what is too large")
	}
	for _, long := range []string{"\x80\x80\x80\x80", "\xff\xff\xff\xff\x01", "\x80\x80\x80\x80\x80\x80\x01"} {
		if _, _, err := Varint([]byte(long)); err != ErrMalformed {
			t.Errorf("Varint(%x) = %v, want ErrMalformed", long, err)
		}
	}
}
