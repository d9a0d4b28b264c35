package packet

// Packet is one of the fifteen control packets: *Connect, *Connack, *Publish, *Puback, *Pubrec, *Pubrel, *Pubcomp,
// *Subscribe, *Suback, *Unsubscribe, *Unsuback, *Pingreq, *Pingresp, *Disconnect, *Auth.
type Packet interface {
	// Type returns the packet's type.
	Type() Type
	// Append appends the packet's wire format in version v to b. It refuses what Decode would refuse, and what v cannot
	// express; b is then returned as it was and the error is an *Error.
	Append(b []byte, v Version) ([]byte, error)
	// Decode reads the packet at the start of b as Decode does, into the receiver, and returns its length in bytes. It
	// refuses a packet of another type. After an error the receiver's fields mean nothing.
	Decode(b []byte, v Version) (int, error)

	decode(r *reader)
}

// Decode reads the packet at the start of b and returns it with its length in bytes. A CONNECT is read by the version it
// names, any other packet by v. The error is an *Error; it wraps ErrTruncated when b ends before the packet does.
//
// Every []byte in the packet, Properties included, aliases b and is valid until b is changed. Strings are copies.
func Decode(b []byte, v Version) (Packet, int, error) {
	r := reader{b: b, v: v}
	if !r.begin(0) {
		return nil, 0, r.err
	}
	p := newPacket(r.t)
	p.decode(&r)
	n, err := r.finish(trailingRule(r.t, r.v, b))
	if err != nil {
		return nil, 0, err
	}
	return p, n, nil
}

// newPacket returns an empty packet of type t, 1 to 15.
func newPacket(t Type) Packet {
	switch t {
	case CONNECT:
		return new(Connect)
	case CONNACK:
		return new(Connack)
	case PUBLISH:
		return new(Publish)
	case PUBACK:
		return new(Puback)
	case PUBREC:
		return new(Pubrec)
	case PUBREL:
		return new(Pubrel)
	case PUBCOMP:
		return new(Pubcomp)
	case SUBSCRIBE:
		return new(Subscribe)
	case SUBACK:
		return new(Suback)
	case UNSUBSCRIBE:
		return new(Unsubscribe)
	case UNSUBACK:
		return new(Unsuback)
	case PINGREQ:
		return new(Pingreq)
	case PINGRESP:
		return new(Pingresp)
	case DISCONNECT:
		return new(Disconnect)
	}
	return new(Auth)
}

// trailingRule returns the rule that bytes after the last field break.
func trailingRule(t Type, v Version, b []byte) *Rule {
	switch {
	case t == PINGREQ:
		return &rulePingreqLength
	case t == PINGRESP:
		return &rulePingrespLength
	case t == CONNECT:
		return connectTrailing(b)
	case v == V5:
		return &ruleTrailing
	case t == DISCONNECT:
		return &ruleDisconnectLength
	case t == UNSUBACK:
		return &ruleUnsubackLength
	case t >= PUBACK && t <= PUBCOMP:
		return &ruleAckLength
	}
	return &ruleTrailing
}
