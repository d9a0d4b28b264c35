package packet

// Disconnect is the last packet of a connection: the client's, and in 5.0 also the server's (section 3.14).
type Disconnect struct {
	// ReasonCode is why, in 5.0; 0 is a normal disconnection.
	ReasonCode ReasonCode
	// Properties are those of 5.0, nil before.
	Properties Properties
}

// Type returns DISCONNECT.
func (p *Disconnect) Type() Type { return DISCONNECT }

// Decode reads the DISCONNECT at the start of b and returns its length in bytes. Properties alias b.
func (p *Disconnect) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(DISCONNECT) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(trailingRule(DISCONNECT, r.v, b))
}

func (p *Disconnect) decode(r *reader) {
	*p = Disconnect{}
	if r.v != V5 || r.left() == 0 {
		return // the code may be left out and is then success (section 3.14.2.1)
	}
	p.ReasonCode = r.reason("Disconnect Reason Code", &ruleDisconnectCode) // [MQTT-3.14.2-1]
	if p.ReasonCode.ValidIn(DISCONNECT) && !p.ReasonCode.ValidFrom(DISCONNECT, r.dir) {
		r.fault(&ruleDisconnectSide, "Disconnect Reason Code", r.off-1, r.off)
	}
	if r.left() == 0 {
		return // so may the property length (section 3.14.2.2.1)
	}
	p.Properties = r.properties(DISCONNECT)
	if _, ok := p.Properties.Get(PropServerReference); ok && r.dir == ClientToServer {
		r.fault(&ruleDisconnectReference, "Server Reference", r.off-len(p.Properties), r.off)
		return
	}
	r.serverReference(p.Properties, p.ReasonCode, &ruleDisconnectReference)
}

// Append appends the DISCONNECT to b, in the shortest spelling.
func (p *Disconnect) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, DISCONNECT, 0)
	w.only5("Reason Code", p.ReasonCode != 0)
	w.only5("Properties", len(p.Properties) > 0)
	if p.ReasonCode != 0 || len(p.Properties) > 0 {
		w.u8(byte(p.ReasonCode))
	}
	if len(p.Properties) > 0 {
		w.properties(p.Properties)
	}
	return w.finish()
}
