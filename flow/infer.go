package flow

import "mq/packet"

// evidence is what speaks for a protocol version while CONNECT is unknown.
type evidence struct {
	five    int
	three   int
	seen    int
	decided bool
}

// infer guesses the version of a connection whose CONNECT was not seen. Many packets read well as either version; then
// 3.1.1 is assumed until something speaks for 5.0.
func (t *Tracker) infer(c *conn, typ packet.Type, raw []byte) {
	if typ == packet.CONNECT {
		return
	}
	e := &c.evidence
	_, _, err3 := packet.Decode(raw, packet.V311)
	p5, _, err5 := packet.Decode(raw, packet.V5)
	switch {
	case err3 != nil && err5 == nil:
		e.five += 4
	case err3 == nil && err5 != nil:
		e.three += 4
	case err3 == nil:
		e.weigh(p5, raw, t.ev.Dir)
	}
	e.seen++
	e.decided = e.seen >= 64 || e.five >= 8 || e.three >= 8 || e.five >= 4 && e.three == 0 || e.three >= 4 && e.five == 0
	v := packet.V311
	if e.five > e.three {
		v = packet.V5
	}
	if v != c.version {
		c.version, c.inferred = v, true
		t.life(c, ConnInferred)
	}
}

// weigh judges a packet that reads well as both versions.
func (e *evidence) weigh(p packet.Packet, raw []byte, d packet.Direction) {
	switch p := p.(type) {
	case *packet.Publish:
		// In 5.0 a property length follows, mostly 0; in 3.1.1 a payload that begins with NUL or with what looks like
		// properties is rare.
		e.five++
		if len(p.Properties) > 0 {
			e.five++
		}
	case *packet.Suback:
		e.five++ // as 3.1.1 it begins with the code 0 too often
		if len(raw) == 5 {
			e.five--
		}
	case *packet.Disconnect:
		if len(raw) > 2 || d == packet.ServerToClient {
			e.five += 4
		}
	}
}
