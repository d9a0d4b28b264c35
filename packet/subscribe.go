package packet

// Subscribe asks for messages, from the client (section 3.8).
type Subscribe struct {
	// Dup marks a resent SUBSCRIBE, in 3.1 only.
	Dup bool
	// PacketID is 1 to 65,535.
	PacketID uint16
	// Properties are those of 5.0, nil before.
	Properties Properties
	// Subscriptions are in the order of the wire, at least one.
	Subscriptions []Subscription
}

// Subscription is a topic filter with its options (section 3.8.3.1).
type Subscription struct {
	Filter string
	// QoS is the greatest the client wants to get.
	QoS QoS
	// NoLocal keeps back the client's own messages. It, RetainAsPublished and RetainHandling exist in 5.0 only.
	NoLocal bool
	// RetainAsPublished keeps the RETAIN flag of forwarded messages.
	RetainAsPublished bool
	// RetainHandling says when retained messages are sent: 0 at every subscription, 1 at a new one, 2 never.
	RetainHandling byte
}

// Type returns SUBSCRIBE.
func (p *Subscribe) Type() Type { return SUBSCRIBE }

// Decode reads the SUBSCRIBE at the start of b and returns its length in bytes. Properties alias b.
func (p *Subscribe) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(SUBSCRIBE) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(&ruleTrailing)
}

func (p *Subscribe) decode(r *reader) {
	*p = Subscribe{Dup: r.dup31()}
	p.PacketID = r.packetID(&rulePacketIDClient) // [MQTT-2.2.1-3]
	p.Properties = r.properties(SUBSCRIBE)
	if r.left() == 0 && !r.cut {
		r.fault(&ruleNoFilters, "Topic Filter", r.off, r.end) // [MQTT-3.8.3-2]
	}
	for r.left() > 0 && !r.dead {
		if r.rec != nil {
			r.rec.group("Subscription", r.off)
		}
		var s Subscription
		s.decode(r)
		if r.rec != nil {
			r.rec.close(r.off)
		}
		if !r.dead {
			p.Subscriptions = append(p.Subscriptions, s)
		}
	}
}

func (s *Subscription) decode(r *reader) {
	s.Filter = r.filter(&ruleFilterUTF8) // [MQTT-3.8.3-1]
	name, reserved := "Subscription Options", byte(0xc0)
	if r.v != V5 {
		name, reserved = "Requested QoS", 0xfc
	}
	o := r.u8(name, &rulePastEnd)
	if r.dead {
		return
	}
	at := r.off - 1
	s.QoS = QoS(o & 3)
	if r.v == V5 {
		s.NoLocal, s.RetainAsPublished, s.RetainHandling = o&4 != 0, o&8 != 0, o>>4&3
	}
	if r.rec != nil {
		s.describe(r, reserved)
	}
	if o&reserved != 0 {
		r.fault(&ruleOptionsReserved, name, at, r.off) // [MQTT-3.8.3-5]
	}
	if s.QoS > ExactlyOnce {
		r.fault(&ruleOptionsQoS, name, at, r.off)
	}
	if s.RetainHandling > 2 {
		r.fault(&ruleRetainHandling, name, at, r.off)
	}
	if s.NoLocal && isShared(s.Filter) {
		r.fault(&ruleNoLocalShared, name, at, r.off) // [MQTT-3.8.3-4]
	}
}

// describe adds the bits of the options byte.
func (s *Subscription) describe(r *reader, reserved byte) {
	qos := "QoS"
	r.rec.bits("Reserved", reserved, "")
	if r.v == V5 {
		qos = "Maximum QoS"
		words := [...]string{"at every subscription", "at a new subscription", "never", "not allowed"}
		r.rec.bits("Retain Handling", 0x30, words[s.RetainHandling])
		r.rec.bits("Retain As Published", 0x08, "")
		r.rec.bits("No Local", 0x04, "")
	}
	r.rec.bits(qos, 0x03, qosWords(s.QoS))
}

// Append appends the SUBSCRIBE to b.
func (p *Subscribe) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, SUBSCRIBE, 0)
	w.flags31(p.Dup)
	w.u16(p.PacketID)
	w.properties(p.Properties)
	for _, s := range p.Subscriptions {
		w.str("Topic Filter", s.Filter)
		w.only5("No Local", s.NoLocal)
		w.only5("Retain As Published", s.RetainAsPublished)
		w.only5("Retain Handling", s.RetainHandling != 0)
		if s.RetainHandling > 2 {
			w.refuse(ErrProtocol, "Retain Handling", "§3.8.3.1", "%d is not 0, 1 or 2", s.RetainHandling)
		}
		w.u8(w.qos("Maximum QoS", s.QoS) | bit(s.NoLocal, 4) | bit(s.RetainAsPublished, 8) | s.RetainHandling<<4)
	}
	return w.finish()
}
