package packet

// Header is a packet's fixed header (section 2.1 of 5.0, 2.2 of 3.1.1).
type Header struct {
	Type  Type
	Flags byte // the lower four bits of the first byte
	// Remaining is the number of bytes after the fixed header, 0 to MaxRemainingLength.
	Remaining int
	// Size is the length of the fixed header itself, 2 to 5 bytes.
	Size int
}

// Total returns the length in bytes of the whole packet, fixed header included.
func (h Header) Total() int { return h.Size + h.Remaining }

// ParseHeader reads the fixed header at the start of b. The error is ErrTruncated when b ends inside it and ErrMalformed
// when the remaining length takes more than four bytes. Neither type nor flags are judged.
func ParseHeader(b []byte) (Header, error) {
	if len(b) == 0 {
		return Header{}, ErrTruncated
	}
	h := Header{Type: Type(b[0] >> 4), Flags: b[0] & 15}
	n, size, err := Varint(b[1:])
	h.Remaining, h.Size = int(n), 1+size
	return h, err
}

// wantFlags gives, for each type but PUBLISH, the value its reserved flags must have and the rule that says so.
var wantFlags = [16]struct {
	flags byte
	rule  *Rule
}{
	CONNECT: {0, &ruleFlags}, CONNACK: {0, &ruleFlags}, PUBACK: {0, &ruleFlags}, PUBREC: {0, &ruleFlags},
	PUBREL: {2, &ruleFlagsPubrel}, PUBCOMP: {0, &ruleFlags}, SUBSCRIBE: {2, &ruleFlagsSubscribe}, SUBACK: {0, &ruleFlags},
	UNSUBSCRIBE: {2, &ruleFlagsUnsubscribe}, UNSUBACK: {0, &ruleFlags}, PINGREQ: {0, &ruleFlags},
	PINGRESP: {0, &ruleFlags}, DISCONNECT: {0, &ruleFlagsDisconnect}, AUTH: {0, &ruleFlagsAuth},
}

// begin reads and judges the fixed header. It returns false when no body can be decoded after it.
func (r *reader) begin(want Type) bool {
	h, err := ParseHeader(r.b)
	r.t, r.flags, r.end = h.Type, h.Flags, len(r.b)
	if r.t == CONNECT {
		r.v = levelOf(r.b, h)
	}
	if r.rec != nil {
		r.recordHeader(h, err)
	}
	switch {
	case err == ErrTruncated:
		r.fault(&ruleTruncated, "Remaining Length", len(r.b), len(r.b))
	case err != nil:
		r.fault(&ruleLongLength, "Remaining Length", 1, h.Size)
	case h.Total() > len(r.b):
		r.fault(&ruleTruncated, "Remaining Length", 1, h.Size)
		r.cut = true
	default:
		r.end = h.Total()
	}
	r.off = min(h.Size, r.end)
	if err != nil || r.dead {
		r.undecoded()
		return false
	}
	if h.Size-1 > VarintLen(uint32(h.Remaining)) {
		r.fault(&ruleMinimalLength, "Remaining Length", 1, h.Size) // [MQTT-1.5.5-1]
	}
	return r.checkType(want)
}

// checkType judges the first byte.
func (r *reader) checkType(want Type) bool {
	switch {
	case r.t == 0:
		r.fault(&ruleTypeZero, "Control Packet Type", 0, 1)
	case want != 0 && want != r.t:
		r.fault(&ruleOtherType, "Control Packet Type", 0, 1)
	case r.v < V31 || r.v > V5:
		r.fault(&ruleVersion, "Control Packet Type", 0, 1)
		r.v = V311 // the annotated decode goes on with the commonest
	}
	if r.t == AUTH && r.v != V5 {
		r.fault(&ruleTypeAuth, "Control Packet Type", 0, 1)
	}
	if r.t == 0 || r.t == AUTH && r.v != V5 {
		r.undecoded()
		return false
	}
	// In 3.1 the three packets that travel at QoS 1 may be marked as resent (section 2.1 of the 3.1 document).
	dup31 := r.v == V31 && r.flags == 10 && wantFlags[r.t].flags == 2
	if r.t != PUBLISH && r.flags != wantFlags[r.t].flags && !dup31 {
		r.fault(wantFlags[r.t].rule, "Flags", 0, 1) // [MQTT-2.1.3-1]
	}
	return !r.dead
}

// levelOf looks ahead for the version a CONNECT says it is, so that the rules of that version are applied; what cannot be
// told is judged as 5.0.
func levelOf(b []byte, h Header) Version {
	at := h.Size
	if len(b) < at+2 {
		return V5
	}
	at += 2 + int(b[at])<<8 + int(b[at+1])
	if at >= len(b) {
		return V5
	}
	if v := Version(b[at] & 0x7f); v == V31 || v == V311 {
		return v
	}
	return V5
}
