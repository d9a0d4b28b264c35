package flow

import (
	"mq/packet"
)

// dispatch decodes the packet at hand and applies it to the connection.
func (t *Tracker) dispatch(c *conn) {
	typ, raw := t.ev.Type, t.ev.Raw
	d := dirIndex(t.ev.Dir)
	if c.version == 0 || c.inferred && !c.evidence.decided {
		t.infer(c, typ, raw)
	}
	t.ev.Version, t.ev.Inferred = c.version, c.inferred
	p, ok := t.decode(c, typ, raw)
	t.ev.Packet = p
	t.gates(c, d, typ)
	switch {
	case typ == packet.CONNECT:
		cp, _ := p.(*packet.Connect)
		t.onConnect(c, d, cp, ok)
	case !ok:
		c.lose() // what it did to the state is not known
	default:
		t.apply(c, d, p)
	}
	if c.phase != connecting || d == 1 {
		t.sizes(c, d, p)
	}
	t.remember(c, d)
	c.seen[d] = t.now
	t.ev.ClientID, t.ev.Version, t.ev.Unacked = c.clientID, c.version, c.unacked
}

func (t *Tracker) apply(c *conn, d int, p packet.Packet) {
	switch p := p.(type) {
	case *packet.Publish:
		t.onPublish(c, d, p)
	case *packet.Puback:
		t.onPuback(c, d, p)
	case *packet.Pubrec:
		t.onPubrec(c, d, p)
	case *packet.Pubrel:
		t.onPubrel(c, d, p)
	case *packet.Pubcomp:
		t.onPubcomp(c, d, p)
	case *packet.Connack:
		t.onConnack(c, d, p)
	case *packet.Subscribe:
		t.onSubscribe(c, d, p)
	case *packet.Suback:
		t.onSuback(c, d, p)
	case *packet.Unsubscribe:
		t.onUnsubscribe(c, d, p)
	case *packet.Unsuback:
		t.onUnsuback(c, d, p)
	case *packet.Pingreq:
		t.onPingreq(c, d)
	case *packet.Pingresp:
		t.onPingresp(c, d)
	case *packet.Disconnect:
		t.onDisconnect(c, d, p)
	case *packet.Auth:
		t.onAuth(c, d, p)
	}
}

// decode reads the packet and reports its own faults. The second result is false when not all of it could be read.
func (t *Tracker) decode(c *conn, typ packet.Type, raw []byte) (packet.Packet, bool) {
	var p packet.Packet
	var err error
	switch typ {
	case packet.PUBLISH:
		p = &t.pub
		if _, err = t.pub.Decode(raw, c.version); err == nil && t.plainPublish(raw) {
			return p, true
		}
	case packet.PUBACK:
		p = &t.puback
	case packet.PUBREC:
		p = &t.pubrec
	case packet.PUBREL:
		p = &t.pubrel
	case packet.PUBCOMP:
		p = &t.pubcomp
	default:
		if p, _, err = packet.Decode(raw, c.version); err == nil {
			t.judge(c, packet.Lint(raw, c.version, t.ev.Dir), raw)
			return p, true
		}
	}
	if typ != packet.PUBLISH && err == nil {
		if _, err = p.Decode(raw, c.version); err == nil && len(raw) == 4 {
			return p, true // nothing in it that linting could find beyond decoding
		}
	}
	if err == nil {
		t.judge(c, packet.Lint(raw, c.version, t.ev.Dir), raw)
		return p, true
	}
	a := packet.Annotate(raw, c.version, t.ev.Dir)
	t.judge(c, a.Findings, raw)
	return a.Packet, a.Packet != nil && !a.Truncated && readThrough(a.Fields)
}

// plainPublish reports whether the decoded PUBLISH has nothing that only linting looks at: properties, characters that
// are discouraged, a remaining length that is too long.
func (t *Tracker) plainPublish(raw []byte) bool {
	if len(t.pub.Properties) > 0 {
		return false
	}
	if raw[1] >= 0x80 {
		h, err := packet.ParseHeader(raw)
		if err != nil || h.Size-1 != packet.VarintLen(uint32(h.Remaining)) {
			return false
		}
	}
	return plain(t.pub.Topic)
}

// readThrough reports whether every byte was understood.
func readThrough(fields []packet.Field) bool {
	for i := range fields {
		if fields[i].Name == "Undecoded Bytes" || !readThrough(fields[i].Fields) {
			return false
		}
	}
	return true
}

// judge reports findings; with a guessed version, those that every version has.
func (t *Tracker) judge(c *conn, list []packet.Finding, raw []byte) {
	if len(list) == 0 {
		return
	}
	if c.inferred && t.ev.Type != packet.CONNECT {
		v := packet.V5
		if c.version == packet.V5 {
			v = packet.V311
		}
		also := packet.Lint(raw, v, t.ev.Dir)
		n := 0
		for _, f := range list {
			for _, g := range also {
				if f.Key == g.Key {
					list[n] = f
					n++
					break
				}
			}
		}
		list = list[:n]
	}
	t.findings(c, list)
}

// gates applies the rules about which packet may come when.
func (t *Tracker) gates(c *conn, d int, typ packet.Type) {
	side := sideOf(d)
	if wrongWay(typ, d) {
		t.fault(c, "A7", side, "%v from the %v", typ, side)
		return
	}
	if typ == packet.DISCONNECT && d == 1 && c.version != packet.V5 && c.version != 0 && !c.inferred {
		t.fault(c, "J3", side, "")
		return
	}
	if g := c.bye[d]; g.number != 0 {
		switch {
		case d == 1 && g.code == packet.ReasonNotAuthorized && c.auth.again:
			t.fault(c, "K12", side, "%v after DISCONNECT", typ).about(g.number)
		case g.code.Failed():
			t.fault(c, "D35", side, "%v after DISCONNECT with %s", typ, codeWords(g.code, packet.DISCONNECT)).about(g.number)
		default:
			t.fault(c, "J12", side, "%v after DISCONNECT", typ).about(g.number)
		}
		return
	}
	t.outlived(c, d, typ)
	if d == 0 {
		t.clientGates(c, typ)
	} else {
		t.serverGates(c, typ)
	}
}

// wrongWay reports whether side d never sends packets of the type, in any version.
func wrongWay(typ packet.Type, d int) bool {
	switch typ {
	case packet.CONNECT, packet.SUBSCRIBE, packet.UNSUBSCRIBE, packet.PINGREQ:
		return d == 1
	case packet.CONNACK, packet.SUBACK, packet.UNSUBACK, packet.PINGRESP:
		return d == 0
	}
	return false
}

func (t *Tracker) clientGates(c *conn, typ packet.Type) {
	switch {
	case typ == packet.CONNECT && c.phase != waiting:
		t.fault(c, "C2", client, "").about(c.connect.number)
	case typ != packet.CONNECT && c.phase == waiting && c.whole && c.packets[0] == 1:
		t.fault(c, "C1", client, "it was %v", typ)
	case c.phase == connecting && c.connect.hasMethod && typ != packet.AUTH && typ != packet.DISCONNECT:
		t.fault(c, "C38", client, "%v before CONNACK", typ)
	}
	if c.saidD6 && typ != packet.DISCONNECT {
		c.saidD6 = false
		t.fault(c, "D11", client, "")
	}
	if c.ping.n > 0 && !c.ping.stubborn && t.now-c.ping.list[0].at > 6*int64(t.o.AnswerTimeout) {
		c.ping.stubborn = true
		t.fault(c, "O5", client, "PINGREQ was sent %v ago", since(t.now-c.ping.list[0].at)).about(c.ping.list[0].number)
	}
	t.silence(c)
	c.silent, c.overdue = false, false
}

func (t *Tracker) serverGates(c *conn, typ packet.Type) {
	switch {
	case c.phase == refused && typ == packet.CONNACK:
		t.fault(c, "D2", server, "").about(c.refusal.number)
	case c.phase == refused && typ == packet.PINGRESP:
		t.fault(c, "D8", server, "it goes on with PINGRESP").about(c.refusal.number)
		c.saidClose = true
	case c.phase == refused && (typ != packet.DISCONNECT || c.version != packet.V5):
		t.fault(c, "C41", server, "it goes on with %v", typ).about(c.refusal.number)
		c.saidClose = true
	case c.phase == established && typ == packet.CONNACK:
		t.fault(c, "D2", server, "")
	case typ == packet.DISCONNECT && c.phase != established && c.whole:
		t.fault(c, "J11", server, "")
	case c.phase < established && c.whole && typ != packet.CONNACK && (typ != packet.AUTH || c.version != packet.V5):
		t.fault(c, "D1", server, "it was %v", typ)
	}
	if c.overtaken != 0 && typ != packet.DISCONNECT && t.now-c.overtaken > int64(t.o.CloseGrace) {
		c.overtaken = 0
		t.fault(c, "C42", server, "it goes on with %v", typ)
	}
}

// outlived reports that the peer goes on in spite of a fault.
func (t *Tracker) outlived(c *conn, d int, typ packet.Type) {
	v := &c.broke[1-d]
	if v.number == 0 || typ == packet.DISCONNECT || t.now-v.at <= int64(t.o.CloseGrace) {
		return
	}
	if v.key != "" && (d == 1 || c.version != packet.V5) {
		key := "A15"
		if v.flags {
			key = "A2"
		}
		t.fault(c, key, sideOf(d), "%v goes on after %s", sideOf(d), v.key).about(v.number)
	}
	v.key = "" // once is enough
}

// remember notes a fault that the connection should not survive.
func (t *Tracker) remember(c *conn, d int) {
	if len(t.diags) == 0 || c.broke[d].number != 0 || c.inferred || c.version == 0 {
		return
	}
	for i := range t.diags {
		f := &t.diags[i]
		if f.Severity == failure && f.Side == sideOf(d) && f.Packet == t.ev.Number && lookup(f.Key) == nil && t.ev.Type != packet.CONNECT {
			flags := f.Key == "A1" || f.Key == "F1" || f.Key == "G1" || f.Key == "H1" || f.Key == "J1" || f.Key == "K1"
			c.broke[d] = violation{t.ev.Number, t.now, f.Key, flags}
			return
		}
	}
}
