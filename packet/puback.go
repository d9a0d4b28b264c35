package packet

// Puback answers a PUBLISH at QoS 1 (section 3.4).
type Puback struct {
	// PacketID is that of the PUBLISH, 1 to 65,535.
	PacketID uint16
	// ReasonCode is the result in 5.0, 0 before.
	ReasonCode ReasonCode
	// Properties are those of 5.0, nil before.
	Properties Properties
}

// Type returns PUBACK.
func (p *Puback) Type() Type { return PUBACK }

// Decode reads the PUBACK at the start of b and returns its length in bytes. It allocates nothing: properties alias b.
func (p *Puback) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(PUBACK) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(ackTrailing(r.v))
}

func (p *Puback) decode(r *reader) { (*ack)(p).decode(r, &rulePubackCode) } // [MQTT-3.4.2-1]

// Append appends the PUBACK to b.
func (p *Puback) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, PUBACK, 0)
	(*ack)(p).write(&w)
	var q Puback
	_, err := q.Decode(w.packet(), v)
	return w.result(err)
}
