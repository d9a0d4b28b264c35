package packet

import (
	"encoding/binary"
	"fmt"
)

// writer appends one packet. It holds on to the first thing that does not fit; whether the result keeps the rules is
// asked of the strict decoder, so that encoding and decoding cannot disagree.
type writer struct {
	b     []byte
	start int // where the packet begins in b
	t     Type
	v     Version
	err   *Error
}

// newWriter begins a packet after b. The byte for the remaining length is patched by finish.
func newWriter(b []byte, v Version, t Type, flags byte) writer {
	return writer{b: append(b, byte(t)<<4|flags, 0), start: len(b), t: t, v: v}
}

// refuse reports that a field cannot be written. The first refusal counts.
func (w *writer) refuse(sentinel error, field, rule, format string, args ...any) {
	if w.err == nil {
		w.err = &Error{Type: w.t, Field: field, Offset: len(w.b) - w.start, Err: sentinel, Version: w.v, Rule: rule, Text: fmt.Sprintf(format, args...)}
	}
}

// qos refuses a quality of service that would spill into other bits.
func (w *writer) qos(field string, q QoS) byte {
	if !q.Valid() {
		w.refuse(ErrMalformed, field, "MQTT-3.3.1-4", "%d is not 0, 1 or 2", byte(q))
		return 0
	}
	return byte(q)
}

// only5 refuses, in the older versions, what they cannot express: it is never dropped silently.
func (w *writer) only5(field string, used bool) {
	if used && w.v != V5 {
		w.refuse(ErrProtocol, field, "", "exists in MQTT 5.0 only, not in %v", w.v)
	}
}

func (w *writer) u8(c byte)    { w.b = append(w.b, c) }
func (w *writer) u16(n uint16) { w.b = binary.BigEndian.AppendUint16(w.b, n) }

// str writes a string with its two-byte length.
func (w *writer) str(field, s string) { w.b = appendPrefixed(w, field, s) }

// bin writes binary data with its two-byte length.
func (w *writer) bin(field string, s []byte) { w.b = appendPrefixed(w, field, s) }

func appendPrefixed[T ~string | ~[]byte](w *writer, field string, s T) []byte {
	if len(s) > MaxStringLen {
		w.refuse(ErrTooLarge, field, "", "%d bytes, the limit is %d", len(s), MaxStringLen)
		return w.b
	}
	return append(binary.BigEndian.AppendUint16(w.b, uint16(len(s))), s...)
}

// properties writes the property length and the properties, which exist in 5.0 only.
func (w *writer) properties(p Properties) {
	w.only5("Properties", len(p) > 0)
	if w.v != V5 {
		return
	}
	if len(p) > MaxRemainingLength {
		w.refuse(ErrTooLarge, "Property Length", "", "%d bytes, the limit is %d", len(p), MaxRemainingLength)
		return
	}
	w.b = append(appendVarint(w.b, uint32(len(p))), p...)
}

// patch writes the remaining length before what has been appended, counting more bytes that are still to come.
func (w *writer) patch(more int) {
	body := len(w.b) - w.start - 2
	if w.v < V31 || w.v > V5 {
		w.refuse(ErrProtocol, "Protocol Version", "", "%v is not known", w.v)
	}
	if n := body + more; n > MaxRemainingLength {
		w.refuse(ErrTooLarge, "Remaining Length", "", "%d bytes, the limit is %d", n, MaxRemainingLength)
	}
	if w.err != nil {
		return
	}
	n := uint32(body + more)
	if extra := VarintLen(n) - 1; extra > 0 {
		var room [3]byte
		w.b = append(w.b, room[:extra]...)
		copy(w.b[w.start+2+extra:], w.b[w.start+2:])
	}
	appendVarint(w.b[:w.start+1], n)
}

// packet returns what has been appended, for the strict decoder to judge; nil when something did not fit.
func (w *writer) packet() []byte {
	if w.err != nil {
		return nil
	}
	return w.b[w.start:]
}

// result returns the bytes unless something did not fit or the strict decoder, whose verdict is err, refuses them.
func (w *writer) result(err error) ([]byte, error) {
	if w.err != nil {
		return w.b[:w.start], w.err
	}
	if err != nil {
		return w.b[:w.start], err
	}
	return w.b, nil
}

// finish ends a packet that is not worth sparing an allocation.
func (w *writer) finish() ([]byte, error) {
	w.patch(0)
	_, _, err := Decode(w.packet(), w.v)
	return w.result(err)
}
