package packet

import "unicode/utf8"

// properties reads the property length and the properties of a 5.0 packet (section 2.2.2), none before 5.0. Where is the
// packet type whose list applies.
func (r *reader) properties(where Type) Properties {
	switch {
	case r.v != V5 || r.dead:
		return nil
	case r.rec == nil:
		return r.propertyList(where)
	case where == WillProperties:
		r.rec.group("Will Properties", r.off)
	default:
		r.rec.group("Properties", r.off)
	}
	p := r.propertyList(where)
	r.rec.close(r.off)
	return p
}

func (r *reader) propertyList(where Type) Properties {
	n, ok := r.propertyLength()
	if !ok || n == 0 {
		return nil
	}
	packetEnd, start := r.end, r.off
	past := n > r.left() // said already; what there is may still be described
	if !past {
		r.end = r.off + n
	}
	end := r.end
	for seen := uint64(0); r.off < r.end && !r.dead; {
		r.property(where, &seen)
	}
	r.end = packetEnd
	if past {
		r.dead = true
	}
	return Properties(r.b[start:end:end])
}

// propertyLength reads the length; false when it cannot be read.
func (r *reader) propertyLength() (int, bool) {
	if r.left() == 0 {
		r.short(&rulePropertyLengthMissing, "Property Length") // [MQTT-2.2.2-1]
		return 0, false
	}
	n, size, err := Varint(r.b[r.off:r.end])
	if err != nil {
		r.short(&rulePastEnd, "Property Length")
		return 0, false
	}
	if r.rec != nil {
		r.rec.add(Field{Name: "Property Length", Kind: KindUint, Start: r.off, End: r.off + size, Uint: n})
	}
	at := r.off
	r.off += size
	if size > VarintLen(n) {
		r.fault(&ruleMinimalLength, "Property Length", at, r.off) // [MQTT-1.5.5-1]
	}
	if int(n) > r.left() && !r.cut {
		r.fault(&rulePropertyLength, "Property Length", at, r.off)
	}
	return int(n), !r.dead
}

// property reads one property.
func (r *reader) property(where Type, seen *uint64) {
	at := r.off
	var p propertyParts
	if !p.parse(r.b[at:r.end]) {
		r.badProperty(p.info, at)
		return
	}
	r.off = at + p.end
	f := p.property(r.b[at:r.end])
	if r.rec != nil {
		r.recordProperty(&p, &f, at)
	}
	if !p.info.AllowedIn(where) {
		r.fault(&rulePropertyID, p.info.Name, at, at+1)
	} else if bit := uint64(1) << f.ID; *seen&bit != 0 && !p.info.RepeatableIn(where) {
		r.repeated(p.info, where, at)
	} else {
		*seen |= bit
	}
	r.judge(&p, &f, where, at)
}

// badProperty reports a property that cannot be read, after which the other properties cannot be found.
func (r *reader) badProperty(info *PropertyInfo, at int) {
	rule, name := &rulePropertyID, "Property Identifier"
	switch {
	case r.b[at] >= 0x80:
		rule = &rulePropertyIDLength
	case info != nil:
		rule, name = &rulePropertyType, info.Name
	}
	if !r.cut || rule != &rulePropertyType {
		r.fault(rule, name, at, r.end)
	}
	if r.rec != nil {
		r.leave()
	}
	r.off = r.end
}

// repeated reports a property that occurs more than once; its section says so, except for two where it is implied.
func (r *reader) repeated(info *PropertyInfo, where Type, at int) {
	pl := info.place(where)
	rule := protocol(pl.key, "", "§"+pl.section, info.Name+" occurs at most once").named(ReasonProtocolError)
	if where == PUBLISH && (info.ID == PropPayloadFormatIndicator || info.ID == PropMessageExpiryInterval) {
		rule = rule.all(SeverityWarning).general(ReasonProtocolError)
	}
	r.fault(&rule, info.Name, at, r.off)
}

// judge applies the rules about the property's value.
func (r *reader) judge(p *propertyParts, f *Property, where Type, at int) {
	info := p.info
	if p.wide {
		r.fault(&ruleMinimalLength, info.Name, at+1, r.off) // [MQTT-1.5.5-1]
	}
	if info.Type == PropString || info.Type == PropPair {
		encoding := info.encoding
		if encoding == nil {
			encoding = &ruleUTF8
		}
		r.text(info.Name, f.Bytes, at+p.at[0]+2, encoding)
		r.text(info.Name, f.Value, at+p.at[1]+2, encoding) // [MQTT-1.5.7-1]
	}
	switch {
	case info.values == topicName && wildcard(f.Bytes):
		r.fault(&ruleResponseTopicWildcard, info.Name, at, r.off) // [MQTT-3.3.2-14]
	case info.values == zeroOrOne && f.Uint > 1, info.values == notZero && f.Uint == 0:
		r.badValue(info, where, at)
	case f.ID == PropSubscriptionIdentifier && where == PUBLISH && r.dir == ClientToServer:
		r.fault(&ruleClientSubscriptionID, info.Name, at, r.off) // [MQTT-3.3.4-6]
	case f.ID == PropSessionExpiryInterval && where == DISCONNECT && r.dir == ServerToClient:
		r.fault(&ruleDisconnectExpiry, info.Name, at, r.off) // [MQTT-3.14.2-2]
	}
}

// badValue reports an integer out of its range.
func (r *reader) badValue(info *PropertyInfo, where Type, at int) {
	pl := info.place(where)
	text := info.Name + " is not 0"
	if info.values == zeroOrOne {
		text = info.Name + " is 0 or 1"
	}
	rule := protocol(pl.key, "", "§"+pl.section, text).named(ReasonProtocolError)
	switch info.ID {
	case PropTopicAlias:
		rule = ruleAliasZero // [MQTT-3.3.2-8]
	case PropPayloadFormatIndicator:
		// The section lists 0 and 1 but does not say that another value is an error.
		rule = malformed("E17", "", "§"+pl.section, text).all(SeverityWarning)
	}
	r.fault(&rule, info.Name, at, r.off)
}

// recordProperty describes a property whose first byte is at.
func (r *reader) recordProperty(p *propertyParts, f *Property, at int) {
	c := r.rec
	c.group(p.info.Name, at)
	c.open[len(c.open)-1].Property = f.ID
	c.add(Field{Name: "Property Identifier", Kind: KindUint, Start: at, End: at + 1, Uint: uint32(f.ID), Meaning: p.info.Name})
	value := Field{Name: "Value", Kind: KindUint, Start: at + 1, End: at + p.at[1], Uint: f.Uint, Meaning: f.ID.Meaning(f.Uint)}
	if p.info.Type >= PropString {
		value.Kind, value.Bytes, value.Content, value.Meaning = KindString, f.Bytes, at+p.at[0]+2, ""
	}
	switch p.info.Type {
	case PropBinary:
		value.Kind, value.Secret = KindBinary, f.ID == PropAuthenticationData
	case PropPair:
		value.Name = "Name"
	}
	c.add(value)
	if p.info.Type == PropPair {
		c.add(Field{Name: "Value", Kind: KindString, Start: at + p.at[1], End: at + p.end, Content: at + p.at[1] + 2, Bytes: f.Value})
	}
	c.close(at + p.end)
}

// payloadFormat judges a payload that its properties announce as text. Receivers may leave this out (section
// 3.3.2.3.2), and so does the strict decoder, which would have to read every payload.
func (r *reader) payloadFormat(p Properties, field string, payload []byte, end int, rule *Rule) {
	if !r.lint || r.dead || r.cut {
		return
	}
	if v, _ := p.Uint(PropPayloadFormatIndicator); v == 1 && !utf8.Valid(payload) {
		r.fault(rule, field, end-len(payload), end)
	}
}
