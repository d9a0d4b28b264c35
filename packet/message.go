package packet

// Message is an application message (section 1.2): what a PUBLISH carries, without the framing. Its fields belong to
// whoever holds it; nothing aliases a network buffer.
type Message struct {
	Topic   string
	Payload []byte
	QoS     QoS
	Retain  bool
	// Dup is set on a received message that the sender marks as a possible repetition [MQTT-3.3.1-1].
	Dup bool
	// PacketID is the packet identifier, 1 to 65535, and 0 at QoS 0.
	PacketID uint16
	// Properties are those of a 5.0 PUBLISH, nil before. A topic alias among them means something to one connection only.
	Properties Properties
}
