package packet

// Suback answers SUBSCRIBE (section 3.9).
type Suback struct {
	// PacketID is that of the SUBSCRIBE, 1 to 65,535.
	PacketID uint16
	// Properties are those of 5.0, nil before.
	Properties Properties
	// Codes has one code for each topic filter, in order. Before 5.0 they are 0, 1, 2 and SubackFailure.
	Codes []ReasonCode
}

// Type returns SUBACK.
func (p *Suback) Type() Type { return SUBACK }

// Decode reads the SUBACK at the start of b and returns its length in bytes. Properties alias b.
func (p *Suback) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(SUBACK) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(&ruleTrailing)
}

func (p *Suback) decode(r *reader) {
	*p = Suback{}
	p.PacketID = r.packetID(&ruleAckPacketID)
	p.Properties = r.properties(SUBACK)
	if r.left() == 0 && !r.cut {
		r.fault(&ruleSubackEmpty, "Reason Codes", r.off, r.end)
	}
	name := "Return Code"
	if r.v == V5 {
		name = "Reason Code"
	}
	for r.left() > 0 && !r.dead {
		p.Codes = append(p.Codes, ReasonCode(r.u8(name, &rulePastEnd)))
		r.subackCode(name, p.Codes[len(p.Codes)-1])
	}
}

func (r *reader) subackCode(name string, c ReasonCode) {
	if r.rec != nil {
		r.rec.last().Meaning = c.In(SUBACK)
		if r.v != V5 && byte(c) == SubackFailure {
			r.rec.last().Meaning = "failure"
		}
	}
	switch {
	case r.v == V5 && !c.ValidIn(SUBACK), r.v != V5 && c > 2 && byte(c) != SubackFailure:
		r.fault(&ruleSubackCode, name, r.off-1, r.off) // [MQTT-3.9.3-2]
	case byte(c) == SubackFailure:
		r.fault(&ruleSuback31, name, r.off-1, r.off)
	}
}

// Append appends the SUBACK to b.
func (p *Suback) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, SUBACK, 0)
	w.u16(p.PacketID)
	w.properties(p.Properties)
	for _, c := range p.Codes {
		w.u8(byte(c))
	}
	return w.finish()
}
