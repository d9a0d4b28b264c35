package packet

import "fmt"

// Connect is the first packet of a connection, from the client (section 3.1).
type Connect struct {
	// Version is the protocol version the packet names. Append writes its own argument and wants this to be equal or 0.
	Version Version
	// Bridge is set on the packet of a mosquitto bridge, which marks the protocol level of 3.1 and 3.1.1 with bit 7.
	Bridge bool
	// CleanStart asks for a new session; before 5.0 it is called clean session and ends the session at the close too.
	CleanStart bool
	// KeepAlive is in seconds, 0 to 65,535; 0 turns it off (section 3.1.2.10).
	KeepAlive uint16
	// Properties are those of 5.0, nil before.
	Properties Properties
	ClientID   string
	// Will is nil without the will flag.
	Will *Will
	// HasUserName and HasPassword tell an empty value from none.
	HasUserName bool
	UserName    string
	HasPassword bool
	Password    []byte
}

// Will is the message a server publishes for a client that is gone (section 3.1.2.5).
type Will struct {
	// Properties are those of 5.0, nil before.
	Properties Properties
	Topic      string
	Payload    []byte
	QoS        QoS
	Retain     bool
}

// The bits of the connect flags (section 3.1.2.3).
const (
	flagReserved   = 0x01
	flagCleanStart = 0x02
	flagWill       = 0x04
	flagWillQoS    = 0x18
	flagWillRetain = 0x20
	flagPassword   = 0x40
	flagUserName   = 0x80
)

// Type returns CONNECT.
func (p *Connect) Type() Type { return CONNECT }

// Decode reads the CONNECT at the start of b, by the version it names whatever v is, and returns its length in bytes.
// Password, will payload and properties alias b.
func (p *Connect) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(CONNECT) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(connectTrailing(b))
}

func (p *Connect) decode(r *reader) {
	*p = Connect{}
	if !p.decodeVersion(r) {
		return
	}
	flags := r.u8("Connect Flags", &rulePastEnd)
	p.connectFlags(r, flags)
	p.KeepAlive = r.u16("Keep Alive", &rulePastEnd)
	if r.rec != nil && !r.dead {
		r.rec.last().Meaning = keepAliveWords(p.KeepAlive)
	}
	p.CleanStart = flags&flagCleanStart != 0
	p.Properties = r.properties(CONNECT)
	p.authentication(r)
	p.clientID(r)
	if flags&flagWill != 0 {
		p.decodeWill(r, flags)
	}
	p.credentials(r, flags)
}

// decodeVersion reads the protocol name and level; false when what follows them is unknown.
func (p *Connect) decodeVersion(r *reader) bool {
	at := r.off
	name := string(r.str("Protocol Name", &rulePastEnd, &ruleUTF8))
	if r.dead {
		return false
	}
	nameEnd := r.off
	level := r.u8(levelName(r.v), &rulePastEnd)
	v := Version(level &^ 0x80)
	if r.dead {
		return false
	}
	if v < V31 || v > V5 || level == 0x80|byte(V5) {
		r.fault(&ruleProtocolLevel, levelName(r.v), nameEnd, r.off) // [MQTT-3.1.2-2]
		r.undecoded()
		return false
	}
	if want := protocolName(v); name != want {
		r.fault(&ruleProtocolName, "Protocol Name", at, nameEnd) // [MQTT-3.1.2-1]
	}
	p.Version, p.Bridge = v, level != byte(v)
	if p.Bridge {
		r.fault(&ruleBridge, levelName(r.v), nameEnd, r.off)
	}
	if r.rec != nil {
		r.rec.last().Meaning = "MQTT " + v.String()
	}
	return true
}

// connectFlags judges and describes the connect flags.
func (p *Connect) connectFlags(r *reader, flags byte) {
	if r.dead {
		return
	}
	at := r.off - 1
	q := QoS(flags & flagWillQoS >> 3)
	if r.rec != nil {
		clean := "Clean Start"
		if r.v != V5 {
			clean = "Clean Session"
		}
		c := r.rec
		c.bits("User Name Flag", flagUserName, "")
		c.bits("Password Flag", flagPassword, "")
		c.bits("Will Retain", flagWillRetain, "")
		c.bits("Will QoS", flagWillQoS, qosWords(q))
		c.bits("Will Flag", flagWill, "")
		c.bits(clean, flagCleanStart, "")
		c.bits("Reserved", flagReserved, "")
	}
	if flags&flagReserved != 0 {
		r.fault(&ruleConnectReserved, "Connect Flags", at, at+1) // [MQTT-3.1.2-3]
	}
	will := flags&flagWill != 0
	if !will && q != 0 {
		r.fault(&ruleWillQoSWithoutWill, "Will QoS", at, at+1) // [MQTT-3.1.2-11]
	}
	if q > ExactlyOnce && (will || r.v != V31) {
		r.fault(&ruleWillQoS3, "Will QoS", at, at+1) // [MQTT-3.1.2-12]
	}
	if !will && flags&flagWillRetain != 0 {
		r.fault(&ruleWillRetainWithoutWill, "Will Retain", at, at+1) // [MQTT-3.1.2-13]
	}
	if flags&(flagUserName|flagPassword) == flagPassword {
		r.fault(&rulePasswordAlone, "Password Flag", at, at+1) // [MQTT-3.1.2-22] of 3.1.1
	}
}

// authentication judges the authentication properties.
func (p *Connect) authentication(r *reader) {
	if len(p.Properties) == 0 || r.dead {
		return
	}
	_, method := p.Properties.Get(PropAuthenticationMethod)
	if _, data := p.Properties.Get(PropAuthenticationData); data && !method {
		r.fault(&ruleAuthDataAlone, "Authentication Data", r.off-len(p.Properties), r.off)
	}
}

// clientID reads the client identifier (section 3.1.3.1).
func (p *Connect) clientID(r *reader) {
	id := r.str("Client Identifier", &ruleClientIDMissing, &ruleClientIDUTF8) // [MQTT-3.1.3-3] [MQTT-3.1.3-4]
	p.ClientID = string(id)
	if r.dead {
		return
	}
	if len(id) == 0 && !p.CleanStart {
		r.fault(&ruleClientIDEmpty, "Client Identifier", r.off-2, r.off) // [MQTT-3.1.3-7] of 3.1.1
	}
	if n := len([]rune(p.ClientID)); n > 23 || n == 0 && p.CleanStart {
		r.fault(&ruleClientIDLength, "Client Identifier", r.off-len(id)-2, r.off)
	}
}

func (p *Connect) decodeWill(r *reader, flags byte) {
	w := &Will{QoS: QoS(flags & flagWillQoS >> 3), Retain: flags&flagWillRetain != 0}
	p.Will = w
	if r.v == V5 && r.left() == 0 {
		r.short(&ruleWillMissing, "Will Properties") // [MQTT-3.1.2-9]
	}
	w.Properties = r.properties(WillProperties)
	topic := r.str("Will Topic", &ruleWillMissing, &ruleWillTopicUTF8) // [MQTT-3.1.3-11]
	w.Topic = string(topic)
	at := r.off - len(topic)
	if len(topic) == 0 {
		r.fault(&ruleWillTopicEmpty, "Will Topic", at-2, at) // [MQTT-4.7.3-1]
	}
	if wildcard(topic) {
		r.fault(&ruleWillTopicWildcard, "Will Topic", at, r.off) // [MQTT-4.7.0-1]
	}
	name := "Will Payload"
	if r.v != V5 {
		name = "Will Message"
	}
	w.Payload = r.prefixed(name, KindBinary, &ruleWillMissing)
	r.payloadFormat(w.Properties, name, w.Payload, r.off, &ruleWillPayloadFormat)
}

// credentials reads user name and password. A client of 3.1 may set their flags and leave them out (annex 3, trap 5).
func (p *Connect) credentials(r *reader, flags byte) {
	for _, flag := range [...]byte{flagUserName, flagPassword} {
		if flags&flag == 0 || r.dead {
			continue
		}
		rule, name := &ruleUserNameMissing, "User Name"
		if flag == flagPassword {
			rule, name = &rulePasswordMissing, "Password"
		}
		if r.v == V31 && r.left() == 0 && !r.cut {
			r.fault(rule, name, r.off, r.off)
			continue
		}
		if flag == flagUserName {
			p.UserName, p.HasUserName = string(r.str(name, rule, &ruleUserNameUTF8)), true // [MQTT-3.1.2-17] [MQTT-3.1.3-12]
			continue
		}
		p.Password, p.HasPassword = r.prefixed(name, KindBinary, rule), true // [MQTT-3.1.2-19]
		if r.rec != nil && !r.dead {
			r.rec.last().Secret = true
		}
	}
}

// connectTrailing returns the rule that bytes after the last field of the CONNECT b break: they look like the field whose
// flag is not set.
func connectTrailing(b []byte) *Rule {
	h, _ := ParseHeader(b)
	if len(b) < h.Size+2 {
		return &ruleTrailing
	}
	at := h.Size + 3 + int(b[h.Size])<<8 + int(b[h.Size+1])
	switch {
	case at >= len(b):
		return &ruleTrailing
	case b[at]&flagUserName == 0:
		return &ruleNoUserNameFlag // [MQTT-3.1.2-16]
	case b[at]&flagPassword == 0:
		return &ruleNoPasswordFlag // [MQTT-3.1.2-18]
	}
	return &ruleTrailing
}

func protocolName(v Version) string {
	if v == V31 {
		return "MQIsdp"
	}
	return "MQTT"
}

// levelName returns what the document of version v calls the byte after the protocol name.
func levelName(v Version) string {
	switch v {
	case V5:
		return "Protocol Version"
	case V31:
		return "Protocol Version Number"
	}
	return "Protocol Level"
}

func keepAliveWords(s uint16) string {
	if s == 0 {
		return "off"
	}
	return fmt.Sprintf("%d s", s)
}

// Append appends the CONNECT to b, naming version v.
func (p *Connect) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, CONNECT, 0)
	w.str("Protocol Name", protocolName(v))
	level := byte(v)
	if p.Bridge {
		level |= 0x80
		if v == V5 {
			w.refuse(ErrProtocol, "Protocol Version", "", "a bridge marks the level of 3.1 and 3.1.1 only")
		}
	}
	if p.Version != 0 && p.Version != v {
		w.refuse(ErrProtocol, levelName(v), "", "the packet is one of %v, not %v", p.Version, v)
	}
	w.u8(level)
	w.u8(p.flags(&w))
	w.u16(p.KeepAlive)
	w.properties(p.Properties)
	w.str("Client Identifier", p.ClientID)
	if p.Will != nil {
		w.properties(p.Will.Properties)
		w.str("Will Topic", p.Will.Topic)
		w.bin("Will Payload", p.Will.Payload)
	}
	if p.HasUserName {
		w.str("User Name", p.UserName)
	}
	if p.HasPassword {
		w.bin("Password", p.Password)
	}
	return w.finish()
}

// flags puts the connect flags together.
func (p *Connect) flags(w *writer) byte {
	flags := bit(p.CleanStart, flagCleanStart) | bit(p.HasUserName, flagUserName) | bit(p.HasPassword, flagPassword)
	if p.Will != nil {
		flags |= flagWill | w.qos("Will QoS", p.Will.QoS)<<3 | bit(p.Will.Retain, flagWillRetain)
	}
	if !p.HasUserName && p.UserName != "" {
		w.refuse(ErrProtocol, "User Name", "MQTT-3.1.2-16", "set without HasUserName")
	}
	if !p.HasPassword && len(p.Password) > 0 {
		w.refuse(ErrProtocol, "Password", "MQTT-3.1.2-18", "set without HasPassword")
	}
	return flags
}

// bit returns mask if on is set, else 0.
func bit(on bool, mask byte) byte {
	if on {
		return mask
	}
	return 0
}
