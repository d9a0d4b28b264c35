package packet

// ack is what PUBACK, PUBREC, PUBREL and PUBCOMP have in common (sections 3.4 to 3.7). Puback, Pubrec and Pubcomp have
// the same fields, so that a pointer to them can be converted.
type ack struct {
	PacketID   uint16
	ReasonCode ReasonCode
	Properties Properties
}

func (p *ack) decode(r *reader, code *Rule) {
	*p = ack{}
	p.PacketID = r.packetID(&ruleAckPacketID)
	if r.v != V5 || r.left() == 0 || r.dead {
		return // the code may be left out and is then success (section 3.4.2.1)
	}
	p.ReasonCode = r.reason("Reason Code", code)
	if p.ReasonCode == ReasonNoMatchingSubscribers && r.dir == ClientToServer && p.ReasonCode.ValidIn(r.t) {
		r.fault(&ruleAckServerCode, "Reason Code", r.off-1, r.off)
	}
	if r.left() > 0 {
		p.Properties = r.properties(r.t) // left out below remaining length 4 (section 3.4.2.2.1)
	}
}

// ackRules are the rules about the codes of each acknowledgement.
var ackRules = [16]*Rule{PUBACK: &rulePubackCode, PUBREC: &rulePubrecCode, PUBREL: &rulePubrelCode, PUBCOMP: &rulePubcompCode}

// write appends the shortest spelling: no code and no properties for success, no properties where there are none.
func (p *ack) write(w *writer) {
	w.u16(p.PacketID)
	w.only5("Reason Code", p.ReasonCode != 0)
	w.only5("Properties", len(p.Properties) > 0)
	if w.v == V5 && (p.ReasonCode != 0 || len(p.Properties) > 0) {
		w.u8(byte(p.ReasonCode))
		if len(p.Properties) > 0 {
			w.properties(p.Properties)
		}
	}
	w.patch(0)
}

// ackTrailing returns the rule that bytes after the last field of an acknowledgement break.
func ackTrailing(v Version) *Rule {
	if v == V5 {
		return &ruleTrailing
	}
	return &ruleAckLength
}
