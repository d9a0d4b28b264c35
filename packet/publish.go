package packet

// Publish carries an application message, either way (section 3.3).
type Publish struct {
	Dup    bool
	QoS    QoS
	Retain bool
	// Topic is the topic name, empty in 5.0 where a topic alias stands for it. It aliases what was decoded.
	Topic []byte
	// PacketID is 1 to 65,535, and 0 at QoS 0.
	PacketID uint16
	// Properties are those of 5.0, nil before.
	Properties Properties
	Payload    []byte
}

// Type returns PUBLISH.
func (p *Publish) Type() Type { return PUBLISH }

// Message returns a copy of the application message that shares no memory with the packet.
func (p *Publish) Message() Message {
	return Message{
		Topic: string(p.Topic), Payload: append([]byte(nil), p.Payload...), QoS: p.QoS, Retain: p.Retain, Dup: p.Dup,
		PacketID: p.PacketID, Properties: append(Properties(nil), p.Properties...),
	}
}

// Decode reads the PUBLISH at the start of b and returns its length in bytes. It allocates nothing: topic, properties and
// payload alias b and are valid until b is changed.
func (p *Publish) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(PUBLISH) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(&ruleTrailing)
}

func (p *Publish) decode(r *reader) {
	p.Dup, p.QoS, p.Retain = r.flags&8 != 0, QoS(r.flags>>1&3), r.flags&1 != 0
	if p.QoS > ExactlyOnce {
		r.fault(&ruleQoS3, "QoS", 0, 1) // [MQTT-3.3.1-4]
	}
	if p.Dup && p.QoS == AtMostOnce {
		r.fault(&ruleDupQoS0, "DUP", 0, 1) // [MQTT-3.3.1-2]
	}
	p.Topic = r.str("Topic Name", &rulePastEnd, &ruleTopicUTF8) // [MQTT-3.3.2-1]
	topicEnd := r.off
	if wildcard(p.Topic) {
		r.fault(&ruleTopicWildcard, "Topic Name", topicEnd-len(p.Topic), topicEnd) // [MQTT-3.3.2-2]
	}
	p.PacketID = 0
	if p.QoS > AtMostOnce {
		zero := &rulePacketIDClient
		if r.dir == ServerToClient {
			zero = &rulePacketIDServer
		}
		p.PacketID = r.packetID(zero) // [MQTT-2.2.1-3] [MQTT-2.2.1-4]
	}
	p.Properties = r.properties(PUBLISH)
	if len(p.Topic) == 0 && !r.dead {
		if _, ok := p.Properties.Get(PropTopicAlias); !ok {
			r.fault(&ruleTopicEmpty, "Topic Name", topicEnd-2, topicEnd) // [MQTT-4.7.3-1], section 3.3.2.1
		}
	}
	p.Payload = nil
	if r.dead {
		return
	}
	p.Payload = r.b[r.off:r.end:r.end]
	if r.rec != nil && r.left() > 0 {
		r.rec.add(Field{Name: "Application Message", Kind: KindBinary, Start: r.off, End: r.end, Bytes: p.Payload})
	}
	r.off = r.end
	r.payloadFormat(p.Properties, "Application Message", p.Payload, r.off, &rulePayloadFormat)
}

// Append appends the PUBLISH to b.
func (p *Publish) Append(b []byte, v Version) ([]byte, error) {
	return appendPublish(b, v, p, p.Topic)
}

// Append appends m to b as a PUBLISH of version v. It spares a caller that holds the topic as a string the copy that
// Publish would need.
func (m *Message) Append(b []byte, v Version) ([]byte, error) {
	p := Publish{Dup: m.Dup, QoS: m.QoS, Retain: m.Retain, PacketID: m.PacketID, Properties: m.Properties, Payload: m.Payload}
	return appendPublish(b, v, &p, m.Topic)
}

func appendPublish[T ~string | ~[]byte](b []byte, v Version, p *Publish, topic T) ([]byte, error) {
	w := newWriter(b, v, PUBLISH, 0)
	w.b[w.start] |= bit(p.Dup, 8) | w.qos("QoS", p.QoS)<<1 | bit(p.Retain, 1)
	w.b = appendPrefixed(&w, "Topic Name", topic)
	if p.QoS > AtMostOnce {
		w.u16(p.PacketID)
	} else if p.PacketID != 0 {
		w.refuse(ErrProtocol, "Packet Identifier", "MQTT-2.2.1-2", "%d, where QoS 0 has none", p.PacketID)
	}
	w.properties(p.Properties)
	w.patch(len(p.Payload)) // before the payload, which then need not move
	if w.err != nil {
		return w.result(nil)
	}
	w.b = append(w.b, p.Payload...)
	var q Publish
	_, err := q.Decode(w.packet(), v)
	return w.result(err)
}
