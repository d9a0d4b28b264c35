package packet

import (
	"errors"
	"fmt"
)

// The sentinels that every error of this package wraps; test for them with errors.Is.
var (
	// ErrTruncated means that the bytes end before the packet does: more are needed, nothing is wrong yet.
	ErrTruncated = errors.New("packet incomplete")
	// ErrMalformed means that the bytes cannot be parsed by the specification (section 1.2 of 5.0, "Malformed Packet").
	ErrMalformed = errors.New("malformed packet")
	// ErrTooLarge means that a value does not fit the wire format or the limit that was set.
	ErrTooLarge = errors.New("too large")
	// ErrProtocol means that the bytes parse but say what the protocol forbids (section 1.2 of 5.0, "Protocol Error").
	ErrProtocol = errors.New("protocol error")
)

// Error says which field of which packet is wrong, where, and by which rule. Decode and Append return it as *Error.
type Error struct {
	// Type is the packet's type, 0 when the first byte could not be read.
	Type Type
	// Field is the specification's name of the field.
	Field string
	// Offset is the field's position in bytes, counted from the first byte of the packet.
	Offset int
	// Err is one of the sentinels of this package.
	Err error
	// Version is the protocol version whose rules were applied.
	Version Version
	// Rule is the normative statement ("MQTT-3.3.1-2") or section ("§2.2.3") of that version, "" when it has none.
	Rule string
	// Text is the rule in one sentence.
	Text string
	// Code is the reason code a 5.0 receiver should answer, 0 when there is none.
	Code ReasonCode
}

// Error gives the packet, the field, its offset and the rule in one line.
func (e *Error) Error() string {
	s := fmt.Sprintf("%v: %s at byte %d: %s", e.Type, e.Field, e.Offset, e.Text)
	if e.Type == 0 {
		s = fmt.Sprintf("%s at byte %d: %s", e.Field, e.Offset, e.Text)
	}
	if e.Rule != "" {
		s += " [" + e.Rule + "]"
	}
	return s
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }
