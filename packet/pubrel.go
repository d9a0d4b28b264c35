package packet

// Pubrel answers PUBREC and releases the message of a PUBLISH at QoS 2 (section 3.6).
type Pubrel struct {
	// Dup marks a resent PUBREL, in 3.1 only.
	Dup bool
	// PacketID is that of the PUBLISH, 1 to 65,535.
	PacketID uint16
	// ReasonCode is the result in 5.0, 0 before.
	ReasonCode ReasonCode
	// Properties are those of 5.0, nil before.
	Properties Properties
}

// Type returns PUBREL.
func (p *Pubrel) Type() Type { return PUBREL }

// Decode reads the PUBREL at the start of b and returns its length in bytes. It allocates nothing: properties alias b.
func (p *Pubrel) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(PUBREL) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(ackTrailing(r.v))
}

func (p *Pubrel) decode(r *reader) {
	var a ack
	a.decode(r, &rulePubrelCode) // [MQTT-3.6.2-1]
	*p = Pubrel{r.dup31(), a.PacketID, a.ReasonCode, a.Properties}
}

// dup31 returns the DUP flag that 3.1 has on PUBREL, SUBSCRIBE and UNSUBSCRIBE.
func (r *reader) dup31() bool { return r.v == V31 && r.flags&8 != 0 }

// flags31 returns the flags of those three packets.
func (w *writer) flags31(dup bool) {
	if dup && w.v != V31 {
		w.refuse(ErrProtocol, "DUP", "MQTT-2.1.3-1", "exists on %v in MQTT 3.1 only", w.t)
	}
	w.b[w.start] |= 2 | bit(dup, 8)
}

// Append appends the PUBREL to b.
func (p *Pubrel) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, PUBREL, 0)
	w.flags31(p.Dup)
	(&ack{p.PacketID, p.ReasonCode, p.Properties}).write(&w)
	var q Pubrel
	_, err := q.Decode(w.packet(), v)
	return w.result(err)
}
