package packet

import (
	"encoding/binary"
	"iter"
)

// Properties is the list of properties of a 5.0 packet as it stands on the wire, without the property length before it:
// in order, with what is repeated. Decode has validated it; one that was put together otherwise is validated by Append.
// It aliases the bytes it was decoded from. The zero value has no properties.
type Properties []byte

// Property is one property. Its byte slices alias the Properties it was taken from.
type Property struct {
	ID PropertyID
	// Uint is the value of an integer.
	Uint uint32
	// Bytes is the value of a string or of binary data, and of a user property its name.
	Bytes []byte
	// Value is the value of a user property.
	Value []byte
}

// Next returns the first property and the rest. It returns false when p is empty, and where it cannot be read on.
func (p Properties) Next() (first Property, rest Properties, ok bool) {
	var parts propertyParts
	if len(p) == 0 || !parts.parse(p) {
		return Property{}, nil, false
	}
	return parts.property(p), p[parts.end:], true
}

// All ranges over the properties in the order of the wire.
func (p Properties) All() iter.Seq[Property] {
	return func(yield func(Property) bool) {
		for {
			first, rest, ok := p.Next()
			if !ok || !yield(first) {
				return
			}
			p = rest
		}
	}
}

// Get returns the first property id.
func (p Properties) Get(id PropertyID) (Property, bool) {
	for len(p) > 0 {
		first, rest, ok := p.Next()
		if !ok {
			break
		}
		if first.ID == id {
			return first, true
		}
		p = rest
	}
	return Property{}, false
}

// Uint returns the value of the first integer property id; false when it is absent.
func (p Properties) Uint(id PropertyID) (uint32, bool) {
	f, ok := p.Get(id)
	return f.Uint, ok
}

// Bytes returns the value of the first string or binary property id, aliasing p; false when it is absent.
func (p Properties) Bytes(id PropertyID) ([]byte, bool) {
	f, ok := p.Get(id)
	return f.Bytes, ok
}

// Text returns a copy of the value of the first string property id; false when it is absent.
func (p Properties) Text(id PropertyID) (string, bool) {
	f, ok := p.Get(id)
	return string(f.Bytes), ok
}

// User ranges over the user properties as name and value, in order (section 3.3.2.3.7).
func (p Properties) User() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for f := range p.All() {
			if f.ID == PropUserProperty && !yield(string(f.Bytes), string(f.Value)) {
				return
			}
		}
	}
}

// SubscriptionIDs ranges over the subscription identifiers, 1 to MaxRemainingLength each, in order (section 3.3.2.3.8).
func (p Properties) SubscriptionIDs() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for f := range p.All() {
			if f.ID == PropSubscriptionIdentifier && !yield(f.Uint) {
				return
			}
		}
	}
}

// propertyParts says where the parts of one property are: its value, or its two values, in [at[i],at[i+1]).
type propertyParts struct {
	info *PropertyInfo
	at   [3]int
	end  int
	uint uint32
	// wide is set on a variable byte integer that takes more bytes than it needs.
	wide bool
}

// parse reads the property at the start of b by the type the table gives it. When it returns false, info is nil for an
// unknown identifier, and else the value does not end within b.
func (p *propertyParts) parse(b []byte) bool {
	p.info = PropertyID(b[0]).info()
	if p.info == nil {
		return false
	}
	p.at[0] = 1
	rest := b[1:]
	n := 0
	switch p.info.Type {
	case PropByte:
		n = 1
	case PropUint16:
		n = 2
	case PropUint32:
		n = 4
	case PropVarint:
		v, size, err := Varint(rest)
		if err != nil {
			return false
		}
		n, p.uint, p.wide = size, v, size > VarintLen(v)
	case PropString, PropBinary:
		n = prefixedLen(rest)
	case PropPair:
		n = prefixedLen(rest)
		if n > len(rest) {
			return false
		}
		p.at[1] = 1 + n
		n += prefixedLen(rest[n:])
	}
	if n > len(rest) {
		return false
	}
	switch p.end = 1 + n; p.info.Type {
	case PropByte:
		p.uint = uint32(rest[0])
	case PropUint16:
		p.uint = uint32(binary.BigEndian.Uint16(rest))
	case PropUint32:
		p.uint = binary.BigEndian.Uint32(rest)
	}
	if p.info.Type != PropPair {
		p.at[1] = p.end
	}
	p.at[2] = p.end
	return true
}

// prefixedLen returns the length of a string with its two-byte length, more than len(b) when it does not fit.
func prefixedLen(b []byte) int {
	if len(b) < 2 {
		return 2
	}
	return 2 + int(b[0])<<8 + int(b[1])
}

// property cuts the values out of b, from which p was parsed.
func (p *propertyParts) property(b []byte) Property {
	f := Property{ID: p.info.ID, Uint: p.uint}
	if p.info.Type >= PropString {
		f.Bytes = b[p.at[0]+2 : p.at[1] : p.at[1]]
	}
	if p.info.Type == PropPair {
		f.Value = b[p.at[1]+2 : p.at[2] : p.at[2]]
	}
	return f
}
