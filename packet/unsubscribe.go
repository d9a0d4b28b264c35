package packet

// Unsubscribe ends subscriptions, from the client (section 3.10).
type Unsubscribe struct {
	// Dup marks a resent UNSUBSCRIBE, in 3.1 only.
	Dup bool
	// PacketID is 1 to 65,535.
	PacketID uint16
	// Properties are those of 5.0, nil before.
	Properties Properties
	// Filters are in the order of the wire, at least one.
	Filters []string
}

// Type returns UNSUBSCRIBE.
func (p *Unsubscribe) Type() Type { return UNSUBSCRIBE }

// Decode reads the UNSUBSCRIBE at the start of b and returns its length in bytes. Properties alias b.
func (p *Unsubscribe) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(UNSUBSCRIBE) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(&ruleTrailing)
}

func (p *Unsubscribe) decode(r *reader) {
	*p = Unsubscribe{Dup: r.dup31()}
	p.PacketID = r.packetID(&rulePacketIDClient) // [MQTT-2.2.1-3]
	p.Properties = r.properties(UNSUBSCRIBE)
	if r.left() == 0 && !r.cut {
		r.fault(&ruleNoUnfilters, "Topic Filter", r.off, r.end) // [MQTT-3.10.3-2]
	}
	for r.left() > 0 && !r.dead {
		if f := r.filter(&ruleUnfilterUTF8); !r.dead { // [MQTT-3.10.3-1]
			p.Filters = append(p.Filters, f)
		}
	}
}

// Append appends the UNSUBSCRIBE to b.
func (p *Unsubscribe) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, UNSUBSCRIBE, 0)
	w.flags31(p.Dup)
	w.u16(p.PacketID)
	w.properties(p.Properties)
	for _, f := range p.Filters {
		w.str("Topic Filter", f)
	}
	return w.finish()
}
