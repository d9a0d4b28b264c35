package packet

// Pubcomp ends the exchange of a PUBLISH at QoS 2 (section 3.7).
type Pubcomp struct {
	// PacketID is that of the PUBLISH, 1 to 65,535.
	PacketID uint16
	// ReasonCode is the result in 5.0, 0 before.
	ReasonCode ReasonCode
	// Properties are those of 5.0, nil before.
	Properties Properties
}

// Type returns PUBCOMP.
func (p *Pubcomp) Type() Type { return PUBCOMP }

// Decode reads the PUBCOMP at the start of b and returns its length in bytes. It allocates nothing: properties alias b.
func (p *Pubcomp) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(PUBCOMP) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(ackTrailing(r.v))
}

func (p *Pubcomp) decode(r *reader) { (*ack)(p).decode(r, &rulePubcompCode) } // [MQTT-3.7.2-1]

// Append appends the PUBCOMP to b.
func (p *Pubcomp) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, PUBCOMP, 0)
	(*ack)(p).write(&w)
	var q Pubcomp
	_, err := q.Decode(w.packet(), v)
	return w.result(err)
}
