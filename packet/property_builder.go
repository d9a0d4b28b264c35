package packet

import (
	"encoding/binary"
	"fmt"
)

// PropertyBuilder puts properties together in the order of the calls. What does not fit the property's type is refused,
// never cut; which packet may carry which property is judged by that packet's Append. The zero value is ready for use.
type PropertyBuilder struct {
	b   []byte
	err error
}

// Reset empties p and keeps its memory: what Properties returned before is overwritten by later calls.
func (p *PropertyBuilder) Reset() { p.b, p.err = p.b[:0], nil }

// Properties returns what was built. It aliases p's memory. The error is the first refusal, an *Error.
func (p *PropertyBuilder) Properties() (Properties, error) {
	if p.err != nil {
		return nil, p.err
	}
	return Properties(p.b[:len(p.b):len(p.b)]), nil
}

// Uint adds an integer property of any width.
func (p *PropertyBuilder) Uint(id PropertyID, value uint32) *PropertyBuilder {
	info := id.info()
	switch {
	case info == nil:
		return p.refuse(ErrProtocol, id, "is not a property")
	case info.Type == PropByte && value > 0xff, info.Type == PropUint16 && value > 0xffff, info.Type == PropVarint && value > MaxRemainingLength:
		return p.refuse(ErrTooLarge, id, fmt.Sprintf("%d does not fit a %v", value, info.Type))
	}
	switch info.Type {
	case PropByte:
		p.b = append(p.b, byte(id), byte(value))
	case PropUint16:
		p.b = binary.BigEndian.AppendUint16(append(p.b, byte(id)), uint16(value))
	case PropUint32:
		p.b = binary.BigEndian.AppendUint32(append(p.b, byte(id)), value)
	case PropVarint:
		p.b = appendVarint(append(p.b, byte(id)), value)
	default:
		return p.refuse(ErrMalformed, id, fmt.Sprintf("is a %v, not an integer", info.Type))
	}
	return p
}

// Text adds a string property.
func (p *PropertyBuilder) Text(id PropertyID, value string) *PropertyBuilder {
	if p.want(id, PropString) {
		p.b = append(p.b, byte(id))
		p.prefixed(id, value)
	}
	return p
}

// Bytes adds a binary property.
func (p *PropertyBuilder) Bytes(id PropertyID, value []byte) *PropertyBuilder {
	if p.want(id, PropBinary) {
		p.b = append(p.b, byte(id))
		p.prefixed(id, string(value))
	}
	return p
}

// User adds a user property.
func (p *PropertyBuilder) User(name, value string) *PropertyBuilder {
	p.b = append(p.b, byte(PropUserProperty))
	p.prefixed(PropUserProperty, name)
	p.prefixed(PropUserProperty, value)
	return p
}

// Add adds a property as Next returns it.
func (p *PropertyBuilder) Add(f Property) *PropertyBuilder {
	info := f.ID.info()
	if info == nil {
		return p.refuse(ErrProtocol, f.ID, "is not a property")
	}
	switch info.Type {
	case PropString:
		return p.Text(f.ID, string(f.Bytes))
	case PropBinary:
		return p.Bytes(f.ID, f.Bytes)
	case PropPair:
		return p.User(string(f.Bytes), string(f.Value))
	}
	return p.Uint(f.ID, f.Uint)
}

func (p *PropertyBuilder) prefixed(id PropertyID, s string) {
	if len(s) > MaxStringLen {
		p.refuse(ErrTooLarge, id, fmt.Sprintf("%d bytes, the limit is %d", len(s), MaxStringLen))
		return
	}
	p.b = append(binary.BigEndian.AppendUint16(p.b, uint16(len(s))), s...)
}

func (p *PropertyBuilder) want(id PropertyID, t PropertyType) bool {
	info := id.info()
	switch {
	case info == nil:
		p.refuse(ErrProtocol, id, "is not a property")
	case info.Type != t:
		p.refuse(ErrMalformed, id, fmt.Sprintf("is a %v, not a %v", info.Type, t))
	default:
		return true
	}
	return false
}

func (p *PropertyBuilder) refuse(sentinel error, id PropertyID, text string) *PropertyBuilder {
	if p.err == nil {
		p.err = &Error{Field: id.String(), Offset: len(p.b), Err: sentinel, Version: V5, Rule: "§2.2.2.2", Text: text}
	}
	return p
}
