package packet

// Connack is the server's answer to CONNECT (section 3.2).
type Connack struct {
	// SessionPresent tells that the server goes on with a stored session; it does not exist in 3.1.
	SessionPresent bool
	// ReturnCode is the result before 5.0. In 5.0 it is 0, unless a server that does not know 5.0 refused in the shape of
	// 3.1.1: then it is 1 to 5 and ReasonCode is 0.
	ReturnCode ReturnCode
	// ReasonCode is the result in 5.0.
	ReasonCode ReasonCode
	// Properties are those of 5.0, nil before.
	Properties Properties
}

// Refused reports whether the server refused the connection, in any version.
func (p *Connack) Refused() bool { return p.ReturnCode != 0 || p.ReasonCode != 0 }

// Why returns the words of the code that was sent.
func (p *Connack) Why() string {
	if p.ReturnCode != 0 || p.ReasonCode == 0 {
		return p.ReturnCode.String()
	}
	return p.ReasonCode.String()
}

// Type returns CONNACK.
func (p *Connack) Type() Type { return CONNACK }

// Decode reads the CONNACK at the start of b and returns its length in bytes. Properties alias b.
func (p *Connack) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(CONNACK) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(&ruleTrailing)
}

func (p *Connack) decode(r *reader) {
	*p = Connack{}
	shape3 := r.v != V5
	flags := r.u8("Connect Acknowledge Flags", &rulePastEnd)
	if r.rec != nil && !r.dead {
		r.rec.bits("Reserved", 0xfe, "")
		r.rec.bits("Session Present", 0x01, "")
	}
	if flags&^1 != 0 || flags != 0 && r.v == V31 {
		r.fault(&ruleConnackFlags, "Connect Acknowledge Flags", r.off-1, r.off) // [MQTT-3.2.2-1]
	}
	p.SessionPresent = flags&1 != 0 && r.v != V31
	if r.v == V5 && r.left() == 1 && r.b[r.off] >= 1 && r.b[r.off] <= 5 && !r.cut {
		shape3 = true // a server that only knows 3.1.1 cannot answer otherwise (annex 3, trap 8)
		r.fault(&ruleConnackShape, "Connect Return Code", r.off, r.end)
	}
	if shape3 {
		p.ReturnCode = ReturnCode(r.u8("Connect Return Code", &rulePastEnd))
		if r.rec != nil && !r.dead {
			r.rec.last().Meaning = p.ReturnCode.String()
		}
		if p.ReturnCode > NotAuthorized {
			r.fault(&ruleConnackCode, "Connect Return Code", r.off-1, r.off)
		}
	} else {
		p.ReasonCode = r.reason("Connect Reason Code", &ruleConnackCode) // [MQTT-3.2.2-8]
	}
	if p.SessionPresent && p.Refused() {
		r.fault(&ruleSessionPresent, "Session Present", r.off-2, r.off) // [MQTT-3.2.2-6]
	}
	if !shape3 {
		p.Properties = r.properties(CONNACK)
		r.serverReference(p.Properties, p.ReasonCode, &ruleServerReference)
	}
}

// reason reads a reason code of the packet's type.
func (r *reader) reason(name string, rule *Rule) ReasonCode {
	c := ReasonCode(r.u8(name, &rulePastEnd))
	if r.dead {
		return c
	}
	if r.rec != nil {
		r.rec.last().Meaning = c.In(r.t)
	}
	if !c.ValidIn(r.t) {
		r.fault(rule, name, r.off-1, r.off)
	}
	return c
}

// serverReference notes a server reference beside a code that does not ask for one (section 4.11).
func (r *reader) serverReference(p Properties, c ReasonCode, rule *Rule) {
	if !r.lint || c == ReasonUseAnotherServer || c == ReasonServerMoved {
		return
	}
	if _, ok := p.Get(PropServerReference); ok {
		r.fault(rule, "Server Reference", r.off-len(p), r.off)
	}
}

// Append appends the CONNACK to b.
func (p *Connack) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, CONNACK, 0)
	w.u8(bit(p.SessionPresent, 1))
	if v == V31 && p.SessionPresent {
		w.refuse(ErrProtocol, "Session Present", "", "does not exist in MQTT 3.1")
	}
	w.only5("Reason Code", p.ReasonCode != 0)
	switch {
	case v != V5:
		w.u8(byte(p.ReturnCode))
		w.properties(p.Properties)
	case p.ReturnCode != 0:
		if p.ReasonCode != 0 || len(p.Properties) > 0 {
			w.refuse(ErrProtocol, "Connect Return Code", "", "a refusal in the shape of 3.1.1 has no reason code and no properties")
		}
		w.u8(byte(p.ReturnCode))
	default:
		w.u8(byte(p.ReasonCode))
		w.properties(p.Properties)
	}
	return w.finish()
}
