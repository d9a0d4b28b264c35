package packet

// Auth is a step of an extended authentication, either way, in 5.0 only (section 3.15).
type Auth struct {
	// ReasonCode is ReasonSuccess from a server, ReasonContinueAuthentication from either side, ReasonReauthenticate from a
	// client.
	ReasonCode ReasonCode
	// Properties hold the authentication method, always, and the authentication data.
	Properties Properties
}

// Type returns AUTH.
func (p *Auth) Type() Type { return AUTH }

// Decode reads the AUTH at the start of b and returns its length in bytes. Properties alias b.
func (p *Auth) Decode(b []byte, v Version) (int, error) {
	r := reader{b: b, v: v}
	if !r.begin(AUTH) {
		return 0, r.err
	}
	p.decode(&r)
	return r.finish(&ruleTrailing)
}

func (p *Auth) decode(r *reader) {
	*p = Auth{}
	if r.left() == 0 && !r.cut {
		// Section 3.15.2.1 allows length 0, section 3.15.2.2.2 demands a method.
		r.fault(&ruleAuthShorthand, "Authentication Method", 0, r.end)
		return
	}
	p.ReasonCode = r.reason("Authenticate Reason Code", &ruleAuthCode) // [MQTT-3.15.2-1]
	if p.ReasonCode.ValidIn(AUTH) && !p.ReasonCode.ValidFrom(AUTH, r.dir) {
		r.fault(&ruleAuthSide, "Authenticate Reason Code", r.off-1, r.off)
	}
	p.Properties = r.properties(AUTH)
	if _, ok := p.Properties.Get(PropAuthenticationMethod); !ok {
		r.fault(&ruleAuthMethod, "Authentication Method", r.off-len(p.Properties), r.off)
	}
}

// Append appends the AUTH to b. Without a code and properties it is the two bytes that section 3.15.2.1 allows.
func (p *Auth) Append(b []byte, v Version) ([]byte, error) {
	w := newWriter(b, v, AUTH, 0)
	if p.ReasonCode != 0 || len(p.Properties) > 0 {
		w.u8(byte(p.ReasonCode))
		w.properties(p.Properties)
	}
	return w.finish()
}
