package packet

// Pubrec is the first answer to a PUBLISH at QoS 2 (section 3.5).
type Pubrec struct {
	// PacketID is that of the PUBLISH, 1 to 65,535.
	PacketID uint16
	// ReasonCode is the result in 5.0, 0 before.
	ReasonCode ReasonCode
	// Properties are those of 5.0, nil before.
	Properties Properties
}

// Type returns PUBREC.
func (p *Pubrec) Type() Type { return PUBREC }

// Decode reads the PUBREC at the start of b and returns its length in bytes. It allocates nothing: properties alias b.
func (p *Pubrec) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(PUBREC) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(ackTrailing(r.v))
}

func (p *Pubrec) decode(r *reader) { (*ack)(p).decode(r, &rulePubrecCode) } // [MQTT-3.5.2-1]

// Append appends the PUBREC to b.
func (p *Pubrec) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, PUBREC, 0)
	(*ack)(p).write(&w)
	var q Pubrec
	_, err := q.Decode(w.packet(), v)
	return w.result(err)
}
