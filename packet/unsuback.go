package packet

// Unsuback answers UNSUBSCRIBE (section 3.11).
type Unsuback struct {
	// PacketID is that of the UNSUBSCRIBE, 1 to 65,535.
	PacketID uint16
	// Properties are those of 5.0, nil before.
	Properties Properties
	// Codes has one code for each topic filter in 5.0, in order; nil before.
	Codes []ReasonCode
}

// Type returns UNSUBACK.
func (p *Unsuback) Type() Type { return UNSUBACK }

// Decode reads the UNSUBACK at the start of b and returns its length in bytes. Properties alias b.
func (p *Unsuback) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(UNSUBACK) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(trailingRule(UNSUBACK, r.v, b))
}

func (p *Unsuback) decode(r *reader) {
	*p = Unsuback{}
	p.PacketID = r.packetID(&ruleAckPacketID)
	if r.v != V5 {
		return
	}
	p.Properties = r.properties(UNSUBACK)
	if r.left() == 0 && !r.cut {
		r.fault(&ruleUnsubackEmpty, "Reason Codes", r.off, r.end)
	}
	for r.left() > 0 && !r.dead {
		p.Codes = append(p.Codes, r.reason("Reason Code", &ruleUnsubackCode)) // [MQTT-3.11.3-2]
	}
}

// Append appends the UNSUBACK to b.
func (p *Unsuback) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, UNSUBACK, 0)
	w.u16(p.PacketID)
	w.properties(p.Properties)
	w.only5("Reason Codes", len(p.Codes) > 0)
	for _, c := range p.Codes {
		w.u8(byte(c))
	}
	return w.finish()
}
