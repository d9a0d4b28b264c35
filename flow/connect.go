package flow

import (
	"strings"

	"mq/packet"
)

// onConnect applies a CONNECT; p is nil or incomplete when not all could be read.
func (t *Tracker) onConnect(c *conn, d int, p *packet.Connect, ok bool) {
	if d != 0 || c.phase != waiting {
		return
	}
	if c.inferred {
		c.whole = false // it began before, whatever CONNECT does here
	}
	ci := &c.connect
	*ci = connectInfo{number: t.ev.Number, at: t.now, flow: t.nextFlow()}
	c.phase = connecting
	for i := range t.diags {
		ci.malformed = ci.malformed || t.diags[i].Severity == failure && t.diags[i].Key != "C19"
		ci.badLevel = ci.badLevel || t.diags[i].Key == "C4"
	}
	c.version, c.inferred = packet.V311, false
	if p != nil && p.Version != 0 {
		c.version = p.Version
	}
	c.limits = defaultLimits()
	if p != nil {
		t.connectFields(c, p)
	}
	ci.add(t.step())
	t.ev.Flow, t.ev.Step = ci.flow, 1
	t.beginSession(c, ok)
}

func (ci *connectInfo) add(s step) {
	if ci.n < len(ci.steps) {
		ci.n++
	}
	ci.steps[ci.n-1] = s
}

func (t *Tracker) connectFields(c *conn, p *packet.Connect) {
	ci, l := &c.connect, &c.limits
	c.bridge, c.clientID = p.Bridge, p.ClientID
	ci.clean, ci.emptyID, ci.keepAlive = p.CleanStart, p.ClientID == "", p.KeepAlive
	l.CleanStart, l.KeepAlive = p.CleanStart, seconds(p.KeepAlive)
	if c.version != packet.V5 && !p.CleanStart {
		l.SessionExpiry = NoExpiry
	}
	for f := range p.Properties.All() {
		switch f.ID {
		case packet.PropSessionExpiryInterval:
			l.SessionExpiry = f.Uint
		case packet.PropReceiveMaximum:
			l.ClientReceiveMaximum = uint16(f.Uint)
		case packet.PropMaximumPacketSize:
			l.ClientMaximumPacket = f.Uint
		case packet.PropTopicAliasMaximum:
			l.ClientAliasMaximum = uint16(f.Uint)
		case packet.PropRequestProblemInformation:
			l.ProblemInformation = f.Uint != 0
		case packet.PropRequestResponseInformation:
			l.ResponseInformation = f.Uint == 1
		case packet.PropAuthenticationMethod:
			ci.method, ci.hasMethod = string(f.Bytes), true
		}
	}
	ci.expiry = l.SessionExpiry
	if p.Will != nil {
		ci.willQoS, ci.willRetain = p.Will.QoS, p.Will.Retain
		ci.will = t.newWill(c, p.Will)
	}
}

// onConnack applies a CONNACK.
func (t *Tracker) onConnack(c *conn, d int, p *packet.Connack) {
	if d != 1 || c.phase == established || c.phase == refused {
		return
	}
	if c.phase == waiting {
		c.lose() // CONNECT was not seen
	}
	ci := &c.connect
	ci.add(t.step())
	t.ev.Flow, t.ev.Step = ci.flow, ci.n
	code := p.ReasonCode
	if p.Refused() {
		if code == 0 {
			code = refusalCode(p.ReturnCode)
		}
		c.phase = refused
		c.refusedBy = code
		c.refusal = violation{number: t.ev.Number, at: t.now}
		t.judgeRefusal(c, p)
	} else {
		c.phase = established
		t.connackLimits(c, p)
		if ci.number != 0 && !c.inferred {
			t.judgeAccepted(c, p)
		}
	}
	t.answerConnect(c, p, code)
	if c.phase == established {
		t.beginLife(c, p)
		t.judgeEarly(c)
	} else {
		c.prior = nil
	}
}

// answerConnect hands out the handshake and the news.
func (t *Tracker) answerConnect(c *conn, p *packet.Connack, code packet.ReasonCode) {
	ci := &c.connect
	words := p.Why()
	if p.Refused() {
		words += " (0x" + hexByte(byte(p.ReasonCode)|byte(p.ReturnCode)) + ")"
	}
	if ci.number != 0 {
		item := t.flow(c, KindConnect, ci.flow, ci.steps[:ci.n])
		item.Outcome, item.Code, item.Words = Completed, code, words
		if p.Refused() {
			item.Outcome = Refused
		}
		t.sum.latency[KindConnect].add(int64(item.Total))
	}
	k := ConnEstablished
	if p.Refused() {
		k = ConnRefused
	}
	e := t.life(c, k)
	e.Code, e.Words = code, words
}

func hexByte(b byte) string {
	const hex = "0123456789abcdef"
	return string([]byte{hex[b>>4], hex[b&15]})
}

// refusalCode gives a 3.1.1 return code its 5.0 number.
func refusalCode(c packet.ReturnCode) packet.ReasonCode {
	switch c {
	case packet.UnacceptableVersion:
		return packet.ReasonUnsupportedVersion
	case packet.IdentifierRejected:
		return packet.ReasonClientIDNotValid
	case packet.ServerUnavailable:
		return packet.ReasonServerUnavailable
	case packet.BadUserNameOrPassword:
		return packet.ReasonBadUserNameOrPassword
	case packet.NotAuthorized:
		return packet.ReasonNotAuthorized
	}
	return packet.ReasonUnspecifiedError
}

// connackLimits takes over what the server announced.
func (t *Tracker) connackLimits(c *conn, p *packet.Connack) {
	l := &c.limits
	l.SessionPresent = p.SessionPresent
	for f := range p.Properties.All() {
		switch f.ID {
		case packet.PropSessionExpiryInterval:
			l.SessionExpiry = f.Uint
		case packet.PropReceiveMaximum:
			l.ServerReceiveMaximum = uint16(f.Uint)
		case packet.PropMaximumPacketSize:
			l.ServerMaximumPacket = f.Uint
		case packet.PropTopicAliasMaximum:
			l.ServerAliasMaximum = uint16(f.Uint)
		case packet.PropMaximumQoS:
			l.MaximumQoS = packet.QoS(f.Uint)
		case packet.PropRetainAvailable:
			l.RetainAvailable = f.Uint != 0
		case packet.PropWildcardSubscriptionAvailable:
			l.WildcardAvailable = f.Uint != 0
		case packet.PropSubscriptionIdentifierAvailable:
			l.SubscriptionIDsAvailable = f.Uint != 0
		case packet.PropSharedSubscriptionAvailable:
			l.SharedAvailable = f.Uint != 0
		case packet.PropServerKeepAlive:
			l.KeepAlive, l.ServerKeepAlive = seconds(uint16(f.Uint)), true
		case packet.PropAssignedClientIdentifier:
			c.assigned = true
			if c.connect.emptyID {
				c.clientID = string(f.Bytes)
			}
		}
	}
}

// judgeAccepted applies the rules about a CONNACK that accepts.
func (t *Tracker) judgeAccepted(c *conn, p *packet.Connack) {
	ci := &c.connect
	switch {
	case ci.badLevel:
		t.fault(c, "C4", server, "").about(ci.number)
	case ci.emptyID && !ci.clean && c.version == packet.V311:
		t.fault(c, "C20", server, "").about(ci.number)
	case ci.malformed:
		t.fault(c, "C39", server, "").about(ci.number)
	case ci.emptyID && !c.assigned:
		if c.version == packet.V5 {
			t.fault(c, "C22", server, "").about(ci.number)
		}
	}
	if ci.clean && p.SessionPresent {
		t.fault(c, "D4", server, "").about(ci.number).in("Session Present", 2, 3)
	}
	if c.version != packet.V5 {
		return
	}
	if c.assigned && !ci.emptyID {
		t.fault(c, "D19", server, "").about(ci.number)
	}
	if _, ok := p.Properties.Get(packet.PropResponseInformation); ok && !c.limits.ResponseInformation {
		t.fault(c, "D29", server, "").about(ci.number)
	}
	if ci.will != nil && ci.willQoS > c.limits.MaximumQoS {
		t.fault(c, "D31", server, "will QoS %v, maximum QoS %v", ci.willQoS, c.limits.MaximumQoS).about(ci.number)
	}
	if ci.will != nil && ci.willRetain && !c.limits.RetainAvailable {
		t.fault(c, "D32", server, "").about(ci.number)
	}
	t.connackMethod(c, p)
}

// judgeRefusal applies the rules about a CONNACK that refuses.
func (t *Tracker) judgeRefusal(c *conn, p *packet.Connack) {
	rejected := p.ReturnCode == packet.IdentifierRejected || p.ReasonCode == packet.ReasonClientIDNotValid
	if rejected && isPlainID(c.clientID) && c.connect.number != 0 {
		t.fault(c, "C24", server, "client identifier %q", c.clientID).about(c.connect.number)
	}
	if c.connect.malformed && !c.connect.badLevel && c.version == packet.V311 {
		t.fault(c, "C39", server, "3.1.1 closes without CONNACK").about(c.connect.number).weigh(warning)
	}
	if p.ReasonCode != 0 {
		t.connackMethod(c, p)
	}
}

// judgeEarly judges what the client sent before it could know the limits (annex 3, trap 38).
func (t *Tracker) judgeEarly(c *conn) {
	e, l := &c.early, &c.limits
	if c.version != packet.V5 || c.inferred {
		return
	}
	const why = "sent before CONNACK"
	if e.alias != 0 && e.maxAlias > l.ServerAliasMaximum {
		key := "E18"
		if l.ServerAliasMaximum == 0 {
			key = "E19"
		}
		c.aliasFault[0] = true
		t.early(c, key, e.alias, why)
	}
	if e.qos != 0 && e.maxQoS > l.MaximumQoS {
		t.early(c, "E57", e.qos, why)
	}
	if e.retain != 0 && !l.RetainAvailable {
		t.early(c, "E58", e.retain, why)
	}
	if e.large != 0 && l.ServerMaximumPacket != 0 && e.largest > int(l.ServerMaximumPacket) {
		t.early(c, "N7", e.large, why)
	}
	if n := int(l.ServerReceiveMaximum); c.unacked[0] > n {
		t.early(c, "N1", c.connect.number, why)
	}
}

func (t *Tracker) early(c *conn, key string, number int64, why string) {
	n := len(t.diags)
	t.late(c, key, client, number, "%s", why)
	for i := n; i < len(t.diags); i++ {
		t.diags[i].weigh(warning)
	}
}

// sizes applies the rules about the length of the packet at hand, and about what the client did not want to get.
func (t *Tracker) sizes(c *conn, d int, p packet.Packet) {
	if c.version != packet.V5 || c.inferred || p == nil {
		return
	}
	limit := c.limits.ServerMaximumPacket
	if d == 1 {
		limit = c.limits.ClientMaximumPacket
	}
	n := len(t.ev.Raw)
	large := limit != 0 && n > int(limit)
	quiet := d == 1 && !c.limits.ProblemInformation
	if !large && !quiet {
		return
	}
	info := problemInfo(p)
	if quiet && info && t.ev.Type != packet.CONNACK && t.ev.Type != packet.DISCONNECT {
		t.fault(c, "F21", server, "")
	}
	if !large {
		return
	}
	key := "N7"
	if d == 1 {
		key = "N6"
	}
	if k := infoKeys[t.ev.Type]; info && k != "" {
		key = k
	}
	t.fault(c, key, sideOf(d), "%d bytes, the maximum is %d", n, limit).in("Remaining Length", 1, 2)
}

// infoKeys are the rules about packets that are too long by their reason string or user properties.
var infoKeys = [16]string{
	packet.CONNACK: "D34", packet.PUBACK: "F22", packet.PUBREC: "F22", packet.PUBREL: "F23", packet.PUBCOMP: "F23",
	packet.SUBACK: "G23", packet.UNSUBACK: "H14", packet.DISCONNECT: "J15", packet.AUTH: "K14",
}

// problemInfo reports whether an answer has a reason string or user properties.
func problemInfo(p packet.Packet) bool {
	var list packet.Properties
	switch p := p.(type) {
	case *packet.Connack:
		list = p.Properties
	case *packet.Puback:
		list = p.Properties
	case *packet.Pubrec:
		list = p.Properties
	case *packet.Pubrel:
		list = p.Properties
	case *packet.Pubcomp:
		list = p.Properties
	case *packet.Suback:
		list = p.Properties
	case *packet.Unsuback:
		list = p.Properties
	case *packet.Disconnect:
		list = p.Properties
	case *packet.Auth:
		list = p.Properties
	}
	for f := range list.All() {
		if f.ID == packet.PropReasonString || f.ID == packet.PropUserProperty {
			return true
		}
	}
	return false
}

// grantWords lists the codes of a SUBACK or UNSUBACK.
func grantWords(codes []packet.ReasonCode, in packet.Type, v packet.Version) (worst packet.ReasonCode, words string) {
	var list []string
	for i, code := range codes {
		worst = max(worst, code)
		w := codeWords(code, in)
		if v != packet.V5 && code.Failed() {
			w = "failure (0x80)"
		}
		if i == 8 {
			w = "…"
		}
		if i <= 8 {
			list = append(list, w)
		}
	}
	return worst, strings.Join(list, ", ")
}
